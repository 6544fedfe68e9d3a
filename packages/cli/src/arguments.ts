import { parseArgs } from 'node:util'
import { ok, type Result } from 'neverthrow'
import { type CompletionCommand, parseComplete, parseCompletion } from './completion/arguments.js'
import { parseGraphCommand } from './graph/arguments.js'
import { type GraphCommand, isGraphVerb } from './graph/command.js'
import { isHostVerb, parseHostCommand } from './host/arguments.js'
import type { HostCommand } from './host/command.js'
import { read, type UsageError, wrong } from './words.js'

export type { UsageError }

/** What the person asked for, checked. `spectrum COMMAND --help` says the same of each in words. */
export type Command =
  /** `spectrum --help`, or `spectrum COMMAND --help`: prints the text about `topic`. */
  | { readonly kind: 'help'; readonly topic: Topic }
  /** `spectrum --version`. */
  | { readonly kind: 'version' }
  /** `spectrum doctor`. `json`: one JSON object instead of the table. */
  | { readonly kind: 'doctor'; readonly json: boolean }
  /** `spectrum fetch-kernel`. */
  | { readonly kind: 'fetch-kernel' }
  | GraphCommand
  | HostCommand
  | CompletionCommand

/** What there is a text about: the whole command, or one of its commands. */
export type Topic =
  | 'spectrum'
  | 'doctor'
  | 'fetch-kernel'
  | 'completion'
  | GraphCommand['kind']
  | HostCommand['kind']

/**
 * Reads the arguments after the program's name. Errors: `usage`, and then nothing is to be started.
 * `parseCommandLine(['ps', '--json'])` is `ok({ kind: 'ps', host: undefined, json: true })`.
 *
 * @example
 * ```ts
 * import { parseCommandLine } from '@spectrum/cli'
 *
 * const command = parseCommandLine(['run', '--closure', '/nix/store/…-box', '--', '/nix/store/…-box/bin/sh'])
 * if (command.isErr()) console.error(command.error.message, command.error.topic)
 * else if (command.value.kind === 'run') console.log(command.value.argv)
 * ```
 */
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
