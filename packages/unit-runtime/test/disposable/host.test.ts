import {
  ask,
  bytes,
  type CallEvent,
  closure,
  compose,
  defineService,
  defineUnit,
  fromHost,
  type Host,
  newHostEmitter,
  once,
  openHostWith,
  type Unit,
} from '@spectrum/unit-runtime'
import {
  type FakeHostOptions,
  type FakePrograms,
  fakeHostPowers,
  memoryFiles,
  memoryStore,
  openFakeHost,
  scriptedPrompter,
} from '@spectrum/unit-runtime/fake'
import { describe, expect, it } from 'vitest'

const tool = '/nix/store/00000000000000000000000000000000-tool'
const store = closure(tool)
const Sign = defineService('test.sign', { request: bytes(), response: bytes() })
const Other = defineService('test.other')
const vault = defineUnit('vault', { store, provides: { sign: Sign.command([`${tool}/bin/sign`]) } })
const plain = defineUnit('plain', { store })
const signer = defineUnit('signer', { store, needs: { sign: Sign } })
const vaults = () => compose({ vault })._unsafeUnwrap()

const programs = (unit: string): FakePrograms => ({
  async [`${tool}/bin/sign`]({ stdin, stdout, env }) {
    for await (const chunk of stdin) await stdout.write(chunk)
    await stdout.write(` signed by ${unit} for ${env['SPECTRUM_CALLER']}`)
    return 0
  },
  async [`${tool}/bin/call`]({ connect, stdout }) {
    const sign = connect('/run/spectrum/services/sign')
    await sign.write('letter')
    sign.end()
    for await (const chunk of sign.incoming) await stdout.write(chunk)
    return 0
  },
  async [`${tool}/bin/name`]({ stdout }) {
    await stdout.write(unit)
    return 0
  },
})

const open = async (options: Partial<FakeHostOptions> = {}) =>
  (await openFakeHost({ store: { [tool]: {} }, programs, ...options }))._unsafeUnwrap()
const run = (program: string) => async (unit: Unit) =>
  new TextDecoder().decode((await unit.exec([`${tool}/bin/${program}`]))._unsafeUnwrap().stdout)
const statesOf = (host: Host) => [...host.units.values()].map(({ name, state }) => `${name} ${state}`)
const nothing = { processes: [], sockets: [], mounts: [], files: [] }

