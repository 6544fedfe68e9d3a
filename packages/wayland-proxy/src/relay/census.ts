import { LIMITED_INTERFACES, type Limit, type Limits } from '../policy/limits.js'
import type { CompiledInterface } from '../protocol/compile.js'
import type { ProtocolTable } from '../protocol/table.js'

/** What all clients of one unit hold together. */
export interface UnitCensus {
  objects: number
  pools: number
  poolBytes: number
}

/** How many objects of each kind one client holds, against its limits. */
export class Census {
  readonly #limits: () => Limits
  readonly #unit: UnitCensus
  readonly #kinds: readonly (Limit | undefined)[]
  readonly #counts: Int32Array
  /** Of each interface: how many `#known` allows. */
  readonly #most: Float64Array
  #known: Limits | undefined
  #objects = 0

  constructor(table: ProtocolTable, limits: () => Limits, unit: UnitCensus) {
    this.#limits = limits
    this.#unit = unit
    this.#kinds = table.interfaces.map(({ name }) => LIMITED_INTERFACES[name])
    this.#counts = new Int32Array(table.interfaces.length)
    this.#most = new Float64Array(table.interfaces.length)
  }

  get objects(): number {
    return this.#objects
  }

  of(type: CompiledInterface): number {
    return this.#counts[type.index]!
  }

  /** The limit that one more object would break. Else it is counted. */
  add(type: CompiledInterface): Limit | undefined {
    const limits = this.#limits()
    if (limits !== this.#known) this.#learn(limits)
    if (this.#counts[type.index]! >= this.#most[type.index]!) return this.#kinds[type.index]
    if (this.#objects >= limits.objects) return 'objects'
    if (this.#unit.objects >= limits.objectsPerUnit) return 'objectsPerUnit'
    this.#counts[type.index]! += 1
    this.#objects += 1
    this.#unit.objects += 1
    return undefined
  }

  /** A policy may come with others at any time; looking each up by its name would be half of the work. */
  #learn(limits: Limits): void {
    this.#known = limits
    this.#kinds.forEach((kind, index) => {
      this.#most[index] = kind === undefined ? Number.POSITIVE_INFINITY : limits[kind]
    })
  }

  remove(type: CompiledInterface): void {
    this.#counts[type.index]! -= 1
    this.#objects -= 1
    this.#unit.objects -= 1
  }

  /** The client has gone with all it held. */
  clear(): void {
    this.#unit.objects -= this.#objects
    this.#objects = 0
    this.#counts.fill(0)
  }
}
