import { err, ok, type Result } from 'neverthrow'
import { complaints, type HostFacts } from './constraints.js'
import type { SpecError } from './errors.js'
import { Refusal, refuse } from './grammar/refusal.js'
import { checkPath, LONGEST_ARGUMENT } from './grammar/text.js'
import type { CrosvmMachine, Draft } from './machine.js'
import { globalShapes } from './options/life.js'
import type { Architecture } from './options/option.js'
import { options } from './options/table.js'

declare const checked: unique symbol

/** A machine that crosvm can be told exactly: checked, copied and frozen by {@link crosvmSpec}. */
export type CrosvmSpec = CrosvmMachine & { readonly [checked]: true }

const ARCHITECTURES: readonly Architecture[] = ['x86_64', 'aarch64', 'riscv64']

/** Half of what Linux gives the arguments and the environment together, by its default stack limit. */
const LONGEST_ARGV = 1_048_576

/**
 * Checks a description and gives it back as a value that always prints. It is copied: later changes to the
 * argument change nothing. Absent, `undefined` and an empty list mean the same. Plain data only, 8 levels deep
 * and 4096 items a list.
 *
 * All errors are given, not just the first: `unsupported-architecture`, `unrepresentable`, `unknown-property`,
 * `conflict`, `wrong-architecture`. Combinations are judged once each part is sound. Nothing of the host is
 * looked at: {@link prerequisites} says what it must have.
 *
 * @example
 * ```ts
 * import { crosvmSpec } from '@spectrum/crosvm-spec'
 *
 * const spec = crosvmSpec({
 *   architecture: 'x86_64',
 *   boot: { kind: 'kernel', path: '/boot/vmlinuz' },
 *   memoryMib: 256,
 *   pmem: [{ path: '/var/cache/blob', readOnly: true }],
 *   usb: false,
 * })
 * if (spec.isErr()) throw new Error(spec.error.map(({ message }) => message).join('\n'))
 * ```
 */
export function crosvmSpec(
  machine: CrosvmMachine,
  host: HostFacts = {},
): Result<CrosvmSpec, readonly SpecError[]> {
  const architecture: unknown = (machine as { architecture?: unknown } | undefined)?.architecture
  if (!ARCHITECTURES.includes(architecture as Architecture)) {
    const named = String(architecture)
    const message = `crosvm does not run on ${named}: use QEMU there, or one of ${ARCHITECTURES.join(', ')}`
    return err([{ kind: 'unsupported-architecture', message, architecture: named }])
  }
  const copy = copied(machine)
  if (copy.isErr()) return err([copy.error])
  const spec = copy.value as CrosvmSpec
  const errors = [...unknownProperties(spec), ...optionErrors(spec)]
  // Combinations are judged only where each part is sound: the rules may then take shapes for granted.
  if (errors.length === 0) {
    for (const { property, message } of complaints(spec, host))
      errors.push({ kind: 'conflict', property, message })
  }
  return errors.length === 0 ? ok(spec) : err(errors)
}

/** Where in a description something is wrong, for every option in turn. */
function optionErrors(spec: CrosvmMachine): SpecError[] {
  const errors: SpecError[] = []
  const attempt = (option: string, property: string, run: () => void) => {
    try {
      run()
    } catch (cause) {
      if (!(cause instanceof Refusal)) throw cause
      errors.push({ kind: 'unrepresentable', option, property, message: `${property}: ${cause.message}` })
    }
  }
  let bytes = 0
  attempt('KERNEL', 'boot', () => {
    checkBoot(spec)
  })
  attempt('log-level', 'logging', () => {
    printLogging(spec)
  })
  for (const option of options) {
    attempt(option.name, option.property, () => {
      const texts = option.print(spec as Draft)
      for (const text of texts) bytes += checkLength(option.name, text)
      if (texts.length > 0 && option.architectures && !option.architectures.includes(spec.architecture)) {
        const message = `${option.property} needs --${option.name}, which exists on ${option.architectures.join(' and ')} only`
        errors.push({ kind: 'wrong-architecture', message, option: option.name, property: option.property })
      }
    })
  }
  if (bytes > LONGEST_ARGV) {
    const message = `the arguments take ${bytes} bytes, more than the ${LONGEST_ARGV} that surely fit: describe less`
    errors.push({ kind: 'unrepresentable', option: 'run', property: '', message })
  }
  return errors
}

