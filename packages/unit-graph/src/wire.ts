import type { Absent, Grant } from './grant.js'

/** What a need may be bound to: a grant, or nothing on purpose. */
export type WireEnd = Grant | Absent

/** One need, bound: to a grant, or to nothing on purpose. */
export interface Wire {
  /** Key of the consuming unit. */
  readonly unit: string
  /** Key of the need in its definition. */
  readonly need: string
  /** What it is bound to. */
  readonly to: WireEnd
}
