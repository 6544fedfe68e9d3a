import {
  closure,
  compose,
  defineUnit,
  type Host,
  type HostPowers,
  openHostWith,
} from '@spectrum/unit-runtime'
import {
  type FakeHostOptions,
  fakeHostPowers,
  type ManualClock,
  manualClock,
  memoryFiles,
  memoryStore,
} from '@spectrum/unit-runtime/fake'
import { errAsync, ResultAsync } from 'neverthrow'
import { expect, it } from 'vitest'

const hello = `/nix/store/${'1'.repeat(32)}-hello`
const store = { [hello]: {} }
const places = { state: '/fake/state', cache: '/fake/cache' }
const graphOf = (name: string) =>
  compose({ unit: defineUnit(name, { store: closure(hello) }) })._unsafeUnwrap()

type Initramfs = HostPowers['guest']['initramfs']

/** A host whose units find that their kernel has no persistent memory; `onDisks` makes what boots from disks. */
async function opened(onDisks: (real: Initramfs) => Initramfs, options: Partial<FakeHostOptions> = {}) {
  const clock: ManualClock = manualClock()
  const files = memoryFiles()
  const powers = fakeHostPowers({ store, kernelLacks: 'dax', clock, files, ...options })
  const { initramfs } = powers.guest
  const forDisks = onDisks(initramfs)
  const guest: HostPowers['guest'] = {
    ...powers.guest,
    initramfs: (signal, needs) => (needs.transport === 'block' ? forDisks : initramfs)(signal, needs),
  }
  const host = (
    await openHostWith({ ...powers, guest }, places, { store: memoryStore(store) })
  )._unsafeUnwrap()
  return { host, clock, files }
}

/** Waits until it is let go, or its signal is aborted. */
function slowly(asked: AbortSignal[], letGo: Promise<unknown>): (real: Initramfs) => Initramfs {
  return (real) => (signal, needs) => {
    asked.push(signal)
    const aborted = new Promise<'aborted'>((resolve) =>
      signal.addEventListener('abort', () => resolve('aborted')),
    )
    const cause = { kind: 'aborted', message: 'Nobody waits.' } as const
    return ResultAsync.fromSafePromise<'go' | 'aborted'>(
      Promise.race([letGo.then(() => 'go' as const), aborted]),
    ).andThen((end) => (end === 'go' ? real(signal, needs) : errAsync(cause)))
  }
}

const transportOf = (host: Host, name: string) => host.units.get(name)?.store.transport

it('a start that is given up does not take the disks from another that waits for them too', async () => {
  const asked: AbortSignal[] = []
  let letGo = () => {}
  const gone = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const { host } = await opened(slowly(asked, gone))
  const impatient = new AbortController()
  const first = host.start(graphOf('first'), { signal: impatient.signal })
  await expect.poll(() => asked.length).toBe(1)
  const second = host.start(graphOf('second'))
  impatient.abort()
  expect((await first)._unsafeUnwrapErr()).toMatchObject({ kind: 'aborted', unit: 'first' })
  letGo()
  expect((await second).isOk()).toBe(true)
  expect(transportOf(host, 'second')).toBe('block')
  // Nobody finds it out a second time.
  expect((await host.start(graphOf('third'))).isOk()).toBe(true)
  expect(asked.length).toBe(1)
  await host.stop()
})

it('a start says why it could not have disks instead, and the next one tries again', async () => {
  let broken = true
  const message = 'The kernel has no driver for disks.'
  const { host } = await opened(
    (real) =>
      (...given) =>
        broken ? errAsync({ kind: 'kernel-lacks', feature: 'virtio_blk', message }) : real(...given),
  )
  const failed = await Promise.all([host.start(graphOf('one')), host.start(graphOf('other'))])
  for (const each of failed)
    expect(each._unsafeUnwrapErr()).toMatchObject({
      kind: 'kernel-lacks',
      feature: 'dax',
      message: expect.stringMatching(/lacks dax.* It cannot be given disks instead: .*no driver for disks/s),
    })
  broken = false
  expect((await host.start(graphOf('one'))).isOk()).toBe(true)
  expect(transportOf(host, 'one')).toBe('block')
  await host.stop()
})

it('what nobody finishes making is given up in time, or with its host, which leaves nothing', async () => {
  const asked: AbortSignal[] = []
  const { host, clock, files } = await opened(slowly(asked, new Promise(() => {})))
  const late = host.start(graphOf('unit'), { deadlineMs: 600_000 })
  await expect.poll(() => asked.length).toBe(1)
  clock.advance(60_000)
  expect((await late)._unsafeUnwrapErr()).toMatchObject({ kind: 'kernel-lacks', feature: 'dax' })
  const again = host.start(graphOf('unit'))
  await expect.poll(() => asked.length).toBe(2)
  await host.stop()
  expect((await again)._unsafeUnwrapErr().kind).toBe('aborted')
  expect(asked.every((signal) => signal.aborted)).toBe(true)
  expect(files.paths().filter((each) => each.includes('/hosts/'))).toEqual([])
})

it('units start from disks at once where the monitor has no persistent memory, whatever the kernel has', async () => {
  const asked: unknown[] = []
  const capabilities = { pmem: false, pmemHotplug: false, blockHotplug: false }
  const powers = fakeHostPowers({ store, capabilities })
  const { initramfs } = powers.guest
  const guest: HostPowers['guest'] = {
    ...powers.guest,
    initramfs: (signal, needs) => {
      asked.push(needs.transport)
      return initramfs(signal, needs)
    },
  }
  const options = { store: memoryStore(store) }
  const host = (await openHostWith({ ...powers, guest }, places, options))._unsafeUnwrap()
  expect(asked).toEqual(['pmem', 'block'])
  const unit = (await host.start(graphOf('far')))._unsafeUnwrap().unit
  expect([unit.store.transport, unit.injection]).toEqual(['block', 'none'])
  expect(asked).toEqual(['pmem', 'block'])
  await host.stop()
})

it('what boots units with volumes is made once for those that start together, and again where it failed', async () => {
  const made: string[] = []
  let broken = true
  const powers = fakeHostPowers({ store, clock: manualClock() })
  const guest: HostPowers['guest'] = {
    ...powers.guest,
    initramfs: (signal, needs) => {
      if (needs.volumes !== true) return powers.guest.initramfs(signal, needs)
      made.push(needs.transport ?? '')
      const cause = { kind: 'kernel-lacks', feature: 'ext4', message: 'It has no ext4.' } as const
      return broken ? errAsync(cause) : powers.guest.initramfs(signal, needs)
    },
  }
  const host = (
    await openHostWith({ ...powers, guest }, places, { store: memoryStore(store) })
  )._unsafeUnwrap()
  const volumes = { data: { path: '/data', sizeBytes: 16 << 20 } }
  const unit = (name: string) => defineUnit(name, { store: closure(hello), volumes })
  const graph = compose({ a: unit('a'), b: unit('b'), c: unit('c') })._unsafeUnwrap()
  expect((await host.start(graph))._unsafeUnwrapErr()).toMatchObject({ kind: 'kernel-lacks' })
  broken = false
  made.length = 0
  expect((await host.start(graph)).isOk()).toBe(true)
  expect(made).toEqual(['pmem'])
  await host.stop()
})
