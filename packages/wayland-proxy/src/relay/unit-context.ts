import type { Fd, Inbox, Inspection, UnixFdError } from '@spectrum/unix-fd'
import type { Result } from 'neverthrow'
import type { Capture } from '../diagnostics/capture.js'
import type { Recorder } from '../diagnostics/recorder.js'
import type { Policy } from '../policy/policy.js'
import type { Warning } from '../policy/warnings.js'
import type { CompiledInterface } from '../protocol/compile.js'
import type { ProtocolTable } from '../protocol/table.js'
import type { Carry } from '../transport/cross-domain.js'
import type { UnitCensus } from './census.js'
import type { Answerer } from './globals.js'
import type { Pace } from './pace.js'
import type { Routes } from './routes.js'
import type { Session } from './session.js'

/** What the relay needs of the world. */
export interface RelayPowers {
  /** For turns, rates, and how fresh a gesture of the user is. */
  readonly clock: {
    /** Milliseconds from some fixed time, never backwards. */
    now(): number
  }
  /** Calls back in the next turn of the event loop, after what is ready in this one was served. */
  soon(callback: () => void): void
  /** Calls back after so many milliseconds. */
  later(milliseconds: number, callback: () => void): void
  /** What a descriptor is: fstat(2) and friends. */
  inspect(fd: Fd): Result<Inspection, UnixFdError>
  /** For transfers of the clipboard. */
  readonly pipes: PipePowers
  /** Memory with this content, for the compositor alone, whose size is fixed. The caller owns it. */
  sharedMemory(content: Uint8Array): Result<Fd, UnixFdError>
  /** Where received bytes arrive first, for all sessions: each takes its own out at once. */
  readonly inbox: Inbox
}

/** For what crosses the unit's border through the proxy's hands. Nothing here ever waits. */
export interface PipePowers {
  /** Reading from `reader` never blocks; `writer` is for somebody else, who may. */
  open(): Result<{ readonly reader: Fd; readonly writer: Fd }, UnixFdError>
  /** The same pipe, opened so that writing never blocks whatever others set. Owns `fd`. */
  forWriting(fd: Fd): Result<Fd, UnixFdError>
  /** How many bytes came; 0 at the end. `again`: nothing now. */
  read(fd: Fd, bytes: Uint8Array): number | 'again' | 'failed'
  /** How many bytes it took. `again`: no room now. */
  write(fd: Fd, bytes: Uint8Array): number | 'again' | 'failed'
}

/** What the sessions of one unit share. */
export interface UnitContext {
  readonly table: ProtocolTable
  readonly routes: readonly Routes[]
  readonly powers: RelayPowers
  readonly census: UnitCensus
  /** What the way to the unit can carry. */
  readonly carry: Carry
  readonly trace: ((line: string) => void) | undefined
  readonly capture: Capture | undefined
  /** The interfaces that the proxy answers itself, by name. */
  readonly answerers: ReadonlyMap<string, Answerer>
  readonly recorder: Recorder
  readonly pace: Pace
  /** As of now: it may be replaced while sessions run. */
  readonly policy: Policy
  readonly sessions: ReadonlySet<Session>
  /** An interface that the table is known to have. */
  interfaceNamed(name: string): CompiledInterface
  /** Whether the unit has fewer descriptors on their way than its limit. */
  mayHoldDescriptors(): boolean
  /** Whether the unit's clients together leave less unread than their limit. */
  mayQueue(): boolean
  warn(warning: Warning): void
  /** Asks the user. Nobody there to ask, no answer in time: no. */
  ask(question: Question, answer: (granted: boolean) => void): void
}

/**
 * What the user is asked. `session`: which client, counted in its proxy. Types are what the unit or the
 * desktop wrote: escape them before they are shown.
 */
export type Question =
  /** May a window of this client cover the screen? */
  | { readonly kind: 'fullscreen'; readonly session: number }
  /** May this client read the desktop's clipboard, as this type? */
  | { readonly kind: 'paste'; readonly session: number; readonly mimeType: string }
  /** May what this client has copied become the desktop's clipboard, in these types? */
  | { readonly kind: 'copy'; readonly session: number; readonly mimeTypes: readonly string[] }
