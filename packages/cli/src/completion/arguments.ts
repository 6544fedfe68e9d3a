import { parseArgs } from 'node:util'
import { ok, type Result } from 'neverthrow'
import type { Command } from '../arguments.js'
import { read, type UsageError, wrong } from '../words.js'
import { type Shell, shells } from './scripts.js'

/** `spectrum completion`, and `spectrum complete`, which the shell asks for words. */
export type CompletionCommand =
  /** Prints what the shell is to load. */
  | { readonly kind: 'completion'; readonly shell: Shell }
  /**
   * What the scripts ask: how the last of the words may go on. The words are those after `spectrum`, up
   * to the cursor.
   */
  | { readonly kind: 'complete'; readonly words: readonly string[] }

export function parseCompletion(words: readonly string[]): Result<Command, UsageError> {
  return read('completion', () =>
    parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { help: { type: 'boolean', short: 'h' } },
    }),
  ).andThen(({ values, positionals }): Result<Command, UsageError> => {
    if (values.help === true) return ok({ kind: 'help', topic: 'completion' })
    const shell = shells.find((known) => known === positionals[0])
    if (shell === undefined || positionals.length > 1)
      return wrong('completion', `Write it as: spectrum completion ${shells.join('|')}.`)
    return ok({ kind: 'completion', shell })
  })
}

export function parseComplete(words: readonly string[]): Result<Command, UsageError> {
  if (words[0] !== '--') return wrong('completion', 'Write it as: spectrum complete -- [WORD]....')
  return ok({ kind: 'complete', words: words.slice(1) })
}
