import { closure, compose, defineUnit, type HostError, type WaitOptions } from '@spectrum/unit-runtime'
import { type FakeHostOptions, manualClock } from '@spectrum/unit-runtime/fake'
import { err, errAsync, okAsync, ResultAsync } from 'neverthrow'
import { describe, expect, it } from 'vitest'
import { groupsOf } from '../src/board/groups.js'
import { MOST_LINES } from '../src/board/log-tail.js'
import { Notices } from '../src/board/notices.js'
import { boardOn, defineGraph, eventually, program, tool } from './hosts.js'

const clock = manualClock()
const allRun = ['mail running', 'vault running', 'worker running', 'sleeper dormant']

async function running(options: Partial<FakeHostOptions> = {}) {
  const board = await boardOn(clock, options)
  board.board.startAll()
  await eventually(board.states).toEqual(allRun)
  return board
}

describe('what a board shows', () => {
  it('has every unit of the graph before anything was started', async () => {
    await using at = await boardOn(clock)
    expect(at.states()).toEqual(allRun.map((each) => each.replace(/ .*/, ' not-started')))
    expect(at.unit('mail').may).toEqual({ start: true, stop: 'no', inject: [] })
  })

  it('has the wires, with where they go and on what conditions', async () => {
    await using at = await boardOn(clock)
    const none = { allowed: 0, refused: 0 }
    expect(at.board.snapshot().edges).toEqual([
      {
        ...{ unit: 'mail', need: 'sign', service: 'org.example.sign', ...none },
        provider: { kind: 'unit', name: 'vault' },
        conditions: ['at most 1 each minute'],
      },
      {
        ...{ unit: 'mail', need: 'other', service: 'org.example.sign', conditions: [], ...none },
        provider: { kind: 'unit', name: 'sleeper' },
      },
      { unit: 'mail', need: 'spare', service: 'org.example.sign', conditions: [], ...none },
      {
        ...{ unit: 'mail', need: 'note', service: 'org.example.note', conditions: [], ...none },
        provider: { kind: 'host', name: 'note' },
      },
    ])
  })

  it('counts the calls that were allowed and refused', async () => {
    await using at = await running()
    const mail = at.host.units.get('mail')!
    for (let call = 0; call < 3; call += 1) (await mail.exec([`${program}/bin/call`]))._unsafeUnwrap()
    const [sign] = at.board.snapshot().edges
    expect(sign).toMatchObject({ allowed: 1, refused: 2 })
  })

  it('says at once that something has changed, and has another revision then', async () => {
    await using at = await boardOn(clock)
    const seen: number[] = []
    using _watch = at.board.watch(() => seen.push(at.board.revision))
    at.board.startAll()
    await eventually(at.states).toEqual(allRun)
    expect(new Set(seen).size).toBeGreaterThan(4)
    expect(at.unit('worker')).toMatchObject({
      command: { argv: [`${program}/bin/work`, '--hard'], state: 'running' },
      software: [`${'1'.repeat(32)}-program`],
      paths: 1,
      may: { start: false, stop: 'yes', inject: ['debugger'] },
    })
  })

  it('keeps the newest lines of each unit, for who comes now and who has seen some', async () => {
    await using at = await running()
    const lines = (seen: number) =>
      at.board.linesAfter(new Map([['worker', seen]])).find(({ unit }) => unit === 'worker')?.lines ?? []
    await eventually(() => lines(0).map(({ text }) => text)).toContain('<b onclick="alert(1)">work</b>')
    const last = lines(0).at(-1)!.seq
    expect(lines(last)).toEqual([])
    for (let seq = last + 1; seq <= last + 100; seq += 1)
      at.events.emit('log', { unit: 'worker', seq, at: 0, source: 'stdout', text: `line ${seq}` })
    expect(lines(0)).toHaveLength(MOST_LINES)
    expect(lines(last + 99).map(({ text }) => text)).toEqual([`line ${last + 100}`])
  })

  it('reads the memory while somebody looks, and never otherwise', async () => {
    await using at = await running()
    let read = 0
    const sharing = at.host.sharing.bind(at.host)
    at.host.sharing = (options) => {
      read += 1
      return sharing(options)
    }
    const watch = at.board.watch(() => {})
    await eventually(() => read).toBe(1)
    const another = at.board.watch(() => {})
    const advanced = () => {
      clock.advance(2_000)
      return read
    }
    await eventually(advanced).toBeGreaterThan(1)
    expect(at.unit('worker').memoryBytes).toBe(0)
    watch[Symbol.dispose]()
    another[Symbol.dispose]()
    const before = read
    for (let turn = 0; turn < 20; turn += 1) {
      clock.advance(2_000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(read).toBe(before)
  })

  it('has the figures of the last time when they cannot be read, with why, and never because nobody looks', async () => {
    await using at = await running()
    const figures = { rssBytes: 3, pssBytes: 2, savedBytes: 1 }
    const answers = [
      () => okAsync({ ...figures, blobs: [], units: [], paths: [], proof: { kind: 'frames' as const } }),
      () => errAsync({ kind: 'host-closed' as const, message: 'It is gone.' }),
      ({ signal }: WaitOptions = {}) =>
        new ResultAsync<never, HostError>(
          new Promise((resolve) =>
            signal?.addEventListener('abort', () => resolve(err({ kind: 'aborted', message: 'Aborted.' }))),
          ),
        ),
    ]
    let asked = 0
    at.host.sharing = (options) => answers[asked++]!(options)
    const look = () => {
      clock.advance(2_000)
      return at.board.snapshot().memory
    }
    const watch = at.board.watch(() => {})
    await eventually(() => at.board.snapshot().memory).toEqual(figures)
    await eventually(look).toEqual({ ...figures, problem: 'It is gone.' })
    await eventually(() => look() && asked).toBe(3)
    watch[Symbol.dispose]()
    await new Promise((resolve) => setImmediate(resolve))
    expect(at.board.snapshot().memory.problem).toBe('It is gone.')
  })

  it('has units of other graphs as long as they are there', async () => {
    await using at = await running()
    const graph = compose({ guest: defineUnit('guest', { store: closure(program) }) })._unsafeUnwrap()
    const { guest } = (await at.host.start(graph))._unsafeUnwrap()
    expect(at.states()).toEqual([...allRun, 'guest running'])
    expect(at.unit('guest').may).toEqual({ start: false, stop: 'yes', inject: ['debugger'] })
    await guest.stop()
    await eventually(at.states).toEqual(allRun)
    await eventually(() => at.board.linesAfter(new Map()).map(({ unit }) => unit)).not.toContain('guest')
  })
})

describe('what can be done from a board', () => {
  it('stops a unit, and says so', async () => {
    await using at = await running()
    const notice = at.board.command('worker', { kind: 'stop', now: false })._unsafeUnwrap()
    await eventually(() => at.unit('worker')).toMatchObject({
      state: 'stopped',
      may: { start: true, stop: 'no' },
    })
    await eventually(() => at.board.snapshot().notices.find(({ id }) => id === notice)).toMatchObject({
      unit: 'worker',
      action: 'stop',
      state: 'done',
    })
  })

  it('starts it again', async () => {
    await using at = await running()
    at.board.command('worker', { kind: 'stop', now: true })._unsafeUnwrap()
    await eventually(() => at.unit('worker').may.start).toBe(true)
    const start = () => at.board.command('worker', { kind: 'start' })
    start()._unsafeUnwrap()
    expect(start()._unsafeUnwrapErr().kind).toBe('not-now')
    await eventually(at.states).toEqual(allRun)
    expect(start()._unsafeUnwrapErr().kind).toBe('not-now')
  })

  it('wakes a unit that sleeps', async () => {
    await using at = await running()
    expect(at.unit('sleeper').may.start).toBe(true)
    at.board.command('sleeper', { kind: 'start' })._unsafeUnwrap()
    await eventually(() => at.unit('sleeper').state).toBe('running')
  })

  it('starts what is wired together only together', async () => {
    await using at = await running()
    at.board.command('vault', { kind: 'stop', now: true })._unsafeUnwrap()
    await eventually(() => at.unit('vault').state).toBe('stopped')
    await eventually(() => at.unit('vault').hint).toContain('Stop "mail", "sleeper" first')
    expect(at.board.command('vault', { kind: 'start' })._unsafeUnwrapErr()).toMatchObject({
      kind: 'not-now',
      message: expect.stringContaining('"mail"'),
    })
    for (const unit of ['mail', 'sleeper'])
      at.board.command(unit, { kind: 'stop', now: true })._unsafeUnwrap()
    await eventually(() => at.unit('vault').may.start).toBe(true)
    at.board.command('vault', { kind: 'start' })._unsafeUnwrap()
    await eventually(at.states).toEqual(allRun)
  })

  it('adds software that is offered, once, and nothing else', async () => {
    await using at = await running()
    const { board } = at
    const inject = (name: string) => board.command('worker', { kind: 'inject', software: name })
    expect(inject(tool)._unsafeUnwrapErr().kind).toBe('unknown-software')
    expect(inject('toString')._unsafeUnwrapErr().kind).toBe('unknown-software')
    inject('debugger')._unsafeUnwrap()
    expect(inject('debugger')._unsafeUnwrapErr().kind).toBe('not-now')
    await eventually(() => at.unit('worker')).toMatchObject({
      injected: [`${'2'.repeat(32)}-tool`],
      paths: 2,
      may: { inject: [] },
    })
    expect(at.unit('mail').injected).toEqual([])
    await eventually(() => board.snapshot().notices.at(-1)?.text).toContain('has debugger now: 1 store paths')
  })

  it('tells why a start has failed', async () => {
    await using at = await boardOn(clock, { programs: {} })
    at.board.command('worker', { kind: 'start' })._unsafeUnwrap()
    await eventually(() => at.board.snapshot().notices).toMatchObject([
      { unit: 'worker', state: 'failed', text: expect.stringContaining('worker') },
    ])
    await eventually(() => at.unit('worker')).toMatchObject({ state: 'failed', may: { start: true } })
  })

  it('shows a unit that has died, with why', async () => {
    await using at = await running()
    at.guests.get('worker')!.crash()
    await eventually(() => at.unit('worker')).toMatchObject({
      state: 'failed',
      why: expect.stringContaining('died'),
      may: { start: true },
    })
  })

  it('refuses what cannot be done now', async () => {
    await using at = await boardOn(clock)
    const kinds = (['start', 'stop', 'inject'] as const).map((kind) =>
      at.board
        .command('nobody', { kind, now: false, software: 'debugger' } as never)
        .match(String, (error) => error.kind),
    )
    expect(kinds).toEqual(Array(3).fill('unknown-unit'))
    const later = [
      at.board.command('worker', { kind: 'stop', now: true }),
      at.board.command('worker', { kind: 'inject', software: 'debugger' }),
    ].map((refused) => refused._unsafeUnwrapErr().kind)
    expect(later).toEqual(['not-now', 'not-now'])
  })

  it('ends the grace of a stop, which two may ask for and no more', async () => {
    await using at = await running({ programs: { [`${program}/bin/work`]: () => new Promise(() => {}) } })
    const stop = (now: boolean) =>
      at.board.command('worker', { kind: 'stop', now }).match(
        () => 'begun',
        ({ kind }) => kind,
      )
    const asked = [stop(false), stop(false), stop(true), stop(true)]
    expect(asked).toEqual(['begun', 'not-now', 'begun', 'not-now'])
    await eventually(() => at.unit('worker').state).toBe('stopped')
  })

  it('begins nothing when it is closed, and ends what it has begun', async () => {
    const at = await boardOn(clock, { silent: () => true })
    at.board.startAll()
    await eventually(() => at.unit('worker').state).toBe('starting')
    await at.board[Symbol.asyncDispose]()
    expect(at.board.command('worker', { kind: 'start' })._unsafeUnwrapErr().kind).toBe('closing')
    expect(at.board.snapshot().notices.map(({ state }) => state)).not.toContain('under-way')
    const events = ['unit-state', 'command', 'log', 'call'] as const
    expect(events.map((event) => at.events.listenerCount(event))).toEqual([0, 0, 0, 0])
    await at[Symbol.asyncDispose]()
  })
})

describe('what was asked for', () => {
  it('is remembered while it is under way, and of the rest the newest', () => {
    const notices = new Notices()
    const slow = notices.begin('worker', 'stop', 'stopping')
    for (let turn = 0; turn < 40; turn += 1)
      notices.end(notices.begin('mail', 'inject', 'being given'), 'done', `${turn}`)
    expect(notices.list).toHaveLength(12)
    expect(notices.list[0]).toMatchObject({ id: slow, state: 'under-way' })
    expect(notices.list.at(-1)).toMatchObject({ id: 41, state: 'done', text: '39' })
    expect([notices.underWay('worker', 'stop'), notices.underWay('mail', 'inject')]).toEqual([1, 0])
    notices.end(slow, 'failed', 'it hangs')
    expect(notices.list).toHaveLength(12)
    const many = Array.from({ length: 30 }, (_, at) => notices.begin(`unit-${at}`, 'start', 'starting'))
    expect(notices.list.map(({ id }) => id)).toEqual(many)
  })
})

describe('a graph taken apart', () => {
  it('falls into pieces where no wire and no shared fate holds it', () => {
    expect(groupsOf(defineGraph()).map(({ units }) => units)).toEqual([
      ['mail', 'vault', 'sleeper'],
      ['worker'],
    ])
    const unit = (name: string, diesWith?: string[]) =>
      defineUnit(name, { store: closure(program), ...(diesWith && { diesWith }) })
    const fates = compose({ a: unit('one'), b: unit('two', ['three']), c: unit('three') })._unsafeUnwrap()
    expect(groupsOf(fates).map(({ units }) => units)).toEqual([['one'], ['two', 'three']])
  })

  it('keeps its wires, and their conditions', () => {
    const graph = defineGraph()
    const wires = groupsOf(graph).flatMap((group) => group.graph.wires)
    expect(wires).toEqual(graph.wires)
  })
})
