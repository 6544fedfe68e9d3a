import type { StoreSource } from '@spectrum/store-share'
import { err, ok, type Result, ResultAsync } from 'neverthrow'
import type { CallLimits } from './broker/limits.js'
import { type OwningService, openServices } from './broker/owning-service.js'
import type { HostService } from './broker/powers.js'
import { faultOfPoolLimits, type PoolLimits } from './disposable/pool.js'
import { type HostError, monitorFailed, stateFailed, storeFailed } from './errors.js'
import { emit, type HostEmitter, newHostEmitter } from './events.js'
import { type Host, type HostParts, OpenHost } from './host.js'
import { excessOf, HostDirectory, type HostPlaces, hostsDirectory } from './host-directory.js'
import { journalledProcesses, journalledSockets } from './journalled.js'
import type { HostBlobCache, HostPowers } from './powers.js'
import type { Prompter } from './prompter/prompter.js'
import { type ReconciledHost, reconcile } from './reconcile.js'
import { firstImage, StartPlan } from './start-plan.js'
import type { InjectionWish } from './store-access.js'
import { faultOfHeartbeat, type HeartbeatOptions } from './supervision/heartbeat-policy.js'
import { openWait, type Wait } from './wait.js'

/** How a host is opened. */
export interface HostOptions {
  /** Where closures come from. */
  readonly store: StoreSource
  /** Bring your own emitter to hear the first events too. */
  readonly events?: HostEmitter | undefined
  /** Aborting it, now or later, kills all units and removes everything of the host. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds for the opening itself, which may boot a kernel to try a monitor. 180 000 by default. */
  readonly deadlineMs?: number | undefined
  /** How many units start at the same time. 4 by default. */
  readonly concurrentStarts?: number | undefined
  /**
   * Whether units must be able to take `inject`, and how. `devices`: by devices added to the machine, `view`: by a
   * virtio-fs share from the start on, `true`: by devices where the monitor can add them, else by a view. Default
   * false: by devices where the monitor can add them, else not at all.
   */
  readonly injection?: InjectionWish
  /** The most devices of one unit at its start. 24 by default; above it several store paths share a device. */
  readonly deviceBudget?: number | undefined
  /** Whoever answers for `ask` on an edge. Without one every such call is refused. */
  readonly prompter?: Prompter | undefined
  /** The functions that graphs are wired to by `fromHost`, by its names; or what makes them, and owns more. */
  readonly services?: Readonly<Record<string, HostService | OwningService>> | undefined
  /** What the calls of a graph may take, where it differs from the defaults. */
  readonly callLimits?: Partial<CallLimits> | undefined
  /** How it is noticed that the guest of a running unit hangs; it is ended then, as `unit-unresponsive`. */
  readonly heartbeat?: 'off' | HeartbeatOptions | undefined
  /** How many disposables are kept ready, and what they may cost. By default none is. */
  readonly disposables?: Partial<PoolLimits> | undefined
}

const OPEN_MS = 180_000
const CONCURRENT_STARTS = 4
const DEVICE_BUDGET = 24

/**
 * Opens a host with the given powers: ends what dead hosts left, then chooses a monitor. The host owns a
 * directory below `places.state` until it is stopped; on failure nothing is left.
 */
export function openHostWith(
  powers: HostPowers,
  places: HostPlaces,
  options: HostOptions,
): ResultAsync<Host, HostError> {
  return new ResultAsync(open(powers, places, options))
}

async function open(
  powers: HostPowers,
  places: HostPlaces,
  options: HostOptions,
): Promise<Result<Host, HostError>> {
  const wrong = faultOf(places, options)
  if (wrong !== undefined) return err(wrong)
  const events = options.events ?? newHostEmitter()
  using wait = openWait(powers.clock, options.deadlineMs ?? OPEN_MS, options.signal)
  if (wait.signal.aborted) return err(stopped(wait, undefined))
  let directory: HostDirectory
  let reconciled: readonly ReconciledHost[]
  try {
    await powers.files.makeDirectory(hostsDirectory(places.state))
    reconciled = await reconcile(powers, places, wait.signal)
    directory = await HostDirectory.create(powers, places, (record) => emit(events, 'journal', record))
  } catch (cause) {
    return err(stateFailed(places.state, 'keep the host’s state in', cause))
  }
  let parts: Awaited<ReturnType<typeof prepare>>
  try {
    parts = await prepare(powers, places, options, directory, wait)
  } catch (cause) {
    parts = err(stateFailed(directory.path, 'keep the host’s state in', cause))
  }
  if (parts.isOk() && !wait.signal.aborted) {
    return ok(new OpenHost({ ...parts.value, reconciled, events }))
  }
  if (parts.isOk()) {
    await parts.value.start.close()
    await parts.value.closeServices().catch(() => {})
    await parts.value.cache.close()
  }
  // A directory that cannot be removed now is found by the next host.
  await directory.removeAll().catch(() => {})
  return err(stopped(wait, parts.isErr() ? parts.error : undefined))
}

