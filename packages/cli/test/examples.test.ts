import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

interface Example {
  readonly name: string
  readonly program: string
  readonly debian: readonly string[]
  readonly setup: string
  readonly unattended: readonly string[]
}
const setup = new URL('../setup/', import.meta.url)
const root = fileURLToPath(new URL('../../../', import.meta.url))
const { findExamples, stepsFor }: FoundBy = await import(new URL('examples.mjs', setup).href)
interface FoundBy {
  findExamples(directory?: string): readonly Example[]
  stepsFor(example: Partial<Example>): readonly { readonly name: string; missing(): readonly unknown[] }[]
}

describe('the examples', () => {
  it.each(findExamples().map((example) => [example.name, example] as const))(
    '%s: its README begins with the command, and its set-up is known',
    (name, example) => {
      const readme = readFileSync(join(root, 'examples', name, 'README.md'), 'utf8')
      const command = name === 'demo' ? 'npm run demo' : `npm run example -- ${name}`
      const [, first] = /```(?:sh|console)\n(.*)\n/.exec(readme) ?? []
      expect(name.startsWith('kvm-') ? readme : first).toContain(command)
      expect(['runtime', 'tests']).toContain(example.setup)
      expect(() => stepsFor(example).map((step) => step.missing())).not.toThrow()
      expect(example.unattended.every((word) => typeof word === 'string')).toBe(true)
    },
  )

  it('are the folders with a program to start, and what one says of itself holds', () => {
    const directory = mkdtempSync(join(tmpdir(), 'examples-'))
    const write = (path: string, text: string) => {
      mkdirSync(dirname(join(directory, path)), { recursive: true })
      writeFileSync(join(directory, path), text)
    }
    try {
      write('b-plain/package.json', '{}')
      write('b-plain/src/main.ts', '')
      write('a-special/package.json', '{"example":{"start":"src/other.ts","unattended":["--once"]}}')
      write('a-special/src/other.ts', '')
      write('shared/package.json', '{}')
      write('shared/src/shared.ts', '')
      write('unfinished/src/main.ts', '')
      expect(findExamples(directory)).toEqual([
        {
          name: 'a-special',
          program: join(directory, 'a-special/src/other.ts'),
          debian: [],
          setup: 'runtime',
          unattended: ['--once'],
        },
        {
          name: 'b-plain',
          program: join(directory, 'b-plain/src/main.ts'),
          debian: [],
          setup: 'runtime',
          unattended: [],
        },
      ])
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('a package that nobody declared is a mistake', () => {
    expect(() => stepsFor({ debian: ['gdb', 'no-such-thing'], setup: 'runtime' })).toThrow('no-such-thing')
  })

  it.each(['example.mjs', 'examples-all.mjs'])('%s knows no example of another name', (script) => {
    const argv = [fileURLToPath(new URL(script, setup)), 'no-such-example']
    const ran = spawnSync(process.execPath, argv, {
      encoding: 'utf8',
      timeout: 60_000,
      killSignal: 'SIGKILL',
    })
    expect(ran.status).toBe(2)
    expect(ran.stderr).toMatch(/hello-unit|no-such-example/)
  })
})
