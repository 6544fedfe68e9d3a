/**
 * The real powers of a host: this machine.
 *
 * @packageDocumentation
 */

import { randomBytes } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { connectAgent } from '@spectrum/guest-agent'
import { type GuestKernelError, initramfsFor, readGuestKernel } from '@spectrum/guest-agent/linux'
import { openBlobCache, openView, readSharing } from '@spectrum/store-share/linux'
import {
  type ChosenMonitor,
  chooseMonitor,
  crosvmMonitor,
  type MonitorCandidate,
  type MonitorPowers,
  type QemuArchitecture,
  qemuBinary,
  qemuMonitor,
  type RequiredCapability,
} from '@spectrum/unit-monitor'
import { linuxCrosvmPowers, linuxKvmProbe, linuxPowers } from '@spectrum/unit-monitor/linux'
import { err, ok, type Result, ResultAsync } from 'neverthrow'
import type { HostError } from './errors.js'
import type { Host } from './host.js'
import type { HostPlaces } from './host-directory.js'
import { faultOfArchitecture, kernelOfAnother, noKvmFor, ownArchitecture } from './linux/architecture.js'
import { findCrosvm } from './linux/find-crosvm.js'
import { findGuestKernel, type GuestKernelFiles } from './linux/find-guest-kernel.js'
import { linuxHostFiles } from './linux/host-files.js'
import { defaultPlaces } from './linux/places.js'
import { linuxProcessTable } from './linux/process-table.js'
import { linuxResources } from './linux/resource-groups.js'
import { linuxStoreFiles } from './linux/store-files.js'
import { verdictFiles } from './linux/verdict-files.js'
import { linuxVolumes } from './linux/volumes.js'
import { type HostOptions, openHostWith } from './open-host.js'
import type { GuestBoot, HostPowers, TrialPlace } from './powers.js'

export { nixStore } from '@spectrum/store-share/linux'
export { findGuestKernel, type GuestKernelFiles } from './linux/find-guest-kernel.js'
export { lookForGroupsRoot } from './linux/groups-root.js'
export { defaultPlaces, type Environment } from './linux/places.js'
export { type NoTerminal, openTerminal } from './linux/terminal.js'
export { findForeignParts, machineArchitecture, type UnitParts } from './linux/unit-parts.js'

/** As `HostOptions`, with what is particular to this machine. */
export interface LinuxHostOptions extends HostOptions {
  /**
   * What the units' programs are compiled for. Default: this machine's own. Units of another run on QEMU with software
   * emulation (`virt` for aarch64, `pseries` for powerpc64le) and read their store from disks, which share nothing.
   */
  readonly architecture?: QemuArchitecture | undefined
  /** Default: `SPECTRUM_KERNEL` with `SPECTRUM_KERNEL_MODULES`, else what the set-up keeps in the cache. */
  readonly kernel?: GuestKernelFiles | undefined
  /** Use this accelerator or fail. Default: `SPECTRUM_ACCELERATOR`, else whichever works, KVM first. */
  readonly accelerator?: 'kvm' | 'emulation' | undefined
  /** Absolute path. Default: `$XDG_STATE_HOME/spectrum`, else `~/.local/state/spectrum`. */
  readonly stateDirectory?: string | undefined
  /** Absolute path. Default: `$XDG_CACHE_HOME/spectrum`, else `~/.cache/spectrum`. */
  readonly cacheDirectory?: string | undefined
}

/**
 * Opens a host on this machine. What this program may do by itself is all given away here and nowhere else.
 *
 * @example
 * ```ts
 * import { closure, compose, defineUnit, nixStore, openHost } from '@spectrum/unit-runtime'
 *
 * const hello = '/nix/store/…-hello-2.12'
 * const graph = compose({ mine: defineUnit('mine', { store: closure(hello) }) })._unsafeUnwrap()
 * const opened = await openHost({ store: nixStore() })
 * if (opened.isErr()) throw new Error(opened.error.message) // kind: kernel-missing, monitor-failed …
 * await using host = opened.value
 * const { mine } = (await host.start(graph))._unsafeUnwrap()
 * const run = (await mine.exec([`${hello}/bin/hello`], { deadlineMs: 10_000 }))._unsafeUnwrap()
 * console.log(run.outcome, new TextDecoder().decode(run.stdout))
 * ```
 */
