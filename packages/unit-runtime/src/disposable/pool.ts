import { err, ok, type Result, type ResultAsync } from 'neverthrow'
import type { HostError } from '../errors.js'
import type { WaitOptions } from '../unit.js'
import type { PausableUnit } from './powers.js'
import { type Rehearsal, rehearse } from './rehearse.js'
import type { Recipe } from './template.js'

/** How many disposables a host keeps ready. They cost what any unit costs, except processor time. */
export interface PoolLimits {
  /** Of each template that was used or prepared. 0: none is kept. */
  readonly waiting: number
  /** Of all templates together, those that are being started included. */
  readonly mostWaiting: number
  /** Bytes of guest memory of all of them together; 1 GiB by default. */
  readonly memoryBytes: number
  /** Started at the same time, in the background. */
  readonly refills: number
}

/** What a pool of ready units takes, unless its host says otherwise. */
export const POOL_LIMITS: PoolLimits = Object.freeze({
  waiting: 0,
  mostWaiting: 4,
  memoryBytes: 1024 ** 3,
  refills: 1,
})

/** The units of one template. Another digest of the same template, or rehearsal, is another shelf, in its place. */
interface Shelf {
  readonly recipe: Recipe
  /** What they have run before they wait. */
  readonly rehearsal: Rehearsal
  readonly memoryBytes: number
  /** The longest waiting first. */
  readonly waiting: PausableUnit[]
  starting: number
  /** How many should wait, as whoever uses the pool has it. */
  wanted: number
  /** How many of those it may have since others were used. */
  target: number
  /** Of the last start: whatever is wrong, starting again and again does not mend it. The next use tries. */
  failure: HostError | undefined
  /** Counts uses, so that the smallest is the longest ago. */
  usedAt: number
}

export interface PoolPowers {
  readonly canPause: boolean
  readonly closing: AbortSignal
  memoryOf(recipe: Recipe): number
  make(recipe: Recipe, options: WaitOptions): ResultAsync<PausableUnit, HostError>
}

const PAUSE_MS = 10_000

export function faultOfPoolLimits(limits: Partial<PoolLimits>): HostError | undefined {
  for (const field of ['waiting', 'mostWaiting', 'memoryBytes', 'refills'] as const) {
    const value = limits[field]
    const least = field === 'refills' ? 1 : 0
    if (value === undefined || (Number.isSafeInteger(value) && value >= least)) continue
    const message = `disposables.${field} must be a whole number, ${least} or more.`
    return { kind: 'invalid-request', message, field: 'disposables' }
  }
  return undefined
}

/**
 * Units that were started before anybody wants them. Each is handed out once and never comes back. What is kept is
 * bounded in number and in memory, and of one template there are units of one digest only.
 */
export class Pool {
  readonly #powers: PoolPowers
  readonly #limits: PoolLimits
  readonly #shelves = new Map<string, Shelf>()
  /** Under way. The shelf of a start may have been replaced since. */
  readonly #starts = new Map<Promise<void>, Shelf>()
  readonly #ends = new Set<Promise<void>>()
  #uses = 0

  constructor(powers: PoolPowers, limits: PoolLimits) {
    this.#powers = powers
    this.#limits = limits
  }

  /** The one that has waited longest, which is the caller's from now on. It may have to be resumed. */
  take(recipe: Recipe): PausableUnit | undefined {
    return this.#used(recipe).waiting.shift()
  }

