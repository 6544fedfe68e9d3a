import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type GraphFile, spectrum } from '@spectrum/cli'
import {
  absent,
  ask,
  bytes,
  closure,
  compose,
  defineService,
  defineUnit,
  fromHost,
  printGraph,
  until,
} from '@spectrum/unit-graph'
import { afterAll, describe, expect, it } from 'vitest'
import { readGraphFile } from '../src/linux/graph-file.js'
import { KeptSink, powersWith } from './fakes.js'

const store = closure('/nix/store/00000000000000000000000000000000-hello')
const Sign = defineService('org.example.sign', { request: bytes(), response: bytes() })
const Log = defineService('org.example.log', { request: bytes() })
const vault = defineUnit('vault', {
  store,
  needs: { log: Log },
  provides: { sign: Sign.command(['/bin/sign']) },
})
const mail = defineUnit('mail', { store, needs: { sign: Sign, spare: Sign.optional() } })
const alone = defineUnit('alone', { store })

const before = compose({ vault, mail, alone }).wire({
  vault: { log: fromHost(Log, 'log') },
  mail: { sign: vault.provides.sign.with(ask(), until(1000)), spare: absent },
})
const after = compose({ vault, mail }).wire({
  vault: { log: fromHost(Log, 'log') },
  mail: { sign: vault.provides.sign.with(ask()), spare: absent },
})

const files: Readonly<Record<string, GraphFile>> = {
  'before.json': { kind: 'text', text: printGraph(before._unsafeUnwrap()) },
  'after.js': { kind: 'value', value: after },
  'no.json': { kind: 'text', text: '{"kind":"\u001b[2J"}' },
  'nothing.js': { kind: 'value', value: undefined },
  'fault.js': { kind: 'value', value: compose({ vault, mail }).wire({} as never) },
}

async function asked(...words: readonly string[]) {
  const [stdout, stderr] = [new KeptSink(), new KeptSink()]
  const { powers } = powersWith({
    stdout,
    stderr,
    readGraph: async (file) => files[file] ?? { kind: 'unreadable', message: 'no such file' },
    timeOfDay: () => 2000,
  })
  const status = await spectrum(words, powers)
  return { status, out: stdout.text, complaint: stderr.text }
}

