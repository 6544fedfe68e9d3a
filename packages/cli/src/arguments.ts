import { parseArgs } from 'node:util'
import { ok, type Result } from 'neverthrow'
import { type CompletionCommand, parseComplete, parseCompletion } from './completion/arguments.js'
import { type GraphCommand, graphForms, graphWords, isGraphVerb } from './graph/command.js'
import { type HostCommand, isHostVerb, parseHostCommand } from './host/arguments.js'
import {
  type Architecture,
  architecture,
  commandFor,
  environment,
  read,
  seconds,
  splitAtSeparator,
  type UsageError,
  wholeNumber,
  wrong,
} from './words.js'

export type { UsageError }

/** What the person asked for, checked. */
export type Command =
  | { readonly kind: 'help'; readonly topic: Topic }
  | { readonly kind: 'version' }
  | { readonly kind: 'doctor'; readonly json: boolean }
  | { readonly kind: 'fetch-kernel' }
  | GraphCommand
  | HostCommand
  | CompletionCommand
  | RunCommand

export type Topic =
  | 'spectrum'
  | 'doctor'
  | 'fetch-kernel'
  | 'run'
  | 'completion'
  | GraphCommand['kind']
  | HostCommand['kind']

/** `spectrum run`: one unit, one command in it. */
export interface RunCommand {
  readonly kind: 'run'
  /** Store paths whose closure the unit sees. */
  readonly closure: readonly string[]
  /** At least one; `argv[0]` is an absolute path in the unit. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly memoryBytes: number | undefined
  /** Undefined: this machine's own. */
  readonly architecture: Architecture | undefined
  /** For the command itself, once the unit runs. */
  readonly timeoutMs: number | undefined
  readonly stdin: 'closed' | 'open'
  /** Whether a terminal gets the program's bytes as they are. */
  readonly raw: boolean
}

const mebibyte = 1024 * 1024
const memoryMiB = { least: 64, most: 1024 * 1024 }

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
    case 'fetch-kernel':
      return parseFetchKernel(rest)
    case 'run':
      return parseRun(rest)
    case 'completion':
      return parseCompletion(rest)
    case 'complete':
      return parseComplete(rest)
    default:
      if (isHostVerb(first)) return parseHostCommand(first, rest)
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

function parseFetchKernel(words: readonly string[]): Result<Command, UsageError> {
  return read('fetch-kernel', () =>
    parseArgs({ args: [...words], options: { help: { type: 'boolean', short: 'h' } } }),
  ).map(
    ({ values }): Command =>
      values.help === true ? { kind: 'help', topic: 'fetch-kernel' } : { kind: 'fetch-kernel' },
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
  const { ours, argv: rest } = splitAtSeparator(words)
  return read('run', () =>
    parseArgs({
      args: [...ours],
      options: {
        closure: { type: 'string', multiple: true },
        memory: { type: 'string' },
        arch: { type: 'string' },
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
    return commandFor('run', rest, 'spectrum run --closure P').andThen((argv) =>
      environment('run', values.env ?? []).andThen((env) =>
        wholeNumber('run', '--memory', values.memory, 'MiB', memoryMiB.least, memoryMiB.most).andThen(
          (memory) =>
            seconds('run', '--timeout', values.timeout).andThen((timeoutMs) =>
              architecture('run', values.arch).map(
                (architecture): RunCommand => ({
                  kind: 'run',
                  closure,
                  argv,
                  env,
                  memoryBytes: memory === undefined ? undefined : memory * mebibyte,
                  architecture,
                  timeoutMs,
                  stdin: values.interactive === true ? 'open' : 'closed',
                  raw: values.raw === true,
                }),
              ),
            ),
        ),
      ),
    )
  })
}
