import type { ControlError } from '../control/errors.js'
import type { AbsentOption } from '../errors.js'
import type { ProbeError } from '../probe.js'
import type { MissingPrerequisite } from './missing.js'
import type { CrosvmEnd } from './running.js'

/** Why there is no running crosvm. Whatever was started has ended by then. Messages say what to do. */
export type SpawnError =
  /**
   * The host lacks what the machine takes for granted. Nothing was started, as with the three kinds after it.
   */
  | {
      readonly kind: 'prerequisites'
      readonly message: string
      /** Each with its remedy. */
      readonly missing: readonly MissingPrerequisite[]
    }
  /** The binary lacks options that the machine needs. */
  | {
      readonly kind: 'absent-options'
      readonly message: string
      /** Each with the feature that brings it. */
      readonly options: readonly AbsentOption[]
    }
  /** The binary did not tell its options. */
  | {
      readonly kind: 'probe-failed'
      readonly message: string
      /** What the probe said; match on its `kind`. */
      readonly cause: ProbeError
    }
  /**
   * The machine names other inherited descriptors than were given, or one below 3 or above 1023. `numbers`:
   * which, in crosvm.
   */
  | {
      readonly kind: 'wrong-descriptors'
      readonly message: string
      /** Of descriptors, as crosvm's process has them. */
      readonly numbers: readonly number[]
    }
  /** The program could not be executed; `cause` is what the power rejected with. */
  | {
      readonly kind: 'not-executed'
      readonly message: string
      /** What the power rejected with. */
      readonly cause: unknown
    }
  /** crosvm ended before it answered. `message` has the last error of its log. */
  | {
      readonly kind: 'ended'
      readonly message: string
      /** How it ended, with its log. */
      readonly end: CrosvmEnd
    }
  /** crosvm ran and did not answer in time; it was killed. */
  | {
      readonly kind: 'not-ready'
      readonly message: string
      /** What the control socket said last. */
      readonly cause: ControlError
    }
  /** The caller aborted, or the time was over before anything was started. */
  | { readonly kind: 'aborted'; readonly message: string }
