import type { Feature } from './options/option.js'

/** Why a description is no machine. Every message says what to change. */
export type SpecError =
  /** crosvm runs on x86_64, aarch64 and riscv64. */
  | { readonly kind: 'unsupported-architecture'; readonly message: string; readonly architecture: string }
  /** A value that crosvm has no way to be told, or would misread. */
  | {
      readonly kind: 'unrepresentable'
      readonly message: string
      readonly property: string
      readonly option: string
    }
  /** A property that crosvm does not have. */
  | { readonly kind: 'unknown-property'; readonly message: string; readonly property: string }
  /** Options that exclude or require one another. */
  | { readonly kind: 'conflict'; readonly message: string; readonly property: string }
  /** An option that crosvm for this architecture does not have. */
  | {
      readonly kind: 'wrong-architecture'
      readonly message: string
      readonly property: string
      readonly option: string
    }

/** Why an argument vector gives no machine. */
export type ArgvError =
  /** crosvm would exit with status 35. `index` counts the given arguments from 0. */
  | { readonly kind: 'malformed'; readonly message: string; readonly index: number; readonly option?: string }
  /** crosvm parses the option, a machine does not keep it: the message names what to use instead. */
  | {
      readonly kind: 'not-covered'
      readonly message: string
      readonly index: number
      readonly option: string
    }
  /** It parses but is no machine. */
  | { readonly kind: 'no-machine'; readonly message: string; readonly errors: readonly SpecError[] }

/** A machine that needs what this binary lacks. */
export interface AbsentOption {
  readonly kind: 'absent-option'
  readonly message: string
  readonly option: string
  readonly property: string
  /** The Cargo features to build crosvm with; empty when the binary is older or newer than the option. */
  readonly features: readonly Feature[]
}