describe('a question about a graph', () => {
  it('who may call what is a table, with what the engine says right now', async () => {
    const { status, out } = await asked('graph', 'before.json')
    expect(status).toBe(0)
    expect(out.split('\n')[1]).toMatch(/^vault\.log +org\.example\.log +host:log +allowed/)
    expect(out.split('\n')[2]).toMatch(
      /^mail\.sign +org\.example\.sign +vault\.sign +refused +asks each time; until /,
    )
  })

  it.each([
    ['mermaid', /^flowchart LR\n/],
    ['json', /^\{\n {2}"kind": "graph"/],
    ['genode-xml', /<config/],
    ['genode-hid', /^config/],
  ])('a graph is printed as %s', async (form, expected) => {
    const { status, out } = await asked('graph', 'before.json', '--as', form)
    expect([status, out]).toEqual([0, expect.stringMatching(expected)])
  })

  it('how one unit reaches another: directly, by a chain, or not at all', async () => {
    expect(await asked('explain', 'before.json', 'mail', 'vault')).toMatchObject({
      status: 0,
      out: expect.stringContaining('asks each time'),
    })
    expect(await asked('explain', 'before.json', 'mail', 'host:log')).toMatchObject({
      status: 0,
      out: expect.stringMatching(/by a chain:\ncaller[\s\S]*\nmail\.sign[\s\S]*\nvault\.log/),
    })
    expect(await asked('explain', 'before.json', 'vault', 'mail')).toMatchObject({
      status: 1,
      out: 'Nothing leads there.\n',
    })
    expect(await asked('explain', 'before.json', 'mail', 'vaul')).toMatchObject({
      status: 2,
      complaint: 'spectrum: there is no unit "vaul"; there are: vault, mail, alone\n',
    })
  })

  it('who may call a service', async () => {
    expect(await asked('who-can', 'before.json', 'org.example.sign')).toMatchObject({
      status: 0,
      out: expect.stringContaining('mail.sign'),
    })
    expect(await asked('who-can', 'before.json', 'org.example.sing')).toMatchObject({
      status: 1,
      out: 'Nobody may.\n',
    })
  })

  it('all that a unit may do', async () => {
    const { out } = await asked('authority', 'before.json', 'vault')
    expect(out).toContain(`vault sees ${store.roots[0]}`)
    expect(out).toMatch(/It may call:\n[\s\S]*vault\.log[\s\S]*It may be called by:\n[\s\S]*mail\.sign/)
    expect(out).toContain('Through others it can reach: host:log.')
    const { out: lonely } = await asked('authority', 'before.json', 'alone')
    expect(lonely).toContain('It may call nobody.')
    expect(lonely).toContain('can reach: nothing.')
  })

  it('what changes: more authority is marked with +, less with -', async () => {
    const changed = await asked('diff', 'before.json', 'after.js')
    expect(changed.status).toBe(1)
    expect(changed.out.split('\n')).toEqual([
      '- unit alone',
      expect.stringMatching(
        /^\+ mail\.sign calls vault\.sign \(asks each time\), before: vault\.sign \(.*until .*\)$/,
      ),
      '',
    ])
    expect(await asked('diff', 'before.json', 'before.json')).toEqual({ status: 0, out: '', complaint: '' })
  })

  it('is answered as one JSON object, too', async () => {
    const { out } = await asked('explain', 'before.json', 'mail', 'vault', '--json')
    expect(JSON.parse(out).direct[0]).toMatchObject({
      consumer: 'mail',
      provider: 'vault',
      outcome: 'refused',
    })
    expect(JSON.parse((await asked('who-can', 'before.json', 'x', '--json')).out)).toEqual({ callers: [] })
    expect(JSON.parse((await asked('authority', 'before.json', 'mail', '--json')).out).absent).toEqual([
      'spare',
    ])
    expect(JSON.parse((await asked('diff', 'before.json', 'after.js', '--json')).out).changes).toHaveLength(2)
  })

  it.each([
    ['no.json', 'holds no graph'],
    ['nothing.js', 'export a graph'],
    ['fault.js', 'holds no graph'],
    ['none.json', 'cannot be read: no such file'],
  ])('about %s gets a complaint that cannot command the terminal, and status 2', async (file, why) => {
    const { status, out, complaint } = await asked('graph', file)
    expect([status, out]).toEqual([2, ''])
    expect(complaint).toContain(why)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
    expect(complaint).not.toMatch(/[\x00-\x09\x0b-\x1f]/)
  })

  it.each([
    [['graph'], 'spectrum graph FILE'],
    [['graph', 'a', 'b'], 'spectrum graph FILE'],
    [['graph', 'a', '--as', 'png'], 'table, mermaid, json'],
    [['graph', 'a', '--json'], '--json'],
    [['explain', 'a', 'b'], 'spectrum explain FILE FROM TO'],
    [['diff', 'a', ''], 'spectrum diff BEFORE AFTER'],
  ])('that is put as %j is refused', async (words, why) => {
    const { status, complaint } = await asked(...words)
    expect(status).toBe(2)
    expect(complaint).toContain(why)
    expect(complaint).toContain(`Try: spectrum ${words[0]} --help`)
  })
})

describe('a file with a graph', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'graph-file-'))
  afterAll(() => rm(directory, { recursive: true }))
  const written = async (name: string, text: string) => {
    await writeFile(join(directory, name), text)
    return join(directory, name)
  }

  it('is text, or what a module exports by default, of either kind of module', async () => {
    const json = await written('graph.json', '{}')
    expect(await readGraphFile(json)).toEqual({ kind: 'text', text: '{}' })
    const module = await written('graph.mjs', 'export default { kind: "graph" }')
    expect(await readGraphFile(module)).toEqual({ kind: 'value', value: { kind: 'graph' } })
    const common = await written('graph.cjs', 'exports.__esModule = true; exports.default = 7')
    expect(await readGraphFile(common)).toEqual({ kind: 'value', value: 7 })
  })

  it('may be a TypeScript module, with all of the language, its neighbours and this command’s own packages', async () => {
    await written('kinds.ts', 'export enum Kind { Left = "left" }\nexport type Name = string\n')
    const file = await written(
      'graph.ts',
      `import { closure, compose, defineUnit, type Graph } from '@spectrum/unit-graph'
import { Kind, type Name } from './kinds.js'
const name: Name = await Promise.resolve(Kind.Left)
export const services = { log: (): void => {} }
export default compose({ left: defineUnit(name, { store: closure('/nix/store/x') }) }) satisfies unknown
export type { Graph }
`,
    )
    // The sources, which are never older than the test.
    const own = fileURLToPath(new URL('../../unit-graph/src/index.ts', import.meta.url))
    const found = await readGraphFile(file, { '@spectrum/unit-graph': own })
    expect(found).toMatchObject({ kind: 'value', services: { log: expect.any(Function) } })
    const value = (found as { value: ReturnType<typeof compose> }).value
    expect(JSON.stringify(value)).toContain('"name":"left"')
    const common = await written('graph.cts', 'const kind: string = "graph"\nexport = { kind }\n')
    expect(await readGraphFile(common)).toMatchObject({ kind: 'value', value: { kind: 'graph' } })
    const broken = await written('broken.ts', 'export default {')
    expect(await readGraphFile(broken)).toMatchObject({ kind: 'unreadable' })
  })

  it('that is not there, or fails, is unreadable for a reason', async () => {
    expect(await readGraphFile(join(directory, 'none.json'))).toMatchObject({
      kind: 'unreadable',
      message: expect.stringContaining('no such file'),
    })
    const failing = await written('failing.mjs', 'throw new Error("it is broken")')
    expect(await readGraphFile(failing)).toEqual({ kind: 'unreadable', message: 'it is broken' })
  })
})
