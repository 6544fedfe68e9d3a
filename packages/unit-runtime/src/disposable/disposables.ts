import type { UnitDefinition } from '@spectrum/unit-graph'
import { err, errAsync, ok, type Result, ResultAsync } from 'neverthrow'
import type { HostError } from '../errors.js'
import type { WaitOptions } from '../unit.js'
import { openWait, orAborted, type Wait } from '../wait.js'
import { lend, type WithUnit } from './lend.js'
import { POOL_LIMITS, Pool, type PoolLimits } from './pool.js'
import type { DisposablePowers, PausableUnit } from './powers.js'
import { faultOfRehearsal, type Rehearsal } from './rehearse.js'
import { freshName, graphsOf, type Recipe, recipeOf, type TemplateWires, type WiresOf } from './template.js'

/**
 * How a disposable is got and lent. `deadlineMs` (180 s) and `signal` are those of the wait; `signal` ends its use
 * too.
 */
export interface DisposableOptions extends WaitOptions {
  /** Milliseconds that the function may take; without it, until it is done or `signal` aborts. */
  readonly limitMs?: number | undefined
}

/** How many disposables are prepared. `deadlineMs` (180 s) and `signal` end the wait; what is being started goes on. */
export interface PrepareOptions extends WaitOptions {
  /** How many should wait from now on, within the limits of the host. 1 by default; 0 gives up what waits. */
  readonly count?: number | undefined
  /**
   * Commands that each of them runs before it is held still: argument vectors, run one after the other for 10 s at most each,
   * as `exec` without options runs them. A program that has run once starts sooner. Whatever they leave (files, what they
   * have called) is there for the one use of that unit; how they end does not matter. 16 at most. Without it, those that were
   * named last for this template while some of it were wanted; at first none.
   */
  readonly rehearsal?: Rehearsal | undefined
}

/** Options, with the wires where the template has needs: there they must be given. */
export type WithWires<Template extends UnitDefinition, Options> =
  WiresOf<Template> extends undefined
    ? [options?: Options & { readonly wires?: TemplateWires | undefined }]
    : [options: Options & { readonly wires: WiresOf<Template> }]

/** Units for one use: each is made for one function, and gone when that is done. */
export interface DisposableUnits {
  /**
   * Gives `fn` a fresh unit made from `template`, wired as `wires` say, and resolves with what `fn` returns when the unit
   * is gone: its processes reaped, its files removed. So it is when `fn` throws (`function-failed`), when `signal` aborts
   * or the host stops (`aborted`), or `limitMs` passes (`timed-out`): the unit is ended at once, and `fn` is not waited
   * for. When the unit cannot be ended, that is the error, whatever `fn` returned. `deadlineMs` (180 s) is for getting the
   * unit. It is named after the template, with a number. Each has its own count of `once` and `rate`.
   *
   * @example
   * ```ts
   * import { closure, defineUnit, type Host } from '@spectrum/unit-runtime'
   *
   * export async function pageOf(host: Host, document: Uint8Array): Promise<Uint8Array> {
   *   const tools = '/nix/store/…-mupdf-tools'
   *   const viewer = defineUnit('viewer', { store: closure(tools), memoryBytes: 256 * 2 ** 20 })
   *   const drawn = await host.disposable(viewer, async (unit, signal) => {
   *     const argv = [`${tools}/bin/mutool`, 'draw', '-F', 'png', '-o', '-', '/dev/stdin', '1']
   *     return (await unit.exec(argv, { stdin: document, signal, maxBytes: 2 ** 22 }))._unsafeUnwrap()
   *   })
   *   return drawn._unsafeUnwrap().stdout // the unit is gone
   * }
   * ```
   */
  disposable<T, Template extends UnitDefinition>(
    template: Template,
    fn: WithUnit<T>,
    ...options: WithWires<Template, DisposableOptions>
  ): ResultAsync<T, HostError>
  /**
   * Starts units of this template before they are wanted, and holds them still. Resolves when they wait, with how many
   * do: fewer than `count` where the limits of the host have no room for more. Fails as a start does, and with
   * `command-not-started` where a command of the rehearsal is not there.
   */
  prepareDisposables<Template extends UnitDefinition>(
    template: Template,
    ...options: WithWires<Template, PrepareOptions>
  ): ResultAsync<number, HostError>
}

const START_MS = 180_000
/** How long a unit that waited gets to go on. One that does not is replaced by a new one. */
const RESUME_MS = 5_000
/** What is used up is replaced when the use is over, or this long after it began: it is to have the machine first. */
const REFILL_AFTER_MS = 500

export class Disposables implements DisposableUnits {
  readonly #powers: DisposablePowers
  readonly #pool: Pool
  /** Resolves when nothing is kept of a unit any more. */
  readonly #gone = new WeakMap<PausableUnit, Promise<void>>()
  #count = 0

