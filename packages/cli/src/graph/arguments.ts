import { parseArgs } from 'node:util'
import { ok, type Result } from 'neverthrow'
import type { Command } from '../arguments.js'
import { read, type UsageError, wrong } from '../words.js'
import { type GraphCommand, graphForms, graphWords } from './command.js'

export function parseGraphCommand(
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
