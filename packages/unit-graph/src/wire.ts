import type { Absent, Grant } from './grant.js'

export type WireEnd = Grant | Absent

/** One need, bound: to a grant, or to nothing on purpose. */
export interface Wire {
  /** Key of the consuming unit. */
  readonly unit: string
  readonly need: string
  readonly to: WireEnd
}
