import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the checkout. */
export const root = fileURLToPath(new URL('../../', import.meta.url))

/** A fenced block of a page, as its readers see it, and what its comment says about it. */
export interface Block {
  /** The page, from the root of the checkout. */
  readonly page: string
  /** The line of the fence, from 1. */
  readonly line: number
  /** The first word after the fence: what it is written in. */
  readonly language: string
  /** The second word: by what else it is held against. */
  readonly kind: string
  readonly text: string
  /** TypeScript that the block stands on, from a comment `<!-- given … -->` above it. */
  readonly given: string
  /** Whether `<!-- continues -->` (or `<!-- continues given … -->`) above it says that it goes on where the block before it ended. */
  readonly continues: boolean
}

/** What is made, or is somebody else's. */
const notOurs = new Set(['node_modules', 'dist', 'build', 'prebuilds', 'coverage'])

/** Every page of the project, from the root of the checkout. */
export function pages(folder = ''): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory())
        return notOurs.has(entry.name) || /^\.(?!github$)/.test(entry.name) ? [] : pages(path)
      return entry.isFile() && entry.name.endsWith('.md') ? [path] : []
    })
    .sort()
}

/** Every source of the packages, from the root of the checkout. */
export function sources(folder = 'packages'): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => /^packages\/[^/]+\/src\//.test(path))
    .sort()
}

/** The docstrings of a source as Markdown, each line where it is in the source, and nothing where there is code. */
export function docstringsOf(source: string, text: string = textOf(source)): string {
  const lines: string[] = []
  let inside = false
  for (const line of text.split('\n')) {
    if (!inside && !/^\s*\/\*\*/.test(line)) lines.push('')
    else {
      const end = line.includes('*/')
      lines.push(line.replace(/^\s*(\/\*\*|\*(?!\/)) ?/, '').replace(/\s*\*\/.*$/, ''))
      inside = !end
    }
  }
  return lines.join('\n')
}

export const textOf = (page: string): string => readFileSync(join(root, page), 'utf8')

/** The fenced blocks of one page, or of the docstrings of one source, in order. */
export function blocksOf(page: string, markdown: string = textOf(page)): Block[] {
  const blocks: Block[] = []
  const lines = markdown.split('\n')
  let comment: string[] | undefined
  let above = ''
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!
    if (comment !== undefined || line.startsWith('<!--')) {
      comment = [...(comment ?? []), line]
      if (!line.endsWith('-->')) continue
      above = comment.join('\n').slice('<!--'.length, -'-->'.length).trim()
      comment = undefined
      continue
    }
    const fence = /^( *)(`{3,}|~{3,})(.*)$/.exec(line)
    if (fence === null) {
      if (line !== '') above = ''
      continue
    }
    const [, indent = '', ticks = '', info = ''] = fence
    const text: string[] = []
    const begin = at + 1
    for (at++; at < lines.length && lines[at]!.trim() !== ticks; at++)
      text.push(lines[at]!.slice(indent.length))
    if (at === lines.length) throw new Error(`${page}:${begin}: the block is never closed`)
    const [language = '', kind = ''] = info.trim().split(' ')
    blocks.push({
      page,
      line: begin,
      language,
      kind,
      text: text.map((line) => `${line}\n`).join(''),
      given: /^(?:continues )?given\b([\s\S]*)$/.exec(above)?.[1]?.trim() ?? '',
      continues: /^continues\b/.test(above),
    })
    above = ''
  }
  return blocks
}

/** What stands between single backticks outside blocks, with its line. */
export function inlineCode(markdown: string): { readonly line: number; readonly text: string }[] {
  const found: { line: number; text: string }[] = []
  let fenced = false
  for (const [at, line] of markdown.split('\n').entries()) {
    if (/^ *(`{3,}|~{3,})/.test(line)) fenced = !fenced
    else if (!fenced)
      for (const [, text = ''] of line.matchAll(/(?<!`)`([^`]+)`(?!`)/g)) found.push({ line: at + 1, text })
  }
  return found
}
