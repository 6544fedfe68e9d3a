import { open } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { GraphFile } from '../powers.js'

/** More than `parseGraph` takes, so that it says so. */
const MAX_BYTES = 16 * 1024 * 1024 + 1

/** Reads a graph in JSON. A module is a program of the user's own and is run with this one's rights. */
export async function readGraphFile(file: string): Promise<GraphFile> {
  try {
    return /^\.[cm]?[jt]s$/.test(extname(file))
      ? { kind: 'value', value: await exportOf(file) }
      : { kind: 'text', text: await textOf(file) }
  } catch (cause) {
    return { kind: 'unreadable', message: messageOf(cause) }
  }
}

async function exportOf(file: string): Promise<unknown> {
  const module: unknown = await import(pathToFileURL(resolve(file)).href)
  const value = (module as { default?: unknown }).default
  // A CommonJS module that was made from an ES module has its default within.
  return isNested(value) ? value.default : value
}

const isNested = (value: unknown): value is { readonly default: unknown } =>
  typeof value === 'object' && value !== null && '__esModule' in value && 'default' in value

async function textOf(file: string): Promise<string> {
  await using handle = await open(file, 'r')
  const buffer = Buffer.alloc(MAX_BYTES)
  let length = 0
  for (;;) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null)
    length += bytesRead
    if (bytesRead === 0 || length === buffer.length) return buffer.toString('utf8', 0, length)
  }
}

function messageOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION')
    return 'this Node does not run TypeScript; use 22.18 or newer, or export the graph as JSON with printGraph'
  return String(message ?? cause)
}
