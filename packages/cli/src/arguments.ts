import { parseArgs } from 'node:util'
import { ok, type Result } from 'neverthrow'
import { type CompletionCommand, parseComplete, parseCompletion } from './completion/arguments.js'
import { parseGraphCommand } from './graph/arguments.js'
import { type GraphCommand, isGraphVerb } from './graph/command.js'
import { isHostVerb, parseHostCommand } from './host/arguments.js'
import type { HostCommand } from './host/command.js'
import { read, type UsageError, wrong } from './words.js'

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

export type Topic =
  | 'spectrum'
  | 'doctor'
  | 'fetch-kernel'
  | 'completion'
  | GraphCommand['kind']
  | HostCommand['kind']

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
