import { parseArgs } from 'node:util'
import { ok, type Result } from 'neverthrow'
import type { Command } from '../arguments.js'
import {
  architecture,
  commandFor,
  environment,
  read,
  seconds,
  splitAtSeparator,
  type UsageError,
  wholeNumber,
  wrong,
} from '../words.js'
import type { HostCommand } from './command.js'

export type { HostCommand } from './command.js'

type Verb = HostCommand['kind']
type Parsed = Result<Command, UsageError>

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const
const help = { type: 'boolean', short: 'h' } as const

const parsers: Readonly<Record<Verb, (words: readonly string[]) => Parsed>> = {
  up: parseUp,
  ps: parsePs,
  exec: parseExec,
  inject: parseInject,
  logs: parseLogs,
  stop: parseStop,
  gc: parseGc,
}

export const isHostVerb = (word: string): word is Verb => Object.hasOwn(parsers, word)

export const parseHostCommand = (verb: Verb, words: readonly string[]): Parsed => parsers[verb](words)

const helpOn = (topic: Verb): Parsed => ok({ kind: 'help', topic })

function parseUp(words: readonly string[]): Parsed {
  return read('up', () =>
    parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { json: flag, grace: text, arch: text, help },
    }),
  ).andThen(({ values, positionals }): Parsed => {
    if (values.help === true) return helpOn('up')
    const [file] = positionals
    if (file === undefined || file === '' || positionals.length > 1)
      return wrong('up', 'Write it as: spectrum up FILE.')
    return seconds('up', '--grace', values.grace, 'zero').andThen((graceMs) =>
      architecture('up', values.arch).map(
        (architecture): Command => ({
          kind: 'up',
          file,
          json: values.json === true,
          architecture,
          graceMs,
        }),
      ),
    )
  })
}

function parsePs(words: readonly string[]): Parsed {
  return read('ps', () => parseArgs({ args: [...words], options: { json: flag, host: text, help } })).andThen(
    ({ values }): Parsed =>
      values.help === true ? helpOn('ps') : ok({ kind: 'ps', host: values.host, json: values.json === true }),
  )
}

function parseExec(words: readonly string[]): Parsed {
  const { ours, argv: rest } = splitAtSeparator(words)
  return read('exec', () =>
    parseArgs({
      args: ours,
      allowPositionals: true,
      options: {
        interactive: { type: 'boolean', short: 'i' },
        tty: { type: 'boolean', short: 't' },
        env: { type: 'string', multiple: true },
        cwd: text,
        timeout: text,
        raw: flag,
        host: text,
        help,
      },
    }),
  ).andThen(({ values, positionals }): Parsed => {
    if (values.help === true) return helpOn('exec')
    const [unit] = positionals
    if (unit === undefined || unit === '' || positionals.length > 1)
      return wrong('exec', 'Write it as: spectrum exec UNIT -- /nix/store/…/bin/program.')
    if (values.cwd?.startsWith('/') === false)
      return wrong('exec', `--cwd takes an absolute path in the unit, not "${values.cwd}".`)
    return commandFor('exec', rest, `spectrum exec ${unit}`).andThen((argv) =>
      environment('exec', values.env ?? []).andThen((env) =>
        seconds('exec', '--timeout', values.timeout).map(
          (timeoutMs): Command => ({
            kind: 'exec',
            host: values.host,
            unit,
            argv,
            env,
            cwd: values.cwd,
            timeoutMs,
            stdin: values.interactive === true ? 'open' : 'closed',
            terminal: values.tty === true,
            raw: values.raw === true,
          }),
        ),
      ),
    )
  })
}

function parseInject(words: readonly string[]): Parsed {
  return read('inject', () =>
    parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { json: flag, timeout: text, host: text, help },
    }),
  ).andThen(({ values, positionals }): Parsed => {
    if (values.help === true) return helpOn('inject')
    const [unit, ...paths] = positionals
    if (unit === undefined || unit === '' || paths.length === 0)
      return wrong('inject', 'Write it as: spectrum inject UNIT /nix/store/….')
    return seconds('inject', '--timeout', values.timeout).map((timeoutMs) => ({
      kind: 'inject',
      host: values.host,
      unit,
      paths,
      timeoutMs,
      json: values.json === true,
    }))
  })
}

function parseLogs(words: readonly string[]): Parsed {
  return read('logs', () =>
    parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        follow: { type: 'boolean', short: 'f' },
        lines: { type: 'string', short: 'n' },
        json: flag,
        host: text,
        help,
      },
    }),
  ).andThen(({ values, positionals }): Parsed => {
    if (values.help === true) return helpOn('logs')
    if (positionals.length > 1 || positionals[0] === '')
      return wrong('logs', 'Write it as: spectrum logs [UNIT].')
    return wholeNumber('logs', '--lines', values.lines, 'lines', 0, 100_000).map((lines) => ({
      kind: 'logs',
      host: values.host,
      unit: positionals[0],
      follow: values.follow === true,
      lines,
      json: values.json === true,
    }))
  })
}

function parseStop(words: readonly string[]): Parsed {
  return read('stop', () =>
    parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { json: flag, grace: text, host: text, help },
    }),
  ).andThen(({ values, positionals }): Parsed => {
    if (values.help === true) return helpOn('stop')
    if (positionals.length > 1 || positionals[0] === '')
      return wrong('stop', 'Write it as: spectrum stop [UNIT].')
    return seconds('stop', '--grace', values.grace, 'zero').map((graceMs) => ({
      kind: 'stop',
      host: values.host,
      unit: positionals[0],
      graceMs,
      json: values.json === true,
    }))
  })
}

function parseGc(words: readonly string[]): Parsed {
  return read('gc', () =>
    parseArgs({ args: [...words], options: { json: flag, 'dry-run': flag, help } }),
  ).andThen(
    ({ values }): Parsed =>
      values.help === true
        ? helpOn('gc')
        : ok({ kind: 'gc', dryRun: values['dry-run'] === true, json: values.json === true }),
  )
}
