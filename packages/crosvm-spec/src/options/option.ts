import type { ReadContext } from '../grammar/cursor.js'

/** Architectures that crosvm can be built for; POWER is not among them. */
export type Architecture = 'x86_64' | 'aarch64' | 'riscv64'

/**
 * The Cargo features of crosvm that bring options. A binary without one does not know its options: see
 * {@link absentOptions}.
 */
export type Feature =
  | 'android_display'
  | 'audio'
  | 'balloon'
  | 'gdb'
  | 'gpu'
  | 'media'
  | 'net'
  | 'pci-hotplug'
  | 'pvclock'
  | 'swap'
  | 'usb'
  | 'video-decoder'
  | 'video-encoder'
  | 'vtpm'

export interface OptionLimits {
  readonly short?: string
  /** Absent: every architecture. */
  readonly architectures?: readonly Architecture[]
  /** All of these must be compiled in. */
  readonly features?: readonly Feature[]
}

/** An option of the command line and where a spec keeps it. */
export interface Option<Draft> extends OptionLimits {
  /** Without dashes: `shared-dir`. */
  readonly name: string
  /** `switch` takes no value; `one` may be given once; `many` accumulates. */
  readonly arity: 'switch' | 'one' | 'many'
  /** The property of the spec, for messages: `boot.initrd`. */
  readonly property: string
  /** The text of each value to print, in order; a switch gives an empty text. Throws Refusal. */
  print(spec: Draft): readonly string[]
  /** Puts a value that was read into the draft. Throws Refusal. */
  read(draft: Draft, text: string, context: ReadContext): void
}
