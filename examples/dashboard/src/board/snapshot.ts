import type { UnitState } from '@spectrum/unit-runtime'

/** All that the page shows, but for the logs. Plain data; text in it may say anything and is never markup. */
export interface Snapshot {
  readonly host: { readonly monitor: string; readonly accelerator: string; readonly why: string }
  readonly units: readonly UnitView[]
  readonly edges: readonly EdgeView[]
  readonly memory: MemoryView
  /** Names of what may be added to a running unit. */
  readonly software: readonly string[]
  /** What was asked for from a page, the newest last. */
  readonly notices: readonly Notice[]
}

export interface UnitView {
  readonly name: string
  /** `not-started`: this host has not been asked to start it. */
  readonly state: UnitState | 'not-started'
  readonly why?: string
  readonly restarts: number
  readonly command?: { readonly argv: readonly string[]; readonly state: string }
  /** Base names of the store paths that it was granted. */
  readonly software: readonly string[]
  /** Base names of the store paths that were added while it ran. */
  readonly injected: readonly string[]
  /** How many store paths it sees. */
  readonly paths: number
  /** Bytes that its processes hold on the host. */
  readonly memoryBytes?: number
  readonly sharing?: SharingView
  readonly may: {
    readonly start: boolean
    /** `now`: it is being stopped, and its grace can be ended. */
    readonly stop: 'no' | 'yes' | 'now'
    /** Of `software`, what it has not got. */
    readonly inject: readonly string[]
  }
  /** Why it cannot be started although it does not run. */
  readonly hint?: string
}

/** Bytes of store contents, as the kernel counts them. */
export interface SharingView {
  /** What it holds. */
  readonly rssBytes: number
  /** The same, with each page split among those that hold it. */
  readonly pssBytes: number
  readonly sharesWith: readonly string[]
}

/** One wire of the graph. */
export interface EdgeView {
  readonly unit: string
  readonly need: string
  readonly service: string
  /** Absent: wired to nothing, on purpose. */
  readonly provider?: { readonly kind: 'unit' | 'host'; readonly name: string }
  readonly conditions: readonly string[]
  readonly allowed: number
  readonly refused: number
}

export interface MemoryView {
  readonly rssBytes: number
  readonly pssBytes: number
  readonly savedBytes: number
  /** Why the figures are not of now. */
  readonly problem?: string
}

export interface Notice {
  readonly id: number
  readonly unit: string
  readonly action: Command['kind']
  readonly state: 'under-way' | 'done' | 'failed'
  readonly text: string
}

export type Command =
  | { readonly kind: 'start' }
  /** `now`: without grace. */
  | { readonly kind: 'stop'; readonly now: boolean }
  | { readonly kind: 'inject'; readonly software: string }

/** Why nothing was done. */
export interface CommandRefusal {
  readonly kind: 'unknown-unit' | 'unknown-software' | 'not-now' | 'closing'
  readonly message: string
}

/** What a unit has said since; `seq` counts its lines, and what is missing was dropped. */
export interface UnitLines {
  readonly unit: string
  readonly lines: readonly {
    readonly seq: number
    readonly at: number
    readonly source: string
    readonly text: string
  }[]
}
