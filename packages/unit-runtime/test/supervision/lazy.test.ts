import {
  bytes,
  type CallEvent,
  closure,
  compose,
  defineService,
  defineUnit,
  type RestartPolicy,
  revocable,
  until,
} from '@spectrum/unit-runtime'
import type { FakeHostOptions, FakeProgram } from '@spectrum/unit-runtime/fake'
import { describe, expect, it } from 'vitest'
import { program, settle, type Watched, watchedHost } from './watched-host.js'

const Echo = defineService('test.echo', { request: bytes(), response: bytes() })

const call: FakeProgram = async ({ argv, connect, stdout }) => {
  const socket = connect('/run/spectrum/services/echo')
  await socket.write(argv[1]!).catch(() => {})
  socket.end()
  for await (const chunk of socket.incoming) await stdout.write(chunk)
  return 0
}
const echo: FakeProgram = async ({ stdin, stdout }) => {
  for await (const chunk of stdin) await stdout.write(chunk)
  return 0
}
const programs = { [`${program}/bin/call`]: call, [`${program}/bin/echo`]: echo }

function graphOf(restart?: RestartPolicy, attenuate = revocable('echo')) {
  const server = defineUnit('server', {
    store: closure(program),
    start: 'lazy',
    restart,
    provides: { echo: Echo.command([`${program}/bin/echo`]) },
  })
  const client = defineUnit('client', { store: closure(program), needs: { echo: Echo } })
  return compose({ client, server })
    .wire({ client: { echo: server.provides.echo.with(attenuate) } })
    ._unsafeUnwrap()
}

async function started(options: Partial<FakeHostOptions> = {}, graph = graphOf()) {
  const watched = await watchedHost({ programs, ...options })
  const calls: CallEvent[] = []
  watched.events.on('call', (event) => calls.push(event))
  const units = (await watched.host.start(graph))._unsafeUnwrap()
  const ask = async (word: string) => {
    const ran = await units.client.exec([`${program}/bin/call`, word])
    return ran.map(({ stdout }) => new TextDecoder().decode(stdout)).unwrapOr('(no client)')
  }
  return { ...watched, ...units, watched, calls, ask, refusals: () => refusals(calls) }
}

const refusals = (calls: readonly CallEvent[]) =>
  calls.flatMap((event) => (event.kind === 'refused' ? [`${event.refusal}: ${event.message}`] : []))

async function stopped({ watched }: { readonly watched: Watched }) {
  await watched[Symbol.asyncDispose]()
}

