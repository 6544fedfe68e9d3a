import { lacksPersistentMemory, type UnitNeeds } from '@spectrum/guest-agent'
import type { Monitor, Processes } from '@spectrum/unit-monitor'
import { err, ok, type Result } from 'neverthrow'
import { type HostError, stateFailed } from './errors.js'
import type { HostPlaces } from './host-directory.js'
import { keepInitramfs } from './initramfs-file.js'
import type { HostPowers } from './powers.js'
import { type InjectionWish, injectionWay, type StoreTransport } from './store-access.js'
import { type StartParts, whyNot } from './unit-start.js'
import { openWait, orAborted, type Wait } from './wait.js'

/** What boots, and how its store reaches it. */
export interface GuestImage {
  readonly transport: StoreTransport
  /** Absolute path of the initramfs file. */
  readonly initramfs: string
}

interface Places {
  readonly powers: Pick<HostPowers, 'guest' | 'files'>
  readonly places: HostPlaces
  /** Where the file is written first. */
  readonly unfinished: string
}

/** The initramfs for persistent memory; for disks, where the kernel's files say that it has none. */
export async function firstImage(at: Places, signal: AbortSignal): Promise<Result<GuestImage, HostError>> {
  const pmem = await makeImage(at, { transport: 'pmem' }, signal)
  if (pmem.isOk() || !isForDisks(pmem.error)) return pmem
  return makeImage(at, { transport: 'block' }, signal)
}

async function makeImage(
  { powers, places, unfinished }: Places,
  needs: UnitNeeds & { readonly transport: StoreTransport },
  signal: AbortSignal,
): Promise<Result<GuestImage, HostError>> {
  const image = await powers.guest.initramfs(signal, needs)
  if (image.isErr()) return err(image.error)
  try {
    const initramfs = await keepInitramfs(powers.files, places, unfinished, image.value)
    return ok({ transport: needs.transport, initramfs })
  } catch (cause) {
    return err(stateFailed(places.cache, 'write the initramfs into', cause))
  }
}

/** Whether disks may do where this failed. */
export function isForDisks(error: HostError): boolean {
  return error.kind === 'kernel-lacks' && lacksPersistentMemory(error.feature)
}

export interface PlanParts extends Places {
  readonly powers: HostPowers
  /** With the journal around them. */
  readonly processes: Processes
  readonly monitor: Monitor
  readonly wish: InjectionWish
}

/** How long making what boots may take. It reads the kernel's modules and writes one file. */
const IMAGE_MS = 60_000

/** What the units of a host are started with. It falls back to disks for good once a unit's kernel needs it. */
export class StartPlan {
  #current: StartParts
  /** One for all starts that need it at once; whoever gives up does not end it for the others. */
  #onDisks: Promise<Result<StartParts, HostError>> | undefined
  /** The same for units with volumes, by what else they need: two that write one file at once are in each other's way. */
  readonly #withVolumes = new Map<string, Promise<Result<GuestImage, HostError>>>()
  readonly #closing = new AbortController()

  private constructor(
    private readonly parts: PlanParts,
    first: StartParts,
  ) {
    this.#current = first
  }

  /** `image`: the one without a view that the monitor was tried with. */
  static async make(
    parts: PlanParts,
    image: GuestImage,
    signal: AbortSignal,
  ): Promise<Result<StartPlan, HostError>> {
    const { pmem, block } = parts.monitor.capabilities
    // A kernel may well have the drivers for persistent memory that this monitor cannot give it.
    const disks = image.transport === 'pmem' && !pmem && block
    const first = disks
      ? await startParts(parts, 'block', signal)
      : await startParts(parts, image.transport, signal, image)
    return first.map((start) => new StartPlan(parts, start))
  }

  get current(): StartParts {
    return this.#current
  }

  /**
   * What to start with instead, when `error` says that the kernel has no persistent memory; later starts use it too.
   * Otherwise `error`, with why disks are none either when they would do.
   */
  async afterFailure(
    error: HostError,
    used: StartParts,
    unit: string,
    wait: Wait,
  ): Promise<Result<StartParts, HostError>> {
    if (used.transport !== 'pmem' || !isForDisks(error) || !this.parts.monitor.capabilities.block)
      return err(error)
    this.#onDisks ??= this.#makeOnDisks()
    const parts = await orAborted(this.#onDisks, wait.signal)
    if (parts === undefined) return err(whyNot(error, unit, wait, []))
    return parts.mapErr(({ message }) => ({
      ...error,
      message: `${error.message} It cannot be given disks instead: ${message}`,
    }))
  }

  /** The same with a kernel's worth of modules more, for a unit that has volumes. Made once for all that start. */
  async withVolumes(parts: StartParts, unit: string, wait: Wait): Promise<Result<StartParts, HostError>> {
    const needs = { transport: parts.transport, view: parts.way === 'view', volumes: true }
    const key = `${needs.transport} ${needs.view}`
    const making = this.#withVolumes.get(key) ?? this.#makeImage(needs)
    this.#withVolumes.set(key, making)
    void making.then((made) => made.isErr() && this.#withVolumes.delete(key))
    const made = await orAborted(making, wait.signal)
    if (made === undefined) {
      const message = `What boots unit "${unit}" was not made yet.`
      return err(whyNot({ kind: 'aborted', message, unit }, unit, wait, []))
    }
    return made.map(({ initramfs }) => ({ ...parts, initramfs }))
  }

  /** Resolves when nothing is written any more. */
  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.all([this.#onDisks, ...this.#withVolumes.values()])
  }

  async #makeImage(
    needs: UnitNeeds & { readonly transport: StoreTransport },
  ): Promise<Result<GuestImage, HostError>> {
    using wait = openWait(this.parts.powers.clock, IMAGE_MS, this.#closing.signal)
    return await makeImage(this.parts, needs, wait.signal)
  }

  async #makeOnDisks(): Promise<Result<StartParts, HostError>> {
    using wait = openWait(this.parts.powers.clock, IMAGE_MS, this.#closing.signal)
    const parts = await startParts(this.parts, 'block', wait.signal)
    if (parts.isOk()) this.#current = parts.value
    // The next start tries again.
    else this.#onDisks = undefined
    return parts
  }
}

async function startParts(
  parts: PlanParts,
  transport: StoreTransport,
  signal: AbortSignal,
  made?: GuestImage,
): Promise<Result<StartParts, HostError>> {
  const { powers, processes, monitor, wish } = parts
  const openView = powers.viewPower?.(processes)
  const possible = injectionWay(wish, transport, monitor.capabilities)
  const way = possible === 'view' && openView === undefined ? 'none' : possible
  const image =
    way !== 'view' && made !== undefined
      ? ok(made)
      : await makeImage(parts, { transport, view: way === 'view' }, signal)
  return image.map(({ initramfs }) => ({
    monitor,
    kernel: powers.guest.kernel,
    initramfs,
    connectAgent: powers.connectAgent,
    transport,
    way,
    openView,
  }))
}
