import { bytes, defineService } from '@spectrum/unit-graph'
import {
  type DisplayPowers,
  type Policy,
  type PolicyError,
  readPolicy,
  UnitDisplay,
} from '@spectrum/wayland-proxy'
import { err, ok, type Result } from 'neverthrow'
import type { OpenService, OwningService, ServicePowers } from '../broker/owning-service.js'
import type { HostCall, HostService } from '../broker/powers.js'
import { orAborted } from '../wait.js'

/**
 * What a unit needs that shows windows. In the unit, `waypipe --socket /run/spectrum/services/NEED server -- PROGRAM`
 * gives a program a Wayland socket, and takes what it says to the host.
 */
export const Display = defineService('org.spectrum.display', { request: bytes(), response: bytes() })

/** A part of it, and of each thing in it. */
export type Parts<T> = { readonly [Key in keyof T]?: T[Key] extends object ? Partial<T[Key]> : T[Key] }

/** How one unit's windows look, and what they may. */
export interface UnitWindows {
  /** In the band of every frame, and before every title. Default: the unit's name. */
  readonly label?: string | undefined
  /** `#rrggbb`, of the frames; `#a51d2d` by default. */
  readonly colour?: string | undefined
  /** Over the default policy. What it says of the identity goes before `label` and `colour`. */
  readonly policy?: Parts<Policy> | undefined
}

/** How a unit's windows reach the desktop. */
export interface DisplayOptions {
  /** The desktop's Wayland socket; an absolute path. */
  readonly upstream: string
  /** By the unit's name. Who is not here has no display, whatever a graph says. */
  readonly units: Readonly<Record<string, UnitWindows>>
  /** What a unit's proxy and waypipe say, warnings of the policy above all. Escaped and cut. */
  readonly onLine?: ((unit: string, text: string) => void) | undefined
}

/** Where the policy of a unit is none, or the desktop has no path. `unit` and `path` (a JSON pointer) tell the place. */
export type DisplayFault =
  | {
      readonly kind: 'invalid-policy'
      readonly message: string
      readonly unit: string
      readonly path: string
    }
  | { readonly kind: 'invalid-upstream'; readonly message: string }

/** What of this machine a display needs beyond what the host gives it. */
export type DisplayMachine = Pick<DisplayPowers, 'connect' | 'removeFile' | 'program'>

const COLOUR = '#a51d2d'

/**
 * A service for `openHost({ services })` that shows the windows of units on this machine's desktop. Each unit has a
 * proxy of its own, with its policy and its frame, from its first window to its last; nothing outlives the unit.
 */
export function displayServiceWith(
  machine: DisplayMachine,
  options: DisplayOptions,
): Result<OwningService, DisplayFault> {
  const { upstream, units } = options
  if (!upstream.startsWith('/') || upstream.includes('\0')) {
    return err({
      kind: 'invalid-upstream',
      message: 'upstream: name the Wayland socket by its absolute path',
    })
  }
  const policies = new Map<string, Policy>()
  for (const [unit, windows] of Object.entries(units)) {
    const policy = policyOf(unit, windows)
    if (policy.isErr()) {
      const { path, message } = policy.error
      return err({ kind: 'invalid-policy', message: `the policy of ${unit}: ${message}`, unit, path })
    }
    policies.set(unit, policy.value)
  }
  return ok({ open: (powers) => new Displays({ ...powers, ...machine }, options, policies) })
}

function policyOf(unit: string, { label = unit, colour = COLOUR, policy }: UnitWindows) {
  const identity = {
    frame: { label, colour },
    titlePrefix: `[${label}] `,
    appIdPrefix: `unit.${unit}.`,
    ...policy?.identity,
  }
  return readPolicy({ ...policy, identity }) satisfies Result<Policy, PolicyError>
}

/** One unit's display, for as long as one of its programs is connected. */
interface Entry {
  readonly opening: Promise<Result<UnitDisplay, string>>
  readonly unwanted: AbortController
  /** Resolves when it has been opened, closed, and removed. */
  readonly ended: Promise<void>
  calls: number
}

class Displays implements OpenService {
  readonly serve: HostService
  readonly #powers: ServicePowers & DisplayMachine
  readonly #options: DisplayOptions
  readonly #policies: ReadonlyMap<string, Policy>
  /** Those that take more calls. */
  readonly #entries = new Map<string, Entry>()
  readonly #ending = new Set<Promise<void>>()
  #closed = false

  constructor(
    powers: ServicePowers & DisplayMachine,
    options: DisplayOptions,
    policies: ReadonlyMap<string, Policy>,
  ) {
    this.#powers = powers
    this.#options = options
    this.#policies = policies
    // A window may stand for hours without a byte.
    this.serve = Object.assign((call: HostCall) => this.#serve(call), { mayIdle: true })
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const entry of this.#entries.values()) entry.unwanted.abort()
    await Promise.all(this.#ending)
  }

  async #serve(call: HostCall): Promise<void> {
    const unit = call.caller
    const policy = this.#policies.get(unit)
    if (policy === undefined)
      throw new Error(`${unit} is given no display: name it in displayService({ units })`)
    if (this.#closed) throw new Error('the host is being stopped')
    const entry = this.#entries.get(unit) ?? this.#begin(unit, policy)
    entry.calls += 1
    try {
      const display = await orAborted(entry.opening, call.signal)
      // It has hung up; a display that is only being opened for it is given up with it.
      if (display === undefined) return
      if (display.isErr()) throw new Error(display.error)
      const stream = { incoming: call.request, write: (bytes: Uint8Array) => call.respond(bytes) }
      const carried = await display.value.carry(stream, AbortSignal.any([call.signal, entry.unwanted.signal]))
      if (carried.isErr() && carried.error.kind !== 'aborted') throw new Error(carried.error.message)
    } finally {
      entry.calls -= 1
      if (entry.calls === 0) {
        if (this.#entries.get(unit) === entry) this.#entries.delete(unit)
        entry.unwanted.abort()
        await entry.ended
      }
    }
  }

  #begin(unit: string, policy: Policy): Entry {
    const unwanted = new AbortController()
    const { upstream, onLine } = this.#options
    const place = this.#powers.directory()
    const opening = place.then(
      async ({ path }) => {
        const request = {
          unit,
          directory: path,
          upstream,
          policy,
          onLine: onLine?.bind(undefined, unit),
        }
        const opened = await UnitDisplay.open(this.#powers, request, unwanted.signal)
        return opened.mapErr(({ message }) => message)
      },
      (cause: unknown) =>
        err<UnitDisplay, string>(`no directory for the display of ${unit}: ${String(cause)}`),
    )
    const ended = this.#end(place, opening, unwanted.signal)
    this.#ending.add(ended)
    void ended.then(() => this.#ending.delete(ended))
    const entry = { opening, unwanted, ended, calls: 0 }
    this.#entries.set(unit, entry)
    return entry
  }

  async #end(
    place: Promise<AsyncDisposable>,
    opening: Entry['opening'],
    unwanted: AbortSignal,
  ): Promise<void> {
    if (!unwanted.aborted) {
      await new Promise<void>((resolve) =>
        unwanted.addEventListener('abort', () => resolve(), { once: true }),
      )
    }
    const display = await opening
    if (display.isOk()) await display.value.close()
    // What cannot be removed now goes with the host's directory.
    await place.then((directory) => directory[Symbol.asyncDispose]()).catch(() => {})
  }
}
