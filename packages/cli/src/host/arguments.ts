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
import type { ExecCommand, HostCommand } from './command.js'

type Verb = HostCommand['kind']
type Parsed = Result<Command, UsageError>

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const
const help = { type: 'boolean', short: 'h' } as const
/** Of whatever runs a command in a unit. */
const ofCommands = {
  interactive: { type: 'boolean', short: 'i' },
  env: { type: 'string', multiple: true },
  timeout: text,
  raw: flag,
  help,
} as const

const mebibyte = 1024 * 1024
const memoryMiB = { least: 64, most: 1024 * 1024 }

const parsers: Readonly<Record<Verb, (words: readonly string[]) => Parsed>> = {
  run: parseRun,
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

function parseRun(words: readonly string[]): Parsed {
  const { ours, argv } = splitAtSeparator(words)
  return read('run', () =>
    parseArgs({
      args: ours,
      options: { ...ofCommands, closure: { type: 'string', multiple: true }, memory: text, arch: text },
    }),
  ).andThen(({ values }): Parsed => {
    if (values.help === true) return helpOn('run')
    const closure = values.closure ?? []
    if (closure.length === 0) return wrong('run', 'Name what the unit may see: --closure /nix/store/….')
    return commandIn('run', argv, values, 'spectrum run --closure P').andThen((command) =>
      wholeNumber('run', '--memory', values.memory, 'MiB', memoryMiB.least, memoryMiB.most).andThen(
        (memory) =>
          architecture('run', values.arch).map(
            (architecture): Command => ({
              kind: 'run',
              closure,
              ...command,
              memoryBytes: memory === undefined ? undefined : memory * mebibyte,
              architecture,
            }),
          ),
      ),
    )
  })
}

/** What `run` and `exec` say alike of the command. */
type CommandWords = Pick<ExecCommand, 'argv' | 'env' | 'timeoutMs' | 'stdin' | 'raw'>

function commandIn(
  topic: Verb,
  argv: readonly string[],
  values: {
    readonly interactive?: boolean | undefined
    readonly env?: readonly string[] | undefined
    readonly timeout?: string | undefined
    readonly raw?: boolean | undefined
  },
  example: string,
): Result<CommandWords, UsageError> {
  return commandFor(topic, argv, example).andThen((argv) =>
    environment(topic, values.env ?? []).andThen((env) =>
      seconds(topic, '--timeout', values.timeout).map(
        (timeoutMs): CommandWords => ({
          argv,
          env,
          timeoutMs,
          stdin: values.interactive === true ? 'open' : 'closed',
          raw: values.raw === true,
        }),
      ),
    ),
  )
}

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
  const { ours, argv } = splitAtSeparator(words)
  return read('exec', () =>
    parseArgs({
      args: ours,
      allowPositionals: true,
      options: { ...ofCommands, tty: { type: 'boolean', short: 't' }, cwd: text, host: text },
    }),
  ).andThen(({ values, positionals }): Parsed => {
    if (values.help === true) return helpOn('exec')
    const [unit] = positionals
    if (unit === undefined || unit === '' || positionals.length > 1)
      return wrong('exec', 'Write it as: spectrum exec UNIT -- /nix/store/…/bin/program.')
    const { cwd, host } = values
    if (cwd?.startsWith('/') === false)
      return wrong('exec', `--cwd takes an absolute path in the unit, not "${cwd}".`)
    return commandIn('exec', argv, values, `spectrum exec ${unit}`).map(
      (command): Command => ({ kind: 'exec', host, unit, ...command, cwd, terminal: values.tty === true }),
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
