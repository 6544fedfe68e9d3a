/**
 * The real host over fakes of the monitor, the agent and the store: a whole graph in milliseconds.
 *
 * @packageDocumentation
 */

import { connectAgent } from '@spectrum/guest-agent'
import type { FakeProgram, FakeUnit } from '@spectrum/guest-agent/fake'
import type { Clock } from '@spectrum/unit-monitor'
import { type FakeGuest, type FakeScript, fakeMonitor } from '@spectrum/unit-monitor/fake'
import { okAsync, type ResultAsync } from 'neverthrow'
import type { HostError } from './errors.js'
import { FakeGuests } from './fake/fake-guest.js'
import { fakeViewPower, type ViewAnswer } from './fake/fake-view.js'
import { type ManualClock, manualClock } from './fake/manual-clock.js'
import { type MemoryFiles, memoryFiles } from './fake/memory-files.js'
import { memoryGroups } from './fake/memory-groups.js'
import { type FakeStorePaths, memoryBlobCache, memoryStore, memoryStoreFiles } from './fake/memory-store.js'
import { type MemoryVolumes, memoryVolumes } from './fake/memory-volumes.js'
import type { Host } from './host.js'
import type { ResourcePowers } from './limits/resource-powers.js'
import { type HostOptions, openHostWith } from './open-host.js'
import type { HostPowers } from './powers.js'

export {
  type FakeAgentChannel,
  type FakeExit,
  type FakeListener,
  type FakeProcess,
  type FakeProgram,
  type FakeSocket,
  type FakeStoreRequest,
  type FakeUnit,
  fakeAgentChannel,
} from '@spectrum/guest-agent/fake'
export {
  type FakeGuest,
  type FakeScript,
  type FakeStartup,
  fakeMonitor,
} from '@spectrum/unit-monitor/fake'
export type { ViewAnswer } from './fake/fake-view.js'
export { type ManualClock, manualClock } from './fake/manual-clock.js'
export { type MemoryFiles, memoryFiles } from './fake/memory-files.js'
export { type MemoryGroups, memoryGroups } from './fake/memory-groups.js'
export {
  type FakeStorePaths,
  type MemoryBlobCache,
  memoryBlobCache,
  memoryStore,
} from './fake/memory-store.js'
export { type MemoryVolumes, memoryVolumes } from './fake/memory-volumes.js'
export { type ScriptedPrompter, scriptedPrompter } from './fake/scripted-prompter.js'

/** What commands do, by absolute path in the unit. */
export type FakePrograms = Readonly<Record<string, FakeProgram>>

/** A host in memory: its store, its programs and how its monitor and units behave. */
export interface FakeHostOptions extends Omit<HostOptions, 'store'> {
  /** The store paths that exist, with what they reference. */
  readonly store: FakeStorePaths
  /**
   * What commands do, by absolute path in the unit: the same in all units, or by the unit's name. A path below
   * `/nix/store` needs its store path to be there.
   */
  readonly programs?: FakePrograms | ((unit: string) => FakePrograms) | undefined
  /** Units whose guest boots and never answers. */
  readonly silent?: ((unit: string) => boolean) | undefined
  /** Hands you the guest of every machine that comes to run, to let it crash or power off: `guest.machine.name` is its unit. */
  readonly onGuest?: ((guest: FakeGuest) => void) | undefined
  /** What the monitor does when it is started; by default it connects. */
  readonly startup?: FakeScript['startup']
  /** What becomes of a device that is added; `works` by default. */
  readonly hotplug?: FakeScript['hotplug']
  /** Contents of files in the store, by absolute path; only what looks into them sees them. */
  readonly storeFiles?: Readonly<Record<string, Uint8Array>> | undefined
  /** What a view's server answers when it is told to show or to hide a name; it obeys by default. */
  readonly onView?: ViewAnswer | undefined
  /** What a unit does about a request to change its store; it obeys by default. */
  readonly onStoreRequest?: FakeUnit['onStoreRequest']
  /** What the monitor can do, where it differs from the fake's. */
  readonly capabilities?: FakeScript['capabilities']
  /** How large each blob pretends to be; a multiple of 2 MiB, which is the default. */
  readonly blobBytes?: number | undefined
  /** What the kernel of the units has not, as `kernel-lacks` names it: found by a unit that runs. */
  readonly kernelLacks?: string | undefined
  /** By default control groups in memory, which take everything. */
  readonly resources?: ResourcePowers | undefined
  /** By default new ones, in memory. Pass one to several hosts to share them. */
  readonly volumes?: MemoryVolumes | undefined
  /** By default a clock that stands still, so that no deadline passes by accident. */
  readonly clock?: Clock | undefined
  /** By default a new one. Pass one to look at what the host writes, or to let writing fail. */
  readonly files?: MemoryFiles | undefined
}