export function openHost(options: LinuxHostOptions): ResultAsync<Host, HostError> {
  return new ResultAsync(open(options))
}

async function open(options: LinuxHostOptions): Promise<Result<Host, HostError>> {
  const defaults = defaultPlaces(process.env)
  const places: HostPlaces = {
    state: options.stateDirectory ?? defaults.state,
    cache: options.cacheDirectory ?? defaults.cache,
  }
  const own = ownArchitecture(process.arch)
  const architecture = options.architecture ?? own
  const foreign = architecture === own ? undefined : architecture
  const wrong = faultOfArchitecture(architecture)
  if (wrong !== undefined) return err(wrong)
  const accelerator = readAccelerator(options.accelerator ?? process.env['SPECTRUM_ACCELERATOR'])
  if (accelerator.isErr()) return err(accelerator.error)
  if (foreign !== undefined && accelerator.value === 'kvm') return err(noKvmFor(foreign, own))
  const kernel = await findGuestKernel(process.env, defaults.cache, options.kernel, foreign)
  if (kernel.isErr()) return err(kernel.error)
  const requires = REQUIRED[String(options.injection ?? false) as keyof typeof REQUIRED]
  const powers = linuxHostPowers(places, kernel.value, accelerator.value, requires, architecture)
  return openHostWith(powers, places, options)
}

/** Which monitors are passed over, by the option `injection`. */
const REQUIRED: Readonly<Record<'true' | 'false' | 'devices' | 'view', readonly RequiredCapability[]>> = {
  true: ['injection'],
  false: [],
  devices: ['pmemHotplug'],
  view: ['view'],
}

/** The real powers of a host on this machine. Nothing is opened or started by making them. */
export function linuxHostPowers(
  places: HostPlaces,
  kernel: GuestKernelFiles,
  accelerator: 'kvm' | 'emulation' | undefined,
  requires: readonly RequiredCapability[] = [],
  architecture: QemuArchitecture = ownArchitecture(process.arch),
): HostPowers {
  const monitorPowers = linuxPowers()
  return {
    clock: monitorPowers.clock,
    epochMs: () => Date.now(),
    files: linuxHostFiles,
    processTable: linuxProcessTable(),
    resources: linuxResources,
    openVolume: linuxVolumes,
    randomHex: (bytes) => randomBytes(bytes).toString('hex'),
    monitorPowers,
    guest: guestBoot(kernel, architecture),
    connectAgent,
    chooseMonitor: (powers, place, signal) =>
      ResultAsync.fromSafePromise(findMonitors(place, architecture)).andThen((found) =>
        choose(powers, place, signal, places, found, accelerator, requires),
      ),
    storeFiles: linuxStoreFiles,
    viewPower: (processes) => (request) => openView({ ...request, processes }),
    openBlobCache: (store, temporaryDirectory) =>
      openBlobCache(`${places.cache}/blobs`, { temporaryDirectory, locate: (path) => store.locate(path) }),
    measureSharing: (units, signal) => readSharing(units, { signal }),
  }
}

function guestBoot(files: GuestKernelFiles, architecture: QemuArchitecture): GuestBoot {
  return {
    kernel: files.image,
    initramfs: (signal, needs) =>
      readGuestKernel({ ...files, needs, architecture }, { signal })
        .mapErr(kernelFailed)
        .andThen((kernel) =>
          kernel.architecture === architecture
            ? initramfsFor(kernel).mapErr(kernelFailed)
            : err(kernelOfAnother(files, kernel.architecture, architecture)),
        ),
  }
}

function kernelFailed(cause: GuestKernelError): HostError {
  const { message } = cause
  if (cause.kind === 'kernel-lacks') return { kind: 'kernel-lacks', message, feature: cause.feature }
  if (cause.kind === 'aborted') return { kind: 'aborted', message }
  if (cause.kind === 'timed-out') return { kind: 'timed-out', message, step: 'guest-kernel', lastLines: [] }
  return { kind: 'kernel-unusable', message, cause }
}

