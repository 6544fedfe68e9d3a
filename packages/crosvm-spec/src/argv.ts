import { err, ok, type Result } from 'neverthrow'
import type { HostFacts } from './constraints.js'
import type { ArgvError, SpecError } from './errors.js'
import { Refusal, refuse, Unsound } from './grammar/refusal.js'
import { readWhole } from './grammar/shape.js'
import { resolvePath } from './grammar/text.js'
import type { CrosvmMachine, Draft, Logging } from './machine.js'
import { globalShapes } from './options/life.js'
import type { Architecture, Option } from './options/option.js'
import { deprecated, options } from './options/table.js'
import { type CrosvmSpec, crosvmSpec, printLogging } from './spec.js'

/**
 * The arguments for crosvm, without its own name: `--extended-status` first, one `--name=value` for each option,
 * the kernel last. Total: whatever a spec holds can be printed.
 *
 * @example
 * ```ts
 * import { crosvmSpec, printArgv } from '@spectrum/crosvm-spec'
 *
 * const boot = { kind: 'kernel', path: '/boot/vmlinux' } as const
 * crosvmSpec({ architecture: 'x86_64', boot, usb: false }).map(printArgv)
 * // ['--extended-status', 'run', '--no-usb', '/boot/vmlinux']
 * ```
 */
export function printArgv(spec: CrosvmSpec): readonly string[] {
  const argv = ['--extended-status', ...printLogging(spec), 'run']
  for (const option of options) {
    for (const text of option.print(spec as Draft)) {
      argv.push(option.arity === 'switch' ? `--${option.name}` : `--${option.name}=${text}`)
    }
  }
  if (spec.boot.kind === 'kernel') argv.push(spec.boot.path)
  return argv
}

/** How a command line is read back. */
export interface ParseOptions {
  /** The command line does not say for which architecture it is. */
  readonly architecture: Architecture
  /** An absolute path from which relative ones are taken; without it they are refused. */
  readonly workingDirectory?: string | undefined
  /** As for {@link crosvmSpec}. Default: nothing is known. */
  readonly host?: HostFacts | undefined
}

/**
 * The machine that crosvm would make of these arguments (without its own name). The inverse of {@link printArgv},
 * and it reads every other spelling that crosvm reads of the options that a machine covers.
 *
 * Errors: `malformed` where crosvm would not parse it, `not-covered` for deprecated options, `no-machine` where
 * {@link crosvmSpec} would refuse the result. Source: `prepare_argh_args` of crosvm's main.rs and `RunCommand` of
 * its cmdline.rs.
 *
 * @example
 * ```ts
 * import { parseArgv, printArgv } from '@spectrum/crosvm-spec'
 *
 * const spec = parseArgv(['run', '--mem', '256', '/boot/vmlinux'], { architecture: 'x86_64' })
 * if (spec.isOk()) console.log(printArgv(spec.value)) // ['--extended-status', 'run', '--mem=size=256', '/boot/vmlinux']
 * else console.log(spec.error.kind, spec.error.message)
 * ```
 */
export function parseArgv(argv: readonly string[], parse: ParseOptions): Result<CrosvmSpec, ArgvError> {
  const reader = new ArgvReader(argv, parse)
  try {
    reader.read()
  } catch (cause) {
    if (cause instanceof NotCovered) {
      return err({ kind: 'not-covered', message: cause.message, index: reader.index, option: cause.option })
    }
    if (!(cause instanceof Refusal)) throw cause
    const option = reader.option
    const message = option === undefined ? cause.message : `--${option}: ${cause.message}`
    return err({
      kind: 'malformed',
      message,
      index: reader.index,
      ...(option === undefined ? {} : { option }),
    })
  }
  const made = crosvmSpec(reader.draft as CrosvmMachine, parse.host)
  const errors = reader.unsound.length > 0 ? reader.unsound : made.isErr() ? made.error : []
  if (made.isOk() && errors.length === 0) return ok(made.value)
  return err({ kind: 'no-machine', message: errors.map((error) => error.message).join('; '), errors })
}

class NotCovered extends Refusal {
  readonly option: string

  constructor(option: string, instead: string) {
    super(`--${option} is not kept in a machine: use ${instead}`)
    this.option = option
  }
}

const byName = new Map(options.map((option) => [`--${option.name}`, option]))
const byShort = new Map(options.flatMap((option) => (option.short ? [[`-${option.short}`, option]] : [])))
const SHORT_DEPRECATED: Readonly<Record<string, string>> = { '-d': 'disk', '-r': 'root' }

