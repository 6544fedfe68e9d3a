import { err, ok, type Result } from 'neverthrow'
import type { Topic } from './arguments.js'

/**
 * The command line says something that is not understood. Nothing was started. The message quotes what was
 * written: escape it before a terminal gets it.
 */
export interface UsageError {
  readonly kind: 'usage'
  readonly message: string
  /** Whose text helps: `spectrum TOPIC --help`. */
  readonly topic: Topic
}

/** What a timer can hold. */
const longestTimeoutS = 2_000_000

export const wrong = (topic: Topic, message: string): Result<never, UsageError> =>
  err({ kind: 'usage', message, topic })

/** Carries out a parse by Node, whose complaint becomes one about this topic. */
export function read<T>(topic: Topic, parse: () => T): Result<T, UsageError> {
  try {
    return ok(parse())
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    // Node's sentence names the option; what it advises about `--` is only half true here.
    return wrong(topic, `${cause.message.split('. ')[0]?.replace(/\.$/, '')}.`)
  }
}

/** What the programs of units are compiled for. */
export type Architecture = 'x86_64' | 'aarch64' | 'powerpc64le'

/** As `uname -m` says it in such a unit, and as compilers do. */
const architectures: Readonly<Record<string, Architecture>> = {
  x86_64: 'x86_64',
  aarch64: 'aarch64',
  ppc64le: 'powerpc64le',
  powerpc64le: 'powerpc64le',
}

export const architectureNames = Object.keys(architectures)

export function architecture(
  topic: Topic,
  text: string | undefined,
): Result<Architecture | undefined, UsageError> {
  if (text === undefined) return ok(undefined)
  const known = Object.hasOwn(architectures, text) ? architectures[text] : undefined
  if (known !== undefined) return ok(known)
  return wrong(topic, `--arch takes one of ${architectureNames.join(', ')}, not "${text}".`)
}

/** What follows `--` belongs to the unit, whatever it looks like. */
export function splitAtSeparator(words: readonly string[]): {
  readonly ours: string[]
  readonly argv: readonly string[]
} {
  const separator = words.indexOf('--')
  return separator < 0
    ? { ours: [...words], argv: [] }
    : { ours: words.slice(0, separator), argv: words.slice(separator + 1) }
}

/** The command for a unit, whose program is named by its whole path. */
export function commandFor(
  topic: Topic,
  argv: readonly string[],
  example: string,
): Result<readonly string[], UsageError> {
  const program = argv[0]
  if (program === undefined || program === '')
    return wrong(topic, `Name the command after "--": ${example} -- /nix/store/…/bin/program.`)
  if (!program.startsWith('/'))
    return wrong(topic, `A unit has no search path: name the whole path of "${program}" in the unit.`)
  return ok(argv)
}

export function environment(
  topic: Topic,
  assignments: readonly string[],
): Result<Record<string, string>, UsageError> {
  const entries: [string, string][] = []
  for (const assignment of assignments) {
    const at = assignment.indexOf('=')
    if (at <= 0) return wrong(topic, `--env takes NAME=VALUE, not "${assignment}".`)
    entries.push([assignment.slice(0, at), assignment.slice(at + 1)])
  }
  // Not by assignment: a variable may be called __proto__.
  return ok(Object.fromEntries(entries))
}

export function wholeNumber(
  topic: Topic,
  option: string,
  text: string | undefined,
  unit: string,
  least: number,
  most: number,
): Result<number | undefined, UsageError> {
  if (text === undefined) return ok(undefined)
  const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return ok(value)
  return wrong(topic, `${option} takes a whole number of ${unit} from ${least} to ${most}, not "${text}".`)
}

/** Milliseconds. Zero is refused where it would mean nothing. */
export function seconds(
  topic: Topic,
  option: string,
  text: string | undefined,
  zero: 'zero' | 'no zero' = 'no zero',
): Result<number | undefined, UsageError> {
  if (text === undefined) return ok(undefined)
  const value = /^[0-9]{1,9}(\.[0-9]{1,3})?$/.test(text) ? Number(text) : Number.NaN
  if ((value > 0 || (zero === 'zero' && value === 0)) && value <= longestTimeoutS) return ok(value * 1000)
  const least = zero === 'zero' ? '0 or more' : 'more than 0'
  return wrong(topic, `${option} takes seconds, ${least} and at most ${longestTimeoutS}, not "${text}".`)
}
