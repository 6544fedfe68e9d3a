import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseCommandLine } from '@spectrum/cli'
import { parseArguments as parseWayland } from '../../packages/wayland-proxy/src/command/arguments.js'
import { type Block, root, textOf } from './blocks.js'

// The lab is a program of Node's own dialect, without types.
const lab: { parseArguments(words: readonly string[]): { readonly problem?: string } } = await import(
  new URL('../../packages/unit-monitor/lab/arguments.mjs', import.meta.url).href
)

/** The commands of a shell block: in a `console` block the lines behind a prompt, in an `sh` block every line. */
export function commandsOf(block: Block): { readonly line: number; readonly words: readonly string[] }[] {
  const commands: { line: number; words: readonly string[] }[] = []
  const lines = block.text.split('\n')
  for (let at = 0; at < lines.length; at++) {
    const line = block.line + at + 1
    let text = lines[at]!
    if (block.language === 'console') {
      if (!/^[$#] /.test(text)) continue
      text = text.slice(2)
    }
    while (text.endsWith('\\')) text = `${text.slice(0, -1)} ${(lines[++at] ?? '').trim()}`
    const words = wordsOf(text)
    for (const command of split(words, ['&&', '|', ';']))
      if (command.length > 0) commands.push({ line, words: command })
  }
  return commands
}

/** The words of one line of shell, without what a comment says. Quotes are taken off; nothing is expanded. */
export function wordsOf(text: string): string[] {
  const words: string[] = []
  let word: string | undefined
  for (let at = 0; at < text.length; at++) {
    const letter = text[at]!
    if (letter === "'" || letter === '"') {
      const end = text.indexOf(letter, at + 1)
      if (end < 0) throw new Error(`a quote is never closed: ${text}`)
      word = (word ?? '') + text.slice(at + 1, end)
      at = end
    } else if (letter === ' ') {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (letter === '#' && word === undefined) break
    else word = (word ?? '') + letter
  }
  if (word !== undefined) words.push(word)
  return words
}

function split(words: readonly string[], separators: readonly string[]): string[][] {
  const parts: string[][] = [[]]
  for (const word of words) {
    if (separators.includes(word)) parts.push([])
    else parts.at(-1)!.push(word)
  }
  return parts
}

const scripts = Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts)
const measurements = readdirSync(join(root, 'packages')).flatMap((name) => {
  const folder = join(root, 'packages', name, 'bench')
  return existsSync(folder)
    ? readdirSync(folder).flatMap((file) => (file.endsWith('.ts') ? [file.slice(0, -'.ts'.length)] : []))
    : []
})

/** Programs of the machine that pages use; what they are told is not looked at. */
const ordinary = new Set(
  'apt-get apt-cache cat cd chmod cp curl echo git kill ls mkdir mount nix nix-build nix-store sh sudo foot modprobe'.split(
    ' ',
  ),
)

/** Stands for something that the reader puts in: `NAME`, `COMMAND…`, `PATH`. */
const isPlaceholder = (word: string) => /^[A-Z][A-Z-]*…?$/.test(word) || word.includes('…')

/** What is wrong with a command, or nothing. */
export function problemOf(words: readonly string[], page: string): string | undefined {
  const [first, ...rest] = words
  if (first === undefined) return undefined
  if (/^[A-Z_a-z]\w*=/.test(first)) return problemOf(rest, page)
  switch (first) {
    case 'npm':
      return npm(rest, page)
    case 'npx':
      return npx(
        rest.filter((word) => word !== '--no-install'),
        page,
      )
    case 'node':
      return missing(rest.filter((word) => !word.startsWith('-')).slice(0, rest.includes('-p') ? 0 : 1), page)
    case 'spectrum':
      if (isForm(rest)) return undefined
      return parseCommandLine(rest.map(filled)).match(
        () => undefined,
        (error) => error.message,
      )
    case 'spectrum-wayland':
      return parseWayland(rest.map(filled)).match(
        () => undefined,
        (error) => error,
      )
    default:
      return ordinary.has(first)
        ? undefined
        : `${first} is no command that pages may use (docs/test/shell.ts)`
  }
}

/** `spectrum COMMAND` and the like: the form of all commands, not one of them. */
const isForm = (words: readonly string[]) =>
  isPlaceholder(words[0] ?? '') || words.some((word) => word.startsWith('[') || word.includes('|'))

/** A path where the reader puts in a path, so that the parser sees what it would see. */
const filled = (word: string) => (word === 'PATH' || word === 'PROGRAM' ? '/nix/store/x' : word)

/** The scripts of the package whose page this is. */
function scriptsBeside(page: string): string[] {
  const manifest = join(root, ...page.split('/').slice(0, 2), 'package.json')
  return existsSync(manifest) ? Object.keys(JSON.parse(readFileSync(manifest, 'utf8')).scripts ?? {}) : []
}

function npm(words: readonly string[], page: string): string | undefined {
  const [verb = '', ...rest] = words
  if (verb === 'test') return undefined
  if (['ci', 'install', 'pack', 'pkg', 'publish', 'view', 'sbom', 'init'].includes(verb)) return undefined
  if (verb !== 'run') return `npm ${verb} is not looked at by the check (docs/test/shell.ts)`
  const [script = '', separator, ...argv] = rest
  if (isPlaceholder(script)) return undefined
  if (!scripts.includes(script) && !scriptsBeside(page).includes(script))
    return `there is no script "${script}"`
  if (separator === undefined) return undefined
  if (separator !== '--') return `npm takes "${separator}" for itself: put -- before it`
  if (script === 'lab') return isPlaceholder(argv[0] ?? '') ? undefined : lab.parseArguments(argv).problem
  const [name = ''] = argv
  if (isPlaceholder(name)) return undefined
  if (script === 'example' && !existsSync(join(root, 'examples', name)))
    return `there is no example "${name}"`
  if (script === 'bench' && !measurements.includes(name)) return `nothing measures "${name}"`
  if (script === 'test:long') return missing(argv, '.')
  return undefined
}

function npx(words: readonly string[], page: string): string | undefined {
  const [tool = '', ...argv] = words
  if (tool === 'spectrum') return problemOf(words, page)
  const owner = {
    tsx: 'tsx',
    vitest: 'vitest',
    biome: '@biomejs/biome',
    changeset: '@changesets/cli',
    esbuild: 'esbuild',
    tsc: 'typescript',
  }[tool]
  if (owner === undefined || !existsSync(join(root, 'node_modules', owner)))
    return `npx would have to fetch "${tool}"`
  const at = tool === 'tsx' ? argv.findIndex((word) => /\.m?ts$/.test(word)) : -1
  const looked =
    tool === 'tsx'
      ? at < 0
        ? []
        : [argv[at]!]
      : argv.filter((word) => /^(\.\/)?(packages|examples|docs)\//.test(word))
  return missing(looked, page)
}

/** What a page has its readers write themselves. */
const filesOf = (page: string) =>
  [...textOf(page).matchAll(/Put this into `([^`]+)`/g)].map(([, file]) => file)

function missing(paths: readonly string[], page: string): string | undefined {
  const made = page.endsWith('.md') && existsSync(join(root, page)) ? filesOf(page) : []
  for (const path of paths) {
    if (isPlaceholder(path) || path.includes('*') || path.includes('/build/') || made.includes(path)) continue
    const places = [join(root, path), join(root, dirname(page), path)]
    if (!places.some((place) => existsSync(place))) return `there is no ${path}`
  }
  return undefined
}
