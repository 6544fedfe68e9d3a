import type { ControlFailureKind } from './control/messages.js'

/** Everything that can go wrong with a view, from the host's side. */
export type ViewError =
  /** What the view itself refused: `already-granted`, `not-granted`, `too-many-grants`, `unsupported-file` … */
  | { readonly kind: ControlFailureKind; readonly message: string }
  | {
      readonly kind: 'missing-path'
      readonly message: string
      /** Absolute path on the host. */
      readonly path: string
    }
  /** Its program did not start. `output`: the end of what it said, escaped. */
  | {
      readonly kind: 'not-started'
      readonly message: string
      /** The end of what it said on standard error, escaped. */
      readonly output: string
    }
  /** Its program has ended, or says what makes no sense. */
  | { readonly kind: 'view-lost'; readonly message: string }
  | { readonly kind: 'closed'; readonly message: string }
  | { readonly kind: 'timed-out'; readonly message: string }
  | { readonly kind: 'aborted'; readonly message: string }
  | {
      readonly kind: 'system'
      readonly message: string
      /** The system's name of the error (errno(3)). */
      readonly code?: string
      /** What was thrown, where something was. */
      readonly cause?: unknown
    }
