import { readFile } from 'node:fs/promises'

/** A file of the page, with what it is. */
export interface PageFile {
  readonly type: string
  readonly bytes: Uint8Array
}

const JS = 'text/javascript; charset=utf-8'
/** By the path under which they are served. Nothing else is: no path of a request is ever looked up among files. */
const FILES = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/dashboard.css': ['dashboard.css', 'text/css; charset=utf-8'],
  '/icon.svg': ['icon.svg', 'image/svg+xml'],
  '/dashboard.js': ['dashboard.js', JS],
  '/access.js': ['access.js', JS],
  '/elements.js': ['elements.js', JS],
  '/event-stream.js': ['event-stream.js', JS],
  '/unit-card.js': ['unit-card.js', JS],
  '/words.js': ['words.js', JS],
} as const

/** Reads the whole page into memory. Rejects when a file is missing. */
export async function readPage(): Promise<ReadonlyMap<string, PageFile>> {
  const read = Object.entries(FILES).map(async ([path, [name, type]]) => {
    const bytes = await readFile(new URL(`../../page/${name}`, import.meta.url))
    return [path, { type, bytes }] as const
  })
  return new Map(await Promise.all(read))
}