/** When the clock of a fake host began: 2030-01-01, as guests take no time for theirs that is long past. */
const EPOCH_MS = 1_893_456_000_000

/**
 * A host without virtual machines, processes and files, for testing a whole graph in milliseconds. It is the
 * real host, over the fakes of the monitor, the agent and the store.
 *
 * @example
 * ```ts
 * import { closure, compose, defineUnit } from '@spectrum/unit-runtime'
 * import { openFakeHost } from '@spectrum/unit-runtime/fake'
 *
 * const tool = '/nix/store/00000000000000000000000000000000-tool'
 * const graph = compose({ mine: defineUnit('mine', { store: closure(tool) }) })._unsafeUnwrap()
 * const opened = await openFakeHost({
 *   store: { [tool]: {} },
 *   programs: {
 *     [`${tool}/bin/greet`]: async ({ argv, stdout }) => {
 *       await stdout.write(`hello ${argv[1]}`)
 *       return 0
 *     },
 *   },
 * })
 * await using host = opened._unsafeUnwrap()
 * const { mine } = (await host.start(graph))._unsafeUnwrap()
 * const run = (await mine.exec([`${tool}/bin/greet`, 'you']))._unsafeUnwrap()
 * console.log(new TextDecoder().decode(run.stdout)) // hello you
 * ```
 */
export function openFakeHost(options: FakeHostOptions): ResultAsync<Host, HostError> {
  const places = { state: '/fake/state', cache: '/fake/cache' }
  return openHostWith(fakeHostPowers(options), places, { ...options, store: memoryStore(options.store) })
}

/** The powers of a fake host, to exchange some of them. */
export function fakeHostPowers(options: FakeHostOptions): HostPowers {
  const clock: Clock | ManualClock = options.clock ?? manualClock()
  const cache = memoryBlobCache(options.blobBytes)
  const { startup, hotplug, capabilities, programs = {} } = options
  const volumes = options.volumes ?? memoryVolumes()
  const guests = new FakeGuests(
    clock,
    cache,
    typeof programs === 'function' ? programs : () => programs,
    options.silent ?? (() => false),
    options.onStoreRequest,
    options.kernelLacks,
    (path) => volumes.contents(path),
  )
  const monitor = fakeMonitor(
    { clock },
    {
      guest: (guest) => {
        options.onGuest?.(guest)
        return guests.run(guest)
      },
      startup,
      capabilities,
      hotplug(device) {
        const outcome = hotplug?.(device) ?? 'works'
        if (outcome === 'works') guests.plug(device)
        return outcome
      },
    },
  )
  let random = 0
  const nothing = () => Promise.reject(new Error('a fake host starts no process and opens no socket'))
  return {
    clock,
    epochMs: () => EPOCH_MS + clock.now(),
    files: options.files ?? memoryFiles(),
    processTable: {
      self: { pid: 1000, startTime: '1' },
      bootId: '00000000-0000-4000-8000-000000000000',
      identify: async (pid) => (pid === 1000 ? { pid, startTime: '1' } : undefined),
      marked: async () => [],
      kill: async () => 'gone',
    },
    resources: options.resources ?? memoryGroups(),
    openVolume: volumes.open,
    randomHex(bytes) {
      random += 1
      return random.toString(16).padStart(bytes * 2, '0')
    },
    monitorPowers: { clock, processes: { spawn: nothing }, sockets: { listen: nothing } },
    guest: { kernel: '/fake/vmlinuz', initramfs: () => okAsync(new Uint8Array([1])) },
    connectAgent,
    chooseMonitor() {
      const considered = [
        { monitor: 'fake', accelerator: 'none', verdict: 'works', reason: 'a fake' },
      ] as const
      return okAsync({ monitor, why: 'a fake host has no other', considered })
    },
    storeFiles: memoryStoreFiles(options.storeFiles ?? {}),
    viewPower: () => fakeViewPower(guests, options.onView ?? (() => 'works')),
    openBlobCache: () => okAsync(cache),
    measureSharing: () =>
      okAsync({
        ...{ rssBytes: 0, pssBytes: 0, savedBytes: 0 },
        ...{ blobs: [], units: [], paths: [] },
        proof: { kind: 'not-permitted', message: 'A fake unit has no memory.' },
      }),
  }
}