interface FoundMonitors {
  readonly identity: string
  /** Absent for the units of another architecture: it has KVM and nothing else. */
  readonly crosvm: string | undefined
  readonly architecture: QemuArchitecture
}

/**
 * crosvm where there is one, then QEMU, both with KVM where the guest kernel really boots on it; else QEMU with
 * software emulation.
 */
function choose(
  powers: MonitorPowers,
  place: TrialPlace,
  signal: AbortSignal,
  places: HostPlaces,
  { identity, crosvm, architecture }: FoundMonitors,
  forced: 'kvm' | 'emulation' | undefined,
  requires: readonly RequiredCapability[],
): ReturnType<HostPowers['chooseMonitor']> {
  const isForeign = architecture !== ownArchitecture(process.arch)
  const possible = isForeign ? (['emulation'] as const) : (['kvm', 'emulation'] as const)
  const accelerators = forced === undefined ? possible : [forced]
  const qemu = accelerators.map((accelerator) => ({
    monitor: qemuMonitor(powers, { accelerator, architecture }),
    identity,
  }))
  return chooseMonitor(
    powers,
    [...(forced === 'emulation' ? [] : crosvmCandidates(powers, crosvm, identity)), ...qemu],
    { identity, machine: () => trialMachine(place) },
    {
      signal,
      requires,
      kvm: linuxKvmProbe,
      cache: verdictFiles(`${places.cache}/monitors`, place.unfinished),
    },
  ) satisfies ResultAsync<ChosenMonitor, unknown>
}

function crosvmCandidates(
  powers: MonitorPowers,
  binary: string | undefined,
  identity: string,
): readonly MonitorCandidate[] {
  if (binary === undefined) return []
  // Without the native part of unix-fd nobody could speak to crosvm.
  return linuxCrosvmPowers(powers).match(
    (more) => [{ monitor: crosvmMonitor(more, { binary }), identity }],
    () => [],
  )
}

async function trialMachine(place: TrialPlace) {
  const directory = await place.directory()
  const { kernel, initramfs } = place
  const description = {
    name: 'trial',
    kernel,
    initramfs,
    kernelParameters: [],
    memoryBytes: 256 * 1024 * 1024,
    vcpuCount: 1,
    pmem: [],
    hotplugSlots: 0,
    directory: directory.path,
  }
  return { description, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() }
}

async function findMonitors(place: TrialPlace, architecture: QemuArchitecture): Promise<FoundMonitors> {
  const isForeign = architecture !== ownArchitecture(process.arch)
  const crosvm = isForeign ? undefined : await findCrosvm(process.env)
  return { crosvm, architecture, identity: await identityOf(place, crosvm, architecture) }
}

/** What a verdict depends on: this boot of the machine, the monitors' binaries, and what the trial boots. */
async function identityOf(
  place: TrialPlace,
  crosvm: string | undefined,
  architecture: QemuArchitecture,
): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => 'unknown')
  const directories = (process.env['PATH'] ?? '/usr/bin:/bin').split(':')
  // The initramfs is named by the hash of its content, wherever it lies.
  const facts = [boot.trim(), basename(place.initramfs)]
  for (const path of [
    place.kernel,
    ...(crosvm === undefined ? [] : [crosvm]),
    ...directories.map((each) => `${each}/${qemuBinary(architecture)}`),
  ]) {
    const found = await stat(path).catch(() => undefined)
    if (found !== undefined) facts.push(`${path} ${found.size} ${found.mtimeMs}`)
  }
  return facts.join('\n')
}

function readAccelerator(value: string | undefined): Result<'kvm' | 'emulation' | undefined, HostError> {
  if (value === undefined || value === '') return ok(undefined)
  if (value === 'kvm' || value === 'emulation') return ok(value)
  const message = 'SPECTRUM_ACCELERATOR and the option accelerator are "kvm" or "emulation".'
  return err({ kind: 'invalid-request', message, field: 'accelerator' })
}