/** crosvm's own preparation: `--a=b` becomes two words, `-h` becomes `--help`, even where it is a value. */
function prepared(argv: readonly string[]): { readonly words: string[]; readonly from: number[] } {
  const words: string[] = []
  const from: number[] = []
  const push = (index: number, ...parts: string[]) => {
    words.push(...parts)
    for (const _ of parts) from.push(index)
  }
  argv.forEach((word, index) => {
    const equals = word.indexOf('=')
    if (word === '--host_ip') push(index, '--host-ip')
    else if (word === '-h') push(index, '--help')
    else if (word.length > 1 && word.startsWith('-') && equals > 0) {
      push(index, word.slice(0, equals), word.slice(equals + 1))
    } else push(index, word)
  })
  return { words, from }
}

// A machine cannot hold the first without the second; a command line can, and crosvm refuses it.
const NEEDS: Readonly<Record<string, string>> = {
  'unmap-guest-memory-on-fork': 'disable-sandbox',
  'enable-hwp': 'host-cpu-topology',
  itmt: 'enable-hwp',
}

class ArgvReader {
  readonly draft: Draft
  option: string | undefined
  /** What crosvm parses and no machine holds. Reading goes on: something later may not even parse. */
  readonly unsound: SpecError[] = []
  readonly #words: string[]
  readonly #from: number[]
  readonly #parse: ParseOptions
  #next = 0
  readonly #seen = new Set<string>()

  constructor(argv: readonly string[], parse: ParseOptions) {
    const { words, from } = prepared(argv)
    this.#words = words
    this.#from = from
    this.#parse = parse
    this.draft = { architecture: parse.architecture }
  }

  /** Which of the given arguments was read last. */
  get index(): number {
    return this.#from[Math.max(0, this.#next - 1)] ?? 0
  }

  read(): void {
    this.#readGlobals()
    let ended = false
    while (this.#next < this.#words.length) {
      const word = this.#take()
      this.option = undefined
      if (ended || !word.startsWith('-')) {
        if (!ended && word === 'help') refuse('a kernel called help prints the usage: give its absolute path')
        this.#readKernel(word)
      } else if (word === '--') ended = true
      else this.#readOption(word)
    }
    this.option = undefined
    for (const [name, needed] of Object.entries(NEEDS)) {
      if (this.#seen.has(name) && !this.#seen.has(needed)) refuse(`--${name} needs --${needed}`)
    }
  }

  #take(): string {
    const word = this.#words[this.#next]
    this.#next += 1
    return word ?? refuse('a value is missing at the end')
  }

  #readGlobals(): void {
    const logging: { -readonly [K in keyof Logging]: Logging[K] } = {}
    for (;;) {
      const word = this.#take()
      if (word === 'run') break
      if (word === '--extended-status') continue
      if (word === '--no-syslog') logging.syslog = false
      else if (word === '--log-level') logging.level = readWhole(globalShapes.level, this.#take())
      else if (word === '--syslog-tag') logging.syslogTag = readWhole(globalShapes.tag, this.#take())
      else refuse(`'${word}' is no option before run: only run's arguments describe a machine`)
    }
    if (Object.keys(logging).length > 0) this.draft.logging = logging
  }

  #readKernel(word: string): void {
    if (this.draft.boot?.kind === 'bios') refuse('a machine boots a kernel or a bios, not both')
    if (this.draft.boot !== undefined) refuse(`'${word}' is a second kernel`)
    this.draft.boot = { kind: 'kernel', path: word }
    this.#collect('boot', () => {
      this.draft.boot = { kind: 'kernel', path: resolvePath({ context: this.#parse }, word, 'the kernel') }
    })
  }

  #collect(property: string, read: () => void): void {
    try {
      read()
    } catch (cause) {
      if (!(cause instanceof Unsound)) throw cause
      const option = this.option ?? 'KERNEL'
      const message = `${option === 'KERNEL' ? option : `--${option}`}: ${cause.message}`
      this.unsound.push({ kind: 'unrepresentable', option, property, message })
    }
  }

  #readOption(word: string): void {
    if (word === '--help') refuse('--help prints the usage')
    const option = byName.get(word) ?? byShort.get(word)
    if (!option) {
      const name = SHORT_DEPRECATED[word] ?? word.slice(2)
      if (Object.hasOwn(deprecated, name)) throw new NotCovered(name, deprecated[name]!)
      refuse(`crosvm has no option ${word} after run`)
    }
    this.option = option.name
    this.#collect(option.property, () => this.#readValue(option))
  }

  #readValue(option: Option<Draft>): void {
    if (option.architectures && !option.architectures.includes(this.#parse.architecture)) {
      refuse(`exists on ${option.architectures.join(' and ')} only`)
    }
    if (option.arity === 'switch') {
      if (this.#seen.has(option.name)) return
      this.#seen.add(option.name)
      option.read(this.draft, '', this.#parse)
      return
    }
    if (option.arity === 'one' && this.#seen.has(option.name)) refuse('is given twice')
    this.#seen.add(option.name)
    option.read(this.draft, this.#take(), this.#parse)
  }
}
