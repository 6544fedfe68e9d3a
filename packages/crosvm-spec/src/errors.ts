import type { Feature } from './options/option.js'

/**
 * Why a description is no machine. Every message says what to change. `property` is a path in
 * {@link CrosvmMachine} such as `balloon.biasMib`, `option` an option of crosvm without dashes, or `KERNEL`.
 */
export type SpecError =
  /** crosvm runs on x86_64, aarch64 and riscv64. `architecture` is what was given, as text. */
  | {
      readonly kind: 'unsupported-architecture'
      readonly message: string
      /** What was given, as text. */
      readonly architecture: string
    }
  /** A value that crosvm has no way to be told, or would misread. */
  | {
      readonly kind: 'unrepresentable'
      readonly message: string
      /** A path in the machine: `balloon.biasMib`. */
      readonly property: string
      /** Of crosvm, without dashes; or `KERNEL`. */
      readonly option: string
    }
  /** A property that crosvm does not have. */
  | {
      readonly kind: 'unknown-property'
      readonly message: string
      /** A path in the machine: `balloon.biasMib`. */
      readonly property: string
    }
  /** Options that exclude or require one another. */
  | {
      readonly kind: 'conflict'
      readonly message: string
      /** A path in the machine: `balloon.biasMib`. */
      readonly property: string
    }
  /** An option that crosvm for this architecture does not have. */
  | {
      readonly kind: 'wrong-architecture'
      readonly message: string
      /** A path in the machine: `balloon.biasMib`. */
      readonly property: string
      /** Of crosvm, without dashes; or `KERNEL`. */
      readonly option: string
    }

/** Why an argument vector gives no machine. */
export type ArgvError =
  /**
   * crosvm would exit with status 35. `index` counts the given arguments from 0; `option` is its name without
   * dashes, where one was being read.
   */
  | {
      readonly kind: 'malformed'
      readonly message: string
      /** Of the argument, from 0. */
      readonly index: number
      /** Of crosvm, without dashes; or `KERNEL`. */
      readonly option?: string
    }
  /** crosvm parses the option, a machine does not keep it: the message names what to use instead. */
  | {
      readonly kind: 'not-covered'
      readonly message: string
      /** Of the argument, from 0. */
      readonly index: number
      /** Of crosvm, without dashes; or `KERNEL`. */
      readonly option: string
    }
  /** It parses but is no machine. `message` has those of all `errors`. */
  | {
      readonly kind: 'no-machine'
      readonly message: string
      /** Each with its property. */
      readonly errors: readonly SpecError[]
    }

/** A machine that needs what this binary lacks. */
export interface AbsentOption {
  readonly kind: 'absent-option'
  /** Which features to build crosvm with, or what to drop. */
  readonly message: string
  /** Without dashes: `shared-dir`. */
  readonly option: string
  /** Of {@link CrosvmMachine}: what needs it. */
  readonly property: string
  /** The Cargo features to build crosvm with; empty when the binary is older or newer than the option. */
  readonly features: readonly Feature[]
}