  /**
   * From now on `count` units of this recipe should wait, with this rehearsal behind them; without one, with that of those
   * before. Resolves with how many do when no more are started, or with why one could not be.
   */
  async prepare(recipe: Recipe, count: number, rehearsal?: Rehearsal): Promise<Result<number, HostError>> {
    const shelf = this.#used(recipe, rehearsal)
    shelf.wanted = count
    shelf.target = count
    for (const unit of shelf.waiting.splice(count)) this.#end(unit)
    this.refill()
    while (
      this.#isCurrent(shelf) &&
      missing(shelf) > 0 &&
      shelf.failure === undefined &&
      this.#starts.size > 0
    )
      await Promise.race(this.#starts.keys())
    return shelf.failure === undefined ? ok(shelf.waiting.length) : err(shelf.failure)
  }

  /** Starts what is missing, in the background. */
  refill(): void {
    // What was used last is most likely used next.
    const wanting = [...this.#shelves.values()].sort((one, other) => other.usedAt - one.usedAt)
    for (const shelf of wanting) {
      while (this.#startOne(shelf)) {
        // As many as may be started at once.
      }
      if (shelf.wanted === 0 && shelf.waiting.length + shelf.starting === 0)
        this.#shelves.delete(shelf.recipe.template.name)
    }
  }

  /** Resolves when nothing is being started or ended. */
  async settled(): Promise<void> {
    while (this.#starts.size + this.#ends.size > 0)
      await Promise.race([...this.#starts.keys(), ...this.#ends])
  }

  #used(recipe: Recipe, rehearsal?: Rehearsal): Shelf {
    const shelf = this.#shelfOf(recipe, rehearsal)
    shelf.failure = undefined
    shelf.target = shelf.wanted
    shelf.usedAt = ++this.#uses
    return shelf
  }

  #shelfOf(recipe: Recipe, rehearsal?: Rehearsal): Shelf {
    const { name } = recipe.template
    const present = this.#shelves.get(name)
    const same = present?.recipe.digest === recipe.digest
    if (same && (rehearsal === undefined || equal(present.rehearsal, rehearsal))) return present
    const wanted = present?.wanted ?? this.#limits.waiting
    const memoryBytes = this.#powers.memoryOf(recipe)
    const shelf: Shelf = {
      ...{ recipe, memoryBytes, waiting: [], starting: 0, failure: undefined, usedAt: 0 },
      ...{ wanted, target: wanted, rehearsal: rehearsal ?? [] },
    }
    this.#shelves.set(name, shelf)
    // Made from something else than what is asked for now, under the same name.
    for (const unit of present?.waiting.splice(0) ?? []) this.#end(unit)
    return shelf
  }

  #startOne(shelf: Shelf): boolean {
    if (missing(shelf) <= shelf.starting || shelf.failure !== undefined) return false
    if (this.#powers.closing.aborted || this.#starts.size >= this.#limits.refills) return false
    if (!this.#makeRoom(shelf)) return false
    shelf.starting += 1
    const start = this.#fill(shelf).finally(() => {
      this.#starts.delete(start)
      shelf.starting -= 1
      this.refill()
    })
    this.#starts.set(start, shelf)
    return true
  }

  /** Ends units of templates that were not used for longer, where there is no room without. */
  #makeRoom(shelf: Shelf): boolean {
    for (;;) {
      const held = [...this.#shelves.values()].flatMap((each) => each.waiting.map(() => each))
      const all = [...held, ...this.#starts.values()]
      const bytes = all.reduce((sum, each) => sum + each.memoryBytes, shelf.memoryBytes)
      if (all.length < this.#limits.mostWaiting && bytes <= this.#limits.memoryBytes) return true
      const older = [...this.#shelves.values()]
        .filter((each) => each.usedAt < shelf.usedAt && each.waiting.length > 0)
        .sort((one, other) => one.usedAt - other.usedAt)
      const victim = older[0]?.waiting.shift()
      if (victim === undefined) return false
      // It is not started again in the place of what it made room for.
      older[0]!.target = older[0]!.waiting.length + older[0]!.starting
      this.#end(victim)
    }
  }

  async #fill(shelf: Shelf): Promise<void> {
    const made = await this.#ready(shelf)
    if (made.isErr()) {
      shelf.failure = made.error
      return
    }
    const unit = made.value
    if (!this.#isCurrent(shelf) || missing(shelf) <= 0 || this.#powers.closing.aborted) {
      this.#end(unit)
      return
    }
    shelf.waiting.push(unit)
    void unit.ended.then(() => {
      const at = shelf.waiting.indexOf(unit)
      if (at !== -1) shelf.waiting.splice(at, 1)
    })
  }

  async #ready({ recipe, rehearsal }: Shelf): Promise<Result<PausableUnit, HostError>> {
    // What was ended to make room has its memory until it is gone.
    await Promise.all(this.#ends)
    const made = await this.#powers.make(recipe, { signal: this.#powers.closing })
    if (made.isErr()) return made
    const unit = made.value
    const rehearsed = await rehearse(unit, rehearsal, { signal: this.#powers.closing })
    if (rehearsed.isErr()) {
      this.#end(unit)
      return err(rehearsed.error)
    }
    if (!this.#powers.canPause) return made
    const paused = await unit.pause({ signal: this.#powers.closing, deadlineMs: PAUSE_MS })
    if (paused.isErr()) this.#end(unit)
    return paused.map(() => unit)
  }

  #isCurrent(shelf: Shelf): boolean {
    return this.#shelves.get(shelf.recipe.template.name) === shelf
  }

  #end(unit: PausableUnit): void {
    // One that cannot be ended is the host's to report, when it stops.
    const end = Promise.resolve(unit.stop({ graceMs: 0 })).then(() => {
      this.#ends.delete(end)
    })
    this.#ends.add(end)
  }
}

function missing(shelf: Shelf): number {
  return shelf.target - shelf.waiting.length
}

function equal(one: Rehearsal, other: Rehearsal): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