async function prepare(
  powers: HostPowers,
  places: HostPlaces,
  options: HostOptions,
  directory: HostDirectory,
  wait: Wait,
): Promise<Result<Omit<HostParts, 'reconciled' | 'events'>, HostError>> {
  const cache = await powers.openBlobCache(options.store, directory.unfinished)
  if (cache.isErr()) return err(storeFailed(undefined, cache.error))
  let parts: Awaited<ReturnType<typeof choose>> | undefined
  try {
    parts = await choose(powers, places, options, directory, cache.value, wait)
    return parts
  } finally {
    if (!parts?.isOk()) await cache.value.close()
  }
}

async function choose(
  powers: HostPowers,
  places: HostPlaces,
  options: HostOptions,
  directory: HostDirectory,
  cache: HostBlobCache,
  wait: Wait,
): Promise<Result<Omit<HostParts, 'reconciled' | 'events'>, HostError>> {
  const at = { powers, places, unfinished: directory.unfinished }
  const image = await firstImage(at, wait.signal)
  if (image.isErr()) return err(image.error)
  const { initramfs } = image.value
  const { journal, name } = directory
  const table = powers.processTable
  const marked = { journal, table, host: name, token: () => powers.randomHex(16) }
  const monitorPowers = {
    ...powers.monitorPowers,
    processes: journalledProcesses(powers.monitorPowers.processes, marked),
    sockets: journalledSockets(powers.monitorPowers.sockets, journal),
  }
  const { kernel } = powers.guest
  let unmade: HostError | undefined
  const place = {
    kernel,
    initramfs,
    unfinished: directory.unfinished,
    directory: () =>
      ownDirectory(directory).catch((cause: unknown) => {
        unmade = stateFailed(directory.path, 'make a directory to try a monitor in', cause)
        throw cause
      }),
  }
  const choice = await powers.chooseMonitor(monitorPowers, place, wait.signal)
  if (choice.isErr()) return err(unmade ?? monitorFailed(undefined, choice.error))
  const { monitor } = choice.value
  const { clock, processes } = monitorPowers
  const plan = await StartPlan.make(
    { ...at, processes, monitor, wish: options.injection },
    image.value,
    wait.signal,
  )
  if (plan.isErr()) return err(plan.error)
  const services = openServices(options.services ?? {}, {
    clock,
    processes,
    directory: () => ownDirectory(directory),
    writeFile: (path, text) =>
      powers.files.replace(path, new TextEncoder().encode(text), `${path}.unfinished`),
  })
  return ok({
    powers,
    directory,
    choice: choice.value,
    start: plan.value,
    processes,
    state: places.state,
    store: options.store,
    cache,
    concurrentStarts: options.concurrentStarts ?? CONCURRENT_STARTS,
    deviceBudget: options.deviceBudget ?? DEVICE_BUDGET,
    prompter: options.prompter,
    services: services.functions,
    closeServices: services.close,
    callLimits: options.callLimits,
    heartbeat: options.heartbeat ?? {},
    disposables: options.disposables,
    signal: options.signal,
  })
}

async function ownDirectory(directory: HostDirectory): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await directory.makeForUnit()
  return { path, [Symbol.asyncDispose]: () => directory.remove(path) }
}

function faultOf(places: HostPlaces, options: HostOptions): HostError | undefined {
  for (const field of ['state', 'cache'] as const) {
    if (!places[field].startsWith('/') || places[field].includes('\0')) {
      const message = `The ${field} directory must be an absolute path.`
      return { kind: 'invalid-request', message, field: `${field}Directory` }
    }
  }
  const excess = excessOf(places.state)
  if (excess !== undefined) {
    const message = `The state directory’s path is ${excess} bytes too long for Unix sockets below it; choose a shorter one.`
    return { kind: 'invalid-request', message, field: 'stateDirectory' }
  }
  for (const field of ['concurrentStarts', 'deviceBudget'] as const) {
    const count = options[field]
    if (count !== undefined && (!Number.isSafeInteger(count) || count < 1)) {
      return { kind: 'invalid-request', message: `${field} must be a whole number, 1 or more.`, field }
    }
  }
  const limits = Object.entries(options.callLimits ?? {})
  const wrong = limits.find(([, limit]) => typeof limit !== 'number' || !(limit >= 1))
  if (wrong !== undefined) {
    const message = `callLimits.${wrong[0]} must be a number, 1 or more.`
    return { kind: 'invalid-request', message, field: 'callLimits' }
  }
  return faultOfHeartbeat(options.heartbeat ?? {}) ?? faultOfPoolLimits(options.disposables ?? {})
}

function stopped(wait: Wait, error: HostError | undefined): HostError {
  if (wait.reason() === 'aborted') {
    return { kind: 'aborted', message: 'Opening the host was aborted; nothing of it is left.' }
  }
  if (wait.reason() === 'timed-out' && error?.kind !== 'timed-out') {
    const message = `The host was not open before its deadline${error === undefined ? '' : `: ${error.message}`}. Give it more deadlineMs.`
    return { kind: 'timed-out', message, step: 'open', lastLines: [] }
  }
  return error ?? { kind: 'aborted', message: 'Opening the host was aborted; nothing of it is left.' }
}
