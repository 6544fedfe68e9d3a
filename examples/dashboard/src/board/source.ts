import type { Result } from 'neverthrow'
import type { Command, CommandRefusal, Snapshot, UnitLines } from './snapshot.js'

/** What is served to pages. */
export interface Source {
  /** Another number when the snapshot is another one. */
  readonly revision: number
  snapshot(): Snapshot
  /** Lines newer than those seen, by unit. Bounded: who comes late gets the newest. */
  linesAfter(seen: ReadonlyMap<string, number>): readonly UnitLines[]
  /** Calls back when there is a new revision or a new line, until it is disposed of. */
  watch(onChange: () => void): Disposable
  /** Begins what was asked for; what becomes of it is among the notices, by the number returned. */
  command(unit: string, command: Command): Result<number, CommandRefusal>
}
