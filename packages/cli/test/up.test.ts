import { type CommandPowers, type GraphFile, spectrum } from '@spectrum/cli'
import { printGraph } from '@spectrum/unit-graph'
import { bytes, closure, compose, defineService, defineUnit, fromHost } from '@spectrum/unit-runtime'
import { ok, okAsync, ResultAsync } from 'neverthrow'
import { describe, expect, it } from 'vitest'
import { KeptSink, powersWith } from './fakes.js'
import { graph, hello, hostsAt, hostsForUp } from './hosts.js'

const Log = defineService('org.example.log', { request: bytes() })
const calling = compose({ left: defineUnit('left', { store: closure(hello), needs: { log: Log } }) }).wire({
  left: { log: fromHost(Log, 'log') },
})

const files: Readonly<Record<string, GraphFile>> = {
  'graph.json': { kind: 'text', text: printGraph(graph) },
  'calling.ts': { kind: 'value', value: calling, services: { log: () => {} } },
  'missing.ts': { kind: 'value', value: calling },
  'wrong.ts': { kind: 'value', value: calling, services: { log: 'x' } },
  'no.json': { kind: 'text', text: '{}' },
}

async function start(
  file = 'graph.json',
  options: readonly string[] = [],
  over: Partial<CommandPowers> = {},
  host: Parameters<typeof hostsForUp>[0] = {},
) {
  const hosts = await hostsForUp(host)
  const readGraph = async (name: string) => files[name] ?? ({ kind: 'unreadable', message: 'none' } as const)
  const stdout = new KeptSink()
  const stderr = new KeptSink()
  const { powers, interrupt } = powersWith({ readGraph, openGraphHost: hosts.open, stdout, stderr, ...over })
  const ended = spectrum(['up', file, ...options], powers)
  return {
    ended,
    interrupt,
    hosts,
    stdout,
    stderr,
    [Symbol.asyncDispose]: () => hosts[Symbol.asyncDispose](),
  }
}

describe('spectrum up', () => {
  it('starts a graph, tells so, and ends in order with the first Ctrl-C', async () => {
    await using up = await start('graph.json', ['--grace', '2.5'])
    await expect.poll(() => up.stdout.text).toContain('ready: left, right; ')
    expect(up.stdout.text).toMatch(/^host 42 \(fake, none\)\n/)
    expect(up.stdout.text).toContain('left: starting\n')
    up.interrupt('SIGINT')
    expect(await up.ended).toBe(130)
    expect(up.hosts.stops).toEqual([2_500])
    expect(up.stdout.text).toMatch(/left: stopped\n/)
    expect(up.stderr.text).toBe('')
    expect(up.hosts.host?.units.size).toBe(0)
  })

  it('is an object a line for programs, each of a known form', async () => {
    await using up = await start('graph.json', ['--json'])
    await expect.poll(() => up.stdout.text).toContain('"ready"')
    up.interrupt('SIGTERM')
    expect(await up.ended).toBe(143)
    const told = up.stdout.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(told[0]).toEqual({
      event: 'host',
      pid: 42,
      directory: up.hosts.host?.directory,
      monitor: 'fake',
      accelerator: 'none',
      why: expect.any(String),
    })
    expect(told).toContainEqual({ event: 'unit', unit: 'left', state: 'running' })
    expect(told).toContainEqual({ event: 'ready', units: ['left', 'right'] })
    expect(told.at(-1)).toEqual({ event: 'end', status: 143 })
  })

  it('ends with 0 when somebody stops it, and tells that one', async () => {
    await using up = await start()
    await expect.poll(() => up.stdout.text).toContain('ready')
    const { powers } = powersWith({ hosts: hostsAt(up.hosts.socket) })
    expect(await spectrum(['stop'], powers)).toBe(0)
    expect(await up.ended).toBe(0)
  })

  it('ends with 0 when somebody stops it while its units still start', async () => {
    await using up = await start('graph.json', [], {}, { silent: () => true })
    await expect.poll(() => up.stdout.text).toContain('left: starting')
    const { powers } = powersWith({ hosts: hostsAt(up.hosts.socket) })
    expect(await spectrum(['stop'], powers)).toBe(0)
    expect([await up.ended, up.stderr.text]).toEqual([0, ''])
  })

  it('ends by itself with the last of its units, with 1 when one of them failed', async () => {
    await using up = await start()
    await expect.poll(() => up.stdout.text).toContain('ready')
    for (const unit of up.hosts.host!.units.values()) (await unit.stop({ graceMs: 0 }))._unsafeUnwrap()
    expect(await up.ended).toBe(0)
    await using failing = await start()
    await expect.poll(() => failing.stdout.text).toContain('ready')
    const { host } = failing.hosts
    host!.events.emit('unit-state', { unit: 'left', state: 'failed', why: 'it \x1b[2Jdied' })
    ;(await host!.units.get('right')!.stop({ graceMs: 0 }))._unsafeUnwrap()
    expect(await failing.ended).toBe(1)
    expect(failing.stdout.text).toContain('left: failed: it \\x1b[2Jdied\n')
  })

  it('ends at once with the second Ctrl-C', async () => {
    let stopping = false
    let ended = false
    await using up = await start('graph.json', [], {
      openGraphHost: ({ signal }) =>
        okAsync({
          pid: 1,
          directory: '/d',
          monitor: { kind: 'm', accelerator: 'a', why: 'w' },
          serve: () => ok({ stopped: new Promise<void>(() => {}), [Symbol.asyncDispose]: async () => {} }),
          start: () => okAsync(['left']),
          stop: () => {
            stopping = true
            // Its guests take as long as they like, until the host's signal ends them.
            return ResultAsync.fromSafePromise(
              new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
            )
          },
        }),
    })
    void up.ended.then(() => {
      ended = true
    })
    await expect.poll(() => up.stdout.text).toContain('ready')
    up.interrupt('SIGTERM')
    await expect.poll(() => stopping).toBe(true)
    await new Promise((resolve) => setImmediate(resolve))
    expect(ended).toBe(false)
    up.interrupt('SIGINT')
    expect(await up.ended).toBe(143)
  })

  it('gives the graph the functions that its file exports, and refuses one without them', async () => {
    await using up = await start('calling.ts')
    await expect.poll(() => up.stdout.text).toContain('ready: left;')
    up.interrupt('SIGINT')
    expect(await up.ended).toBe(130)
    await using missing = await start('missing.ts')
    expect(await missing.ended).toBe(125)
    expect(missing.stderr.text).toContain('"log" of the host program')
  })

  it.each([
    ['no.json', 2, 'holds no graph'],
    ['none.json', 2, 'cannot be read: none'],
    ['wrong.ts', 2, 'services that are no functions by name: log'],
  ])('ends for %s with %i', async (file, status, why) => {
    await using up = await start(file)
    expect(await up.ended).toBe(status)
    expect(up.stderr.text).toContain(why)
  })

  it('is refused without a file, or with two', async () => {
    expect(await spectrum(['up'], powersWith().powers)).toBe(2)
    expect(await spectrum(['up', 'a', 'b'], powersWith().powers)).toBe(2)
  })
})
