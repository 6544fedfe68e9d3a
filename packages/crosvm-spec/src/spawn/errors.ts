import type { ControlError } from '../control/errors.js'
import type { AbsentOption } from '../errors.js'
import type { ProbeError } from '../probe.js'
import type { MissingPrerequisite } from './missing.js'
import type { CrosvmEnd } from './running.js'

/** Why there is no running crosvm. Whatever was started has ended by then. */
export type SpawnError =
  /** The host lacks what the machine takes for granted. */
  | {
      readonly kind: 'prerequisites'
      readonly message: string
      readonly missing: readonly MissingPrerequisite[]
    }
  /** The binary lacks options that the machine needs. */
  | { readonly kind: 'absent-options'; readonly message: string; readonly options: readonly AbsentOption[] }
  | { readonly kind: 'probe-failed'; readonly message: string; readonly cause: ProbeError }
  /** The machine names other inherited descriptors than were given. */
  | { readonly kind: 'wrong-descriptors'; readonly message: string; readonly numbers: readonly number[] }
  /** The program could not be executed. */
  | { readonly kind: 'not-executed'; readonly message: string; readonly cause: unknown }
  /** crosvm ended before it answered. */
  | { readonly kind: 'ended'; readonly message: string; readonly end: CrosvmEnd }
  /** crosvm ran and did not answer in time; it was killed. */
  | { readonly kind: 'not-ready'; readonly message: string; readonly cause: ControlError }
  | { readonly kind: 'aborted'; readonly message: string }
