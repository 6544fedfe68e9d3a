import { describe, expect, it } from 'vitest'
import { type Block, blocksOf, docstringsOf, inlineCode, pages, sources, textOf } from './blocks.js'
import { problemOfJson } from './data.js'
import { entries, errorKinds } from './error-kinds.js'
import { commandsOf, problemOf, wordsOf } from './shell.js'
import { type Complaint, complaintsOf, programOf, typeCheck } from './type-check.js'

const inDocstrings = sources().flatMap((source) => blocksOf(source, docstringsOf(source)))
const blocks = [...pages().flatMap((page) => blocksOf(page)), ...inDocstrings]
const place = ({ page, line }: Block) => `${page}:${line}`

/** What a block may be written in, and who looks at it. What is `text` is a drawing or what a program prints. */
const languages = ['ts', 'json', 'sh', 'console', 'text', 'mermaid']

/** A block that is not held against anything says so to its readers, in its first line, and why. */
const exemption = /^(?:\/\/|#) Not checked: \S.{10,}/
const checked = blocks.filter(({ text }) => !exemption.test(text))

function problemsOfCommands(some: readonly Block[]): string[] {
  return some
    .filter(({ language }) => language === 'sh' || language === 'console')
    .flatMap((block) =>
      commandsOf(block).flatMap(({ line, words }) => {
        const problem = problemOf(words, block.page)
        return problem === undefined ? [] : [`${block.page}:${line}: ${problem}`]
      }),
    )
}

/** A block that others go on from is checked with each of them; what is wrong with it is said once. */
const lines = (some: readonly Complaint[]) => [
  ...new Set(some.map(({ place, message }) => `${place}: ${message}`)),
]

const typed = (some: readonly Block[]) => some.filter(({ language }) => language === 'ts')

describe('the code on the pages of the project', () => {
  // Made by the first test that wants it: what it takes counts for that one.
  let made: ReturnType<typeof programOf> | undefined
  const all = () => {
    made ??= programOf(typed(checked), entries)
    return made
  }
  const program = () => all().program
  const modules = () => all().modules

  it('says what each block is written in', () => {
    const strange = blocks.filter(({ language }) => !languages.includes(language))
    expect(strange.map((block) => `${place(block)}: "${block.language}"`)).toEqual([])
  })

  it('has a TypeScript block in the README of every package', () => {
    const shown = new Set(blocks.filter(({ language }) => language === 'ts').map(({ page }) => page))
    const readmes = pages().filter((page) => /^packages\/[^/]+\/README\.md$/.test(page))
    expect(readmes).toHaveLength(10)
    expect(readmes.filter((page) => !shown.has(page))).toEqual([])
  })

  it('has an example in the docstrings of every package, and in each a block that is checked', () => {
    const shown = new Set(inDocstrings.map(({ page }) => page.split('/')[1]))
    expect([...shown].sort()).toEqual([...new Set(sources().map((source) => source.split('/')[1]))].sort())
    const bare = sources().flatMap((source) => {
      const lines = docstringsOf(source).split('\n')
      return lines.flatMap((line, at) =>
        line.startsWith('@example') && lines[at + 1] !== '```ts' ? [`${source}:${at + 1}`] : [],
      )
    })
    expect(bare).toEqual([])
  })

  it('type-checks every TypeScript block against the sources', { timeout: 180_000 }, () => {
    expect(lines(complaintsOf(program(), modules()))).toEqual([])
  })

  it('tells every kind of error, each with the types that have it', { timeout: 180_000 }, () => {
    const rows = textOf('docs/guides/troubleshooting.md').matchAll(
      /^\| `([a-z0-9-]+)` +\| ([^|]+) \| *(\S[^|]*)\|$/gm,
    )
    const told = [...rows].map(([, kind, types]) => `${kind}: ${types!.replaceAll(/[` ]/g, '')}`)
    const real = [...errorKinds(program())].map(([kind, types]) => `${kind}: ${[...types].sort().join(',')}`)
    expect(told.sort()).toEqual(real.sort())
    expect(real.length).toBeGreaterThan(100)
  })

  it('names scripts, files, programs and options that exist in every shell block', () => {
    expect(problemsOfCommands(checked)).toEqual([])
  })

  it('names such ones between the lines, too', () => {
    const problems = pages().flatMap((page) =>
      inlineCode(textOf(page)).flatMap(({ line, text }) => {
        if (!/^(npm run|npx|spectrum|spectrum-wayland) /.test(text)) return []
        const words = wordsOf(text)
        // Without options it is the name of a command, not a whole one.
        if (/^spectrum/.test(text) && words.length === 2) words.push('--help')
        const problem = problemOf(words, page)
        return problem === undefined ? [] : [`${page}:${line}: ${problem}`]
      }),
    )
    expect(problems).toEqual([])
  })

  it('has JSON that parses, and policies and graphs that are ones', () => {
    const problems = checked.flatMap((block) => {
      const problem = block.language === 'json' ? problemOfJson(block) : undefined
      return problem === undefined ? [] : [`${place(block)}: ${problem}`]
    })
    expect(problems).toEqual([])
  })

  it('shows commands in blocks with a language, where they are looked at', () => {
    const indented = pages().flatMap((page) =>
      textOf(page)
        .split('\n')
        .flatMap((line, at) =>
          /^ {4}(npm|npx|node|spectrum|[A-Z_]+=\S+ np[mx]) /.test(line) ? [`${page}:${at + 1}`] : [],
        ),
    )
    const fenced = new Set(
      blocks.flatMap(({ page, line, text }) => text.split('\n').map((_, at) => `${page}:${line + at + 1}`)),
    )
    expect(indented.filter((line) => !fenced.has(line))).toEqual([])
  })
})

describe('the checks of the code on pages', () => {
  const page = (markdown: string) => blocksOf('docs/example.md', markdown)
  const ts = (code: string) => `\`\`\`ts\n${code}\n\`\`\`\n`
  const sh = (code: string) => `\`\`\`sh\n${code}\n\`\`\`\n`

  it('find a wrong type, a wrong name and a wrong import, each with its line', { timeout: 180_000 }, () => {
    const found = lines(
      typeCheck(
        typed(
          page(
            [
              ts("const count: number = 'three'"),
              ts("import { openHose } from '@spectrum/unit-runtime'"),
              `<!-- given\ndeclare const few: string\n-->\n${ts('few.toUpperCase()\nfew.toUpper()')}`,
              `<!-- continues -->\n${ts('few.length')}`,
            ].join('\n'),
          ),
        ),
      ),
    )
    expect(found).toEqual([
      expect.stringMatching(/^docs\/example\.md:2: Type 'string'/),
      expect.stringMatching(/^docs\/example\.md:6: .*openHose/),
      expect.stringMatching(/^docs\/example\.md:14: .*toUpper/),
    ])
  })

  it('find what is wrong with an example in a docstring, at its line in the source', {
    timeout: 180_000,
  }, () => {
    const source = [
      'const notMine = `',
      '/** Adds.',
      ' *',
      ' * @example',
      ' * ```ts',
      " * const sum: number = 'three'",
      ' * ```',
      ' */',
      'export const add = 1',
    ].join('\n')
    const found = blocksOf('docs/example.ts', docstringsOf('docs/example.ts', source))
    expect(lines(typeCheck(found))).toEqual([expect.stringMatching(/^docs\/example\.ts:6: Type 'string'/)])
  })

  it('find commands, scripts, options, files and measurements that are not there', () => {
    const wrong = [
      'npm run tset',
      'npm run bench -- sart --json',
      'npm run lab -- s390x -- true',
      'npm run lab x86_64',
      'npx tsx --tsconfig tsconfig.base.json examples/nothing/src/main.ts',
      'npx prettier .',
      'spectrum rum',
      'spectrum run --closure /nix/store/x --memroy 5 -- /bin/sh',
      'spectrum-wayland --listen /run/x',
      'frobnicate',
    ]
    expect(problemsOfCommands(page(sh(wrong.join('\n'))))).toHaveLength(wrong.length)
  })

  it('take commands with environments, comments, quotes and continued lines as a shell does', () => {
    const right = [
      'A=b npm run bench -- start --json # so long',
      "npm run lab -- x86_64 -- sh -c 'a; b'",
      'spectrum \\',
      '  doctor --json',
    ]
    expect(problemsOfCommands(page(sh(right.join('\n'))))).toEqual([])
  })

  it('look only at what stands behind a prompt where a block shows what is printed', () => {
    expect(problemsOfCommands(page('```console\n$ npm run demo\nfrobnicate\n```\n'))).toEqual([])
  })

  it('refuse a policy that its reader refuses, and a reader that there is not', () => {
    const [bad, strange] = page(
      '```json trust-policy\n{"version":1,"need":-1}\n```\n\n```json polciy\n{}\n```\n',
    )
    expect(problemOfJson(bad!)).toBeDefined()
    expect(problemOfJson(strange!)).toMatch(/"polciy" is read by nothing/)
  })
})