describe('a host lends disposables', () => {
  it('that are units like all others while they live, and leave nothing', async () => {
    await using host = await open()
    const seen = await host.disposable(plain, async (unit) => [await run('name')(unit), statesOf(host)])
    expect(seen._unsafeUnwrap()).toEqual(['plain-1', ['plain-1 running']])
    expect(statesOf(host)).toEqual([])
    await host.stop()
    expect((await host.leftovers())._unsafeUnwrap()).toEqual(nothing)
  })

  it('from the pool, where they stand still and answer nothing until they are wanted', async () => {
    await using host = await open({ disposables: { waiting: 1 } })
    expect((await host.prepareDisposables(plain))._unsafeUnwrap()).toBe(1)
    const [waiting] = host.units.values()
    expect(statesOf(host)).toEqual(['plain-1 paused'])
    const refused = await waiting!.exec([`${tool}/bin/name`])
    expect(refused._unsafeUnwrapErr()).toMatchObject({ kind: 'unit-not-running', state: 'paused' })
    expect((await host.disposable(plain, run('name')))._unsafeUnwrap()).toBe('plain-1')
    await expect.poll(() => statesOf(host)).toEqual(['plain-2 paused'])
    expect(waiting!.state).toBe('stopped')
  })

  it('whose kernels do not stand still whenever a command is put into its group', async () => {
    const given: (readonly string[])[] = []
    await using host = await open({ onGuest: ({ machine }) => given.push(machine.kernelParameters) })
    await host.disposable(plain, run('name'))
    expect(given).toEqual([['rcupdate.rcu_expedited=1']])
  })

  it('which are told the time and given entropy before anybody has them, after they stood still', async () => {
    const told: string[] = []
    const powers = fakeHostPowers({ store: { [tool]: {} }, programs })
    const connectAgent: typeof powers.connectAgent = (...given) =>
      powers.connectAgent(...given).map((agent) => {
        const setClock: typeof agent.setClock = (epochMs, options) => {
          told.push(`clock ${epochMs === powers.epochMs()}`)
          return agent.setClock(epochMs, options)
        }
        const addEntropy: typeof agent.addEntropy = (bytes, options) => {
          told.push(`entropy ${bytes.length}`)
          return agent.addEntropy(bytes, options)
        }
        return new Proxy(agent, {
          get: (_, key) => {
            if (key === 'setClock') return setClock
            if (key === 'addEntropy') return addEntropy
            const value: unknown = Reflect.get(agent, key)
            return typeof value === 'function' ? value.bind(agent) : value
          },
        })
      })
    const places = { state: '/fake/state', cache: '/fake/cache' }
    const options = { store: memoryStore({ [tool]: {} }) }
    await using host = (await openHostWith({ ...powers, connectAgent }, places, options))._unsafeUnwrap()
    await host.disposable(plain, () => {})
    expect(told).toEqual([])
    await host.prepareDisposables(plain)
    const seen = await host.disposable(plain, () => [...told])
    expect(seen._unsafeUnwrap()).toEqual(['entropy 32', 'clock true'])
  })

  it('with what their template is granted: a unit that runs signs for them, and only when it is asked', async () => {
    const events = newHostEmitter()
    const calls: CallEvent[] = []
    events.on('call', (event) => calls.push(event))
    const prompter = scriptedPrompter(({ unit }) => (unit === 'signer-2' ? 'deny' : 'allow'))
    await using host = await open({ events, prompter, disposables: { waiting: 1 } })
    const wires = { sign: vault.provides.sign.with(ask()) }
    const early = await host.disposable(signer, run('call'), { wires })
    expect(early._unsafeUnwrapErr()).toMatchObject({ kind: 'invalid-request', field: 'wires' })
    ;(await host.start(vaults()))._unsafeUnwrap()
    const said = await host.disposable(signer, run('call'), { wires })
    expect(said._unsafeUnwrap()).toBe('letter signed by vault for signer-1')
    await expect.poll(() => statesOf(host)).toEqual(['vault running', 'signer-2 paused'])
    // The second comes from the pool, and is told no.
    expect((await host.disposable(signer, run('call'), { wires }))._unsafeUnwrap()).toBe('')
    expect(prompter.asked.map(({ unit, provider }) => `${unit} ${provider}`)).toEqual([
      'signer-1 vault',
      'signer-2 vault',
    ])
    expect(calls.map(({ kind, unit }) => `${kind} ${unit}`)).toEqual([
      'allowed signer-1',
      'ended signer-1',
      'refused signer-2',
    ])
  })

  it('and none with volumes: the next of its name would have what this one kept', async () => {
    await using host = await open()
    const keeper = defineUnit('keeper', { store, volumes: { data: { path: '/data', sizeBytes: 2 ** 24 } } })
    expect((await host.disposable(keeper, run('name')))._unsafeUnwrapErr()).toMatchObject({
      kind: 'invalid-request',
      field: 'volumes',
    })
    expect((await host.prepareDisposables(keeper))._unsafeUnwrapErr()).toMatchObject({ field: 'volumes' })
    expect(statesOf(host)).toEqual([])
  })

  it('and none whose needs are not wired, which does not compile either', async () => {
    await using host = await open()
    // @ts-expect-error: a template with needs is lent with wires
    const unwired = await host.disposable(signer, run('call'))
    expect(unwired._unsafeUnwrapErr()).toMatchObject({ kind: 'invalid-request' })
    // @ts-expect-error: of the service that it needs
    const wrong = await host.disposable(signer, run('call'), { wires: { sign: fromHost(Other, 'other') } })
    expect(wrong._unsafeUnwrapErr()).toMatchObject({ kind: 'invalid-request' })
  })

  it('each with a count of its own, and none beyond it', async () => {
    await using host = await open()
    ;(await host.start(vaults()))._unsafeUnwrap()
    const wires = { sign: vault.provides.sign.with(once()) }
    for (const name of ['signer-1', 'signer-2']) {
      const said = await host.disposable(
        signer,
        async (unit) => [await run('call')(unit), await run('call')(unit)],
        { wires },
      )
      expect(said._unsafeUnwrap()).toEqual([`letter signed by vault for ${name}`, ''])
    }
  })

  it('whose calls find the provider that runs now, if it is the same, and no other of its name', async () => {
    await using host = await open()
    const wires = { sign: vault.provides.sign }
    const first = (await host.start(vaults()))._unsafeUnwrap().vault
    const said = await host.disposable(
      signer,
      async (unit) => {
        const answers = [await run('call')(unit)]
        await first.stop()
        answers.push(await run('call')(unit))
        const again = (await host.start(vaults()))._unsafeUnwrap().vault
        answers.push(await run('call')(unit))
        await again.stop()
        const impostor = defineUnit('vault', {
          store,
          provides: { sign: Sign.command([`${tool}/bin/name`]) },
        })
        await host.start(compose({ impostor })._unsafeUnwrap())
        answers.push(await run('call')(unit))
        return answers
      },
      { wires },
    )
    const signed = 'letter signed by vault for signer-1'
    expect(said._unsafeUnwrap()).toEqual([signed, '', signed, ''])
  })

  it('none any more once it is being stopped, and ends those that wait and those that are lent', async () => {
    const host = await open({ disposables: { waiting: 1 } })
    ;(await host.prepareDisposables(plain, { count: 2 }))._unsafeUnwrap()
    let lent = () => {}
    const begun = new Promise<void>((resolve) => {
      lent = resolve
    })
    const use = host.disposable(plain, (_, signal) => {
      lent()
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve('taken')))
    })
    await begun
    expect(statesOf(host)).toEqual(['plain-1 running', 'plain-2 paused'])
    expect((await host.stop()).isOk()).toBe(true)
    expect((await use)._unsafeUnwrapErr().kind).toBe('aborted')
    expect(statesOf(host)).toEqual([])
    expect((await host.leftovers())._unsafeUnwrap()).toEqual(nothing)
    const late = await host.disposable(plain, run('name'))
    expect(late._unsafeUnwrapErr().kind).toMatch(/host-closed|aborted/)
  })

  it('and keeps nothing of those that are gone, however many there were', async () => {
    const files = memoryFiles()
    await using host = await open({ files })
    await host.disposable(plain, run('name'))
    const paths = files.paths()
    for (let times = 0; times < 5; times++) await host.disposable(plain, run('name'))
    expect(files.paths()).toEqual(paths)
  })

  it('and refuses limits that mean nothing', async () => {
    for (const disposables of [
      { waiting: -1 },
      { memoryBytes: 0.5 },
      { refills: 0 },
      { mostWaiting: Number.NaN },
    ]) {
      const error = (await openFakeHost({ store: {}, disposables }))._unsafeUnwrapErr()
      expect(error).toMatchObject({ kind: 'invalid-request', field: 'disposables' })
    }
  })
})