  constructor(powers: DisposablePowers, limits: Partial<PoolLimits> = {}) {
    this.#powers = powers
    this.#pool = new Pool(
      {
        canPause: powers.canPause,
        closing: powers.closing,
        memoryOf: ({ template }) => powers.memoryOf(template),
        make: (recipe, options) => this.#make(recipe, options),
      },
      { ...POOL_LIMITS, ...limits },
    )
  }

  disposable<T, Template extends UnitDefinition>(
    template: Template,
    fn: WithUnit<T>,
    ...[options = {}]: WithWires<Template, DisposableOptions>
  ): ResultAsync<T, HostError> {
    const recipe = this.#recipe(template, options)
    if (recipe.isErr()) return errAsync(recipe.error)
    return new ResultAsync(this.#use(recipe.value, fn, options))
  }

  prepareDisposables<Template extends UnitDefinition>(
    template: Template,
    ...[options = {}]: WithWires<Template, PrepareOptions>
  ): ResultAsync<number, HostError> {
    const { count = 1, rehearsal } = options
    if (!Number.isSafeInteger(count) || count < 0) {
      const message = 'count must be a whole number of units, 0 or more.'
      return errAsync({ kind: 'invalid-request', message, field: 'count' })
    }
    const fault = rehearsal === undefined ? undefined : faultOfRehearsal(rehearsal)
    if (fault !== undefined) return errAsync(fault)
    const recipe = this.#recipe(template, options)
    if (recipe.isErr()) return errAsync(recipe.error)
    return new ResultAsync(this.#prepare(recipe.value, count, options))
  }

  /** Resolves when nothing is started or ended in the background. */
  settled(): Promise<void> {
    return this.#pool.settled()
  }

  #recipe(template: UnitDefinition, options: { readonly wires?: unknown }): Result<Recipe, HostError> {
    const wires = (options.wires ?? {}) as TemplateWires
    return recipeOf(template, wires, (unit) => this.#powers.definitionOf(unit))
  }

  async #use<T>(recipe: Recipe, fn: WithUnit<T>, options: DisposableOptions): Promise<Result<T, HostError>> {
    const { clock, closing } = this.#powers
    const { deadlineMs = START_MS, signal } = options
    using wait = openWait(clock, deadlineMs, signal, closing)
    const unit = await this.#obtain(recipe, wait)
    if (unit.isErr()) return err(inTime(unit.error, wait))
    using soon = clock.deadline(REFILL_AFTER_MS)
    soon.signal.addEventListener('abort', () => this.#pool.refill(), { once: true })
    const lease = { clock, limitMs: options.limitMs, signals: [signal, closing] }
    const done = await lend(unit.value, fn, lease)
    if (hasEnded(unit.value)) await this.#gone.get(unit.value)
    this.#pool.refill()
    return done
  }

  /** One that waited, if any goes on; else a new one. */
  async #obtain(recipe: Recipe, wait: Wait): Promise<Result<PausableUnit, HostError>> {
    for (;;) {
      const unit = wait.signal.aborted ? undefined : this.#pool.take(recipe)
      if (unit === undefined) return this.#make(recipe, { signal: wait.signal, deadlineMs: wait.leftMs() })
      if (unit.state === 'running') return ok(unit)
      const deadlineMs = Math.min(RESUME_MS, wait.leftMs())
      const resumed = await unit.resume({ signal: wait.signal, deadlineMs }, this.#powers.awaken)
      if (resumed.isOk()) return ok(unit)
      const ended = await unit.stop({ graceMs: 0 })
      if (ended.isErr()) return err(ended.error)
    }
  }

  #make(recipe: Recipe, options: WaitOptions): ResultAsync<PausableUnit, HostError> {
    let name: string
    do name = freshName(recipe.template.name, ++this.#count)
    while (this.#powers.isTaken(name))
    return new ResultAsync(this.#start(recipe, name, options))
  }

  async #start(recipe: Recipe, name: string, options: WaitOptions): Promise<Result<PausableUnit, HostError>> {
    const forget = () => this.#powers.forget(name)
    const graphs = graphsOf(recipe, name)
    if (graphs.isErr()) return err(graphs.error)
    const started = await this.#powers.start(graphs.value.start, graphs.value.wired, options)
    if (started.isErr()) await forget()
    else this.#gone.set(started.value, started.value.ended.then(forget))
    return started
  }

  async #prepare(recipe: Recipe, count: number, options: PrepareOptions): Promise<Result<number, HostError>> {
    const { clock, closing } = this.#powers
    using wait = openWait(clock, options.deadlineMs ?? START_MS, options.signal, closing)
    const prepared = await orAborted(this.#pool.prepare(recipe, count, options.rehearsal), wait.signal)
    return (prepared ?? err(unprepared(recipe))).mapErr((error) => inTime(error, wait))
  }
}

function hasEnded({ state }: PausableUnit): boolean {
  return state === 'stopped' || state === 'failed'
}

/** Whoever hears the wait's signal can only say that it was aborted; the wait knows that it was the deadline. */
function inTime(error: HostError, wait: Wait): HostError {
  if (error.kind !== 'aborted' || wait.reason() !== 'timed-out') return error
  const message = 'The disposable was not there before the deadline; give it more deadlineMs.'
  const whose = error.unit === undefined ? {} : { unit: error.unit }
  return { kind: 'timed-out', message, ...whose, step: 'disposable', lastLines: [] }
}

function unprepared({ template }: Recipe): HostError {
  const message = `Whoever prepared disposables of "${template.name}" did not wait for them; they are started all the same.`
  return { kind: 'aborted', message, unit: template.name }
}
