import type { ExecOutcome, Leftovers, SharingReport } from '@spectrum/unit-runtime'

/** What `--json` prints on the last line. Sizes in bytes, times in the unit of their name. */
export interface DemoReport {
  monitor: string
  accelerator: string
  why: string
  units: UnitReport[]
  sharing: SharingReport
  injected: {
    path: string
    ms: number
    /** Names of the units whose `/nix/store` lists the path afterwards. */
    visibleIn: string[]
  }
  leftovers: Leftovers
  seconds: number
}

export interface UnitReport {
  name: string
  /** Store paths, sorted. */
  closure: readonly string[]
  /** Base names as the guest itself reads them, sorted. */
  storeListing: readonly string[]
  exec: { argv: readonly string[]; outcome: ExecOutcome; stdout: string }
}
