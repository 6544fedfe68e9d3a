import { parseArgs } from 'node:util'
import { err, ok, type Result } from 'neverthrow'
import { type GraphCommand, graphForms, graphWords, isGraphVerb } from './graph/command.js'

/** What the person asked for, checked. */
export type Command =
  | { readonly kind: 'help'; readonly topic: Topic }
  | { readonly kind: 'version' }
  | { readonly kind: 'doctor'; readonly json: boolean }
  | GraphCommand
  | RunCommand

export type Topic = 'spectrum' | 'doctor' | 'run' | GraphCommand['kind']

export interface RunCommand {
  readonly kind: 'run'
  /** Store paths whose closure the unit sees. */
  readonly closure: readonly string[]
  /** At least one; `argv[0]` is an absolute path in the unit. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly memoryBytes: number | undefined
  /** For the command itself, once the unit runs. */
  readonly timeoutMs: number | undefined
  readonly stdin: 'closed' | 'open'
  /** Whether a terminal gets the program's bytes as they are. */
  readonly raw: boolean
}

/** The command line says something that is not understood. Nothing was started. */
export interface UsageError {
  readonly kind: 'usage'
  readonly message: string
  readonly topic: Topic
}

const mebibyte = 1024 * 1024
const memoryMiB = { least: 64, most: 1024 * 1024 }
/** What a timer can hold. */
const longestTimeoutS = 2_000_000

/** Reads the arguments after the program's name. */
export function parseCommandLine(words: readonly string[]): Result<Command, UsageError> {
  const [first, ...rest] = words
  switch (first) {
    case undefined:
      return wrong('spectrum', 'Say what to do: run, or one of the commands that spectrum --help lists.')
    case '--help':
    case '-h':
      return ok({ kind: 'help', topic: 'spectrum' })
    case '--version':
      return ok({ kind: 'version' })
    case 'doctor':
      return parseDoctor(rest)
    case 'run':
      return parseRun(rest)
    default:
      if (isGraphVerb(first)) return parseGraphCommand(first, rest)
      return wrong(
        'spectrum',
        first.startsWith('-') ? `There is no option ${first}.` : `There is no command "${first}".`,
      )
  }
}

function parseDoctor(words: readonly string[]): Result<Command, UsageError> {
  return read('doctor', () =>
    parseArgs({
      args: [...words],
      options: { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    }),
  ).map(
    ({ values }): Command =>
      values.help === true
        ? { kind: 'help', topic: 'doctor' }
        : { kind: 'doctor', json: values.json === true },
  )
}

function parseGraphCommand(
  kind: GraphCommand['kind'],
  words: readonly string[],
): Result<Command, UsageError> {
  const json = { type: 'boolean' } as const
  return read(kind, () =>
    parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        ...(kind === 'graph' ? { as: { type: 'string' } as const } : { json }),
      },
    }),
  ).andThen(({ values, positionals }): Result<Command, UsageError> => {
    if (values.help === true) return ok({ kind: 'help', topic: kind })
    const names = graphWords[kind]
    const [first = '', second = '', third = ''] = positionals
    if (positionals.length !== names.length || positionals.includes(''))
      return wrong(kind, `Write it as: spectrum ${kind} ${names.join(' ')}.`)
    const json = 'json' in values && values.json === true
    switch (kind) {
      case 'graph': {
        const form = ('as' in values ? values.as : undefined) ?? 'table'
        const as = graphForms.find((known) => known === form)
        if (as === undefined) return wrong(kind, `--as takes one of ${graphForms.join(', ')}, not "${form}".`)
        return ok({ kind, file: first, as })
      }
      case 'explain':
        return ok({ kind, file: first, from: second, to: third, json })
      case 'who-can':
        return ok({ kind, file: first, service: second, json })
      case 'authority':
        return ok({ kind, file: first, unit: second, json })
      case 'diff':
        return ok({ kind, before: first, after: second, json })
    }
  })
}

function parseRun(words: readonly string[]): Result<Command, UsageError> {
  // What follows `--` belongs to the unit, whatever it looks like.
  const separator = words.indexOf('--')
  const ours = separator < 0 ? words : words.slice(0, separator)
  const argv = separator < 0 ? [] : words.slice(separator + 1)
  return read('run', () =>
    parseArgs({
      args: [...ours],
      options: {
        closure: { type: 'string', multiple: true },
        memory: { type: 'string' },
        env: { type: 'string', multiple: true },
        timeout: { type: 'string' },
        interactive: { type: 'boolean', short: 'i' },
        raw: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }),
  ).andThen(({ values }): Result<Command, UsageError> => {
    if (values.help === true) return ok({ kind: 'help', topic: 'run' })
    const closure = values.closure ?? []
    if (closure.length === 0) return wrong('run', 'Name what the unit may see: --closure /nix/store/….')
    const program = argv[0]
    if (program === undefined || program === '')
      return wrong(
        'run',
        'Name the command after "--": spectrum run --closure P -- /nix/store/…/bin/program.',
      )
    if (!program.startsWith('/'))
      return wrong('run', `A unit has no search path: name the whole path of "${program}" in the unit.`)
    return environment(values.env ?? []).andThen((env) =>
      wholeNumber('--memory', values.memory, 'MiB', memoryMiB.least, memoryMiB.most).andThen((memory) =>
        seconds(values.timeout).map(
          (timeoutMs): RunCommand => ({
            kind: 'run',
            closure,
            argv,
            env,
            memoryBytes: memory === undefined ? undefined : memory * mebibyte,
            timeoutMs,
            stdin: values.interactive === true ? 'open' : 'closed',
            raw: values.raw === true,
          }),
        ),
      ),
    )
  })
}

function environment(assignments: readonly string[]): Result<Record<string, string>, UsageError> {
  const entries: [string, string][] = []
  for (const assignment of assignments) {
    const at = assignment.indexOf('=')
    if (at <= 0) return wrong('run', `--env takes NAME=VALUE, not "${assignment}".`)
    entries.push([assignment.slice(0, at), assignment.slice(at + 1)])
  }
  // Not by assignment: a variable may be called __proto__.
  return ok(Object.fromEntries(entries))
}

function wholeNumber(
  option: string,
  text: string | undefined,
  unit: string,
  least: number,
  most: number,
): Result<number | undefined, UsageError> {
  if (text === undefined) return ok(undefined)
  const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return ok(value)
  return wrong('run', `${option} takes a whole number of ${unit} from ${least} to ${most}, not "${text}".`)
}

function seconds(text: string | undefined): Result<number | undefined, UsageError> {
  if (text === undefined) return ok(undefined)
  const value = /^[0-9]{1,9}(\.[0-9]{1,3})?$/.test(text) ? Number(text) : Number.NaN
  if (value > 0 && value <= longestTimeoutS) return ok(value * 1000)
  return wrong('run', `--timeout takes seconds, more than 0 and at most ${longestTimeoutS}, not "${text}".`)
}

function read<T>(topic: Topic, parse: () => T): Result<T, UsageError> {
  try {
    return ok(parse())
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    // Node's sentence names the option; what it advises about `--` is only half true here.
    return wrong(topic, `${cause.message.split('. ')[0]?.replace(/\.$/, '')}.`)
  }
}

const wrong = (topic: Topic, message: string): Result<never, UsageError> =>
  err({ kind: 'usage', message, topic })