describe('a lazy unit', () => {
  it('comes up for whoever hears that it sleeps and starts it at once', async () => {
    const told = await watchedHost({ programs })
    const ups: Promise<boolean>[] = []
    told.events.on('unit-state', ({ unit, state }) => {
      if (state === 'dormant' && ups.length < 2)
        ups.push(Promise.resolve(told.host.units.get(unit)!.start()).then((up) => up.isOk()))
    })
    ;(await told.host.start(graphOf({ when: 'always', backoffMs: 0 })))._unsafeUnwrap()
    expect(await ups[0]).toBe(true)
    told.guest('server').crash()
    await told.reached('server', 'backing-off')
    await settle()
    told.clock.advance(0)
    await settle()
    expect(await Promise.race([ups[1], settle().then(() => 'still asleep')])).toBe(true)
    await stopped({ watched: told })
  })

  it('sleeps when its graph has started, in its place, and has no machine', async () => {
    const at = await started()
    expect([...at.host.units.keys()]).toEqual(['client', 'server'])
    expect([at.server.state, at.machines('server')]).toEqual(['dormant', 0])
    expect([at.server.boot, at.server.dax, at.server.processes]).toEqual([undefined, undefined, []])
    expect(at.server.closure.paths.map(({ path }) => path)).toEqual([program])
    expect((await at.server.exec(['/x']))._unsafeUnwrapErr()).toMatchObject({
      kind: 'unit-not-running',
      state: 'dormant',
      message: expect.stringContaining('start()'),
    })
    await stopped(at)
    expect(await at.server.ended).toEqual({
      state: 'stopped',
      exit: { kind: 'never-started' },
      graceful: true,
    })
  })

  it('is started by its first call, which is answered; and once by many at the same time', async () => {
    const at = await started()
    const words = ['one', 'two', 'three', 'four']
    expect(await Promise.all(words.map((word) => at.ask(word)))).toEqual(words)
    expect(at.machines('server')).toBe(1)
    expect(at.history('server')).toEqual(['server dormant', 'server starting', 'server running'])
    expect(at.server.restarts).toBe(0)
    await stopped(at)
  })

  it('is not started by a call that is refused', async () => {
    const at = await started({}, graphOf(undefined, until(0)))
    at.clock.advance(1)
    expect(await at.ask('x')).toBe('')
    expect(at.calls.map((event) => event.kind === 'refused' && event.refusal)).toEqual(['attenuated'])
    expect(at.machines('server')).toBe(0)
    await stopped(at)
  })

  it('is started by hand, and again has no effect', async () => {
    const at = await started()
    const both = await Promise.all([at.server.start(), at.server.start()])
    expect(both.every((each) => each.isOk())).toBe(true)
    expect((await at.server.start()).isOk()).toBe(true)
    expect(at.machines('server')).toBe(1)
    await stopped(at)
  })

  it('that cannot start ends each call that waits, with why', async () => {
    const at = await started({
      startup: ({ name }) =>
        name === 'server' ? { kind: 'dies', code: 1, lines: ['bad disk'] } : { kind: 'connects' },
    })
    expect(await Promise.all([at.ask('a'), at.ask('b')])).toEqual(['', ''])
    expect(at.refusals()).toHaveLength(2)
    for (const refusal of at.refusals()) expect(refusal).toMatch(/^provider-not-started: .*bad disk/s)
    expect(at.server.state).toBe('failed')
    // It stays down: from now on it is simply not there.
    expect(await at.ask('c')).toBe('')
    expect(at.refusals().at(-1)).toMatch(/^provider-absent/)
    await stopped(at)
  })

  it('that dies while a call waits ends the call, and sleeps again where its policy lets it', async () => {
    const at = await started({}, graphOf({ when: 'on-failure', backoffMs: 50 }))
    let deaths = 0
    at.events.on('step', ({ unit, step }) => {
      if (unit === 'server' && step === 'machine-started' && deaths++ === 0) at.guest('server').crash()
    })
    const asked = at.ask('a')
    expect(await asked).toBe('')
    expect(at.refusals()).toEqual([expect.stringMatching(/^provider-not-started: .*died/s)])
    // A call during the pause waits for its end.
    const again = at.ask('b')
    await settle()
    expect(at.machines('server')).toBe(1)
    at.clock.advance(50)
    expect(await again).toBe('b')
    at.guest('server').crash()
    await at.reached('server', 'backing-off', 2)
    await settle()
    at.clock.advance(100)
    await at.reached('server', 'dormant', 2)
    await settle()
    expect(at.machines('server')).toBe(2)
    expect(await at.ask('c')).toBe('c')
    await stopped(at)
  })

  it('that takes too long ends the call at its deadline, and not the start', async () => {
    const at = await started({ silent: (unit) => unit === 'server' })
    const asked = at.ask('a')
    await at.reached('server', 'starting')
    await settle()
    at.clock.advance(59_999)
    await settle()
    expect(at.refusals()).toEqual([])
    at.clock.advance(1)
    expect(await asked).toBe('')
    expect(at.refusals()).toEqual(['provider-not-started: server was not up within 60000 ms.'])
    expect(at.server.state).toBe('starting')
    await stopped(at)
  })

  it('lets so many calls wait, and no more', async () => {
    const at = await started({ silent: (unit) => unit === 'server', callLimits: { waiting: 2 } })
    const asked = [at.ask('a'), at.ask('b'), at.ask('c')]
    await expect.poll(at.refusals).toEqual([expect.stringMatching(/^busy: .*wait for this provider/)])
    await at.host.stop({ graceMs: 0 })
    await Promise.all(asked)
    expect(at.host.units.size).toBe(0)
  })

  it('does not keep a call waiting whose caller has gone', async () => {
    const at = await started({ silent: (unit) => unit === 'server' })
    const asked = at.ask('a')
    await at.reached('server', 'starting')
    await settle()
    at.guest('client').crash()
    await asked
    await expect.poll(at.refusals).toEqual([expect.stringMatching(/^caller-gone/)])
    await stopped(at)
  })

  it('does not answer a call whose edge is revoked while it waits', async () => {
    const at = await started({ silent: (unit) => unit === 'server' })
    const asked = at.ask('a')
    await at.reached('server', 'starting')
    await settle()
    expect(at.host.revokeGrant('echo')).toBe(1)
    expect(await asked).toBe('')
    expect(at.refusals()).toEqual([expect.stringMatching(/^attenuated: .*revoked/)])
    await stopped(at)
  })

  it('is stopped while a call waits, and the call with it', async () => {
    const at = await started({ silent: (unit) => unit === 'server' })
    const asked = at.ask('a')
    await at.reached('server', 'starting')
    await settle()
    expect((await at.server.stop())._unsafeUnwrap().state).toBe('stopped')
    expect(await asked).toBe('')
    expect(at.refusals()).toEqual([expect.stringMatching(/^provider-not-started/)])
    await stopped(at)
  })
})

it('a call that is open when its provider dies ends with a reason, and the next one meets the new machine', async () => {
  const at = await started(
    {
      programs: {
        ...programs,
        [`${program}/bin/echo`]: async ({ stdin, stdout }) => {
          for await (const chunk of stdin) {
            if (new TextDecoder().decode(chunk) === 'hang') await new Promise(() => {})
            await stdout.write(chunk)
          }
          return 0
        },
      },
    },
    graphOf({ when: 'always', backoffMs: 5 }),
  )
  const open = at.ask('hang')
  await expect.poll(() => at.calls.map(({ kind }) => kind)).toEqual(['allowed'])
  await settle()
  at.guest('server').crash()
  expect(await open).toBe('')
  await expect.poll(() => at.calls.at(-1)).toMatchObject({ kind: 'ended', end: { kind: 'provider-failed' } })
  await at.reached('server', 'backing-off')
  const next = at.ask('word')
  await settle()
  at.clock.advance(5)
  expect(await next).toBe('word')
  await stopped(at)
})