function checkLength(name: string, text: string): number {
  const length = Buffer.byteLength(text) + name.length + 3
  return length <= LONGEST_ARGUMENT
    ? length
    : refuse(`makes an argument of ${length} bytes; Linux has ${LONGEST_ARGUMENT}`)
}

export function checkBoot({ boot }: CrosvmMachine): void {
  if (boot === undefined) refuse('say what to boot: a kernel or a bios')
  if (boot.kind !== 'kernel' && boot.kind !== 'bios') refuse("kind must be 'kernel' or 'bios'")
  for (const property of Object.keys(boot)) {
    if (property !== 'kind' && property !== 'path') refuse(`unknown property '${property}'`)
  }
  checkLength('', checkPath(boot.path, 'boot.path'))
}

/** The options that must stand before `run`. */
export function printLogging({ logging }: CrosvmMachine): readonly string[] {
  if (logging === undefined) return []
  for (const property of Object.keys(logging)) {
    if (!['level', 'syslogTag', 'syslog'].includes(property)) refuse(`unknown property '${property}'`)
  }
  if (logging.syslog !== undefined && logging.syslog !== false) refuse('syslog must be false or absent')
  return [
    ...(logging.level === undefined ? [] : [`--log-level=${globalShapes.level.print(logging.level)}`]),
    ...(logging.syslogTag === undefined ? [] : [`--syslog-tag=${globalShapes.tag.print(logging.syslogTag)}`]),
    ...(logging.syslog === false ? ['--no-syslog'] : []),
  ]
}

const KNOWN = new Set([
  'architecture',
  'boot',
  'logging',
  ...options.map((option) => option.property.split('.')[0]!),
])

function unknownProperties(spec: CrosvmMachine): SpecError[] {
  return Object.keys(spec)
    .filter((property) => !KNOWN.has(property))
    .map((property) => {
      const message = `crosvm has no property '${property}': see CrosvmMachine`
      return { kind: 'unknown-property', property, message }
    })
}

/** A machine is a few levels deep. */
const DEEPEST = 8

function copied(machine: CrosvmMachine): Result<unknown, SpecError> {
  try {
    return ok(copy(machine, '', 0, true))
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause
    return err({ kind: 'unrepresentable', option: '', property: '', message: cause.message })
  }
}

/** Plain data only, each read once: what is checked is what is printed. */
function copy(value: unknown, at: string, depth: number, top = false): unknown {
  if (typeof value === 'function' || typeof value === 'symbol')
    refuse(`${at} is a ${typeof value}: give plain data`)
  if (value === null) refuse(`${at} is null: leave it out instead`)
  if (typeof value !== 'object') return value
  if (depth > DEEPEST) refuse(`${at} is nested too deeply`)
  if (Array.isArray(value)) {
    if (value.length > 4096) refuse(`${at} has more than 4096 items`)
    if (value.includes(undefined)) refuse(`${at} has an undefined item: leave it out instead`)
    return Object.freeze(Array.from(value, (item: unknown, index) => copy(item, `${at}.${index}`, depth + 1)))
  }
  const result: Record<string, unknown> = {}
  for (const [key, held] of Object.entries(value)) {
    const inner = copy(held, at === '' ? key : `${at}.${key}`, depth + 1)
    const empty = inner === undefined || (top && Array.isArray(inner) && inner.length === 0)
    if (key === '__proto__') refuse(`${at} has a property '__proto__'`)
    if (!empty) result[key] = inner
  }
  return Object.freeze(result)
}
