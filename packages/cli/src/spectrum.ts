import { type Command, parseCommandLine } from './arguments.js'
import { complete } from './completion/complete.js'
import { completionScript } from './completion/scripts.js'
import { doctor } from './doctor.js'
import { escapeLines } from './escape.js'
import { fetchKernel } from './fetch-kernel.js'
import { gc } from './gc.js'
import { answer } from './graph/answer.js'
import { exec } from './host/exec.js'
import { inject } from './host/inject.js'
import { logs } from './host/logs.js'
import { ps } from './host/ps.js'
import { stop } from './host/stop.js'
import type { CommandPowers, Sink } from './powers.js'
import { run } from './run.js'
import { up } from './up.js'
import { usage } from './usage.js'

type Carried<Kind extends Command['kind']> = (
  command: Extract<Command, { readonly kind: Kind }>,
  powers: CommandPowers,
) => Promise<number>

/** What each command does. Resolves with the exit status. */
const carriedOut: { readonly [Kind in Command['kind']]: Carried<Kind> } = {
  ...{ run, up, ps, exec, inject, logs, stop, gc, doctor },
  ...{ graph: answer, explain: answer, 'who-can': answer, authority: answer, diff: answer },
  'fetch-kernel': (_, powers) => fetchKernel(powers),
  complete: ({ words }, powers) => complete(words, powers),
  completion: ({ shell }, { stdout }) => print(completionScript(shell), stdout),
  help: ({ topic }, { stdout }) => print(usage[topic], stdout),
  version: (_, { stdout, version }) => print(`spectrum ${version}\n`, stdout),
}

async function print(text: string, to: Sink): Promise<number> {
  await to.write(text)
  return 0
}

/**
 * The `spectrum` command: reads the arguments after its name, does it, resolves with the exit status: 2 for
 * what it does not understand, else as `spectrum COMMAND --help` says. A whole program is
 * `process.exit(await spectrum(process.argv.slice(2), await linuxCommandPowers()))`.
 *
 * @example
 * ```ts
 * import { spectrum } from '@spectrum/cli'
 * import { linuxCommandPowers } from '@spectrum/cli/linux'
 *
 * process.exit(await spectrum(['doctor', '--json'], await linuxCommandPowers()))
 * ```
 */
export async function spectrum(words: readonly string[], powers: CommandPowers): Promise<number> {
  const parsed = parseCommandLine(words)
  if (parsed.isErr()) {
    const { message, topic } = parsed.error
    const help = topic === 'spectrum' ? 'spectrum --help' : `spectrum ${topic} --help`
    await powers.stderr.write(`spectrum: ${escapeLines(message)}\nTry: ${help}\n`)
    return 2
  }
  const command = parsed.value
  // The table has for each kind what takes that kind.
  return (carriedOut[command.kind] as (command: Command, powers: CommandPowers) => Promise<number>)(
    command,
    powers,
  )
}
