import { parseCommandLine } from './arguments.js'
import { doctor } from './doctor.js'
import { escapeLines } from './escape.js'
import { answer } from './graph/answer.js'
import type { CommandPowers } from './powers.js'
import { run } from './run.js'
import { usage } from './usage.js'

/** The `spectrum` command: reads the arguments after its name, does it, resolves with the exit status. */
export async function spectrum(words: readonly string[], powers: CommandPowers): Promise<number> {
  const parsed = parseCommandLine(words)
  if (parsed.isErr()) {
    const { message, topic } = parsed.error
    const help = topic === 'spectrum' ? 'spectrum --help' : `spectrum ${topic} --help`
    await powers.stderr.write(`spectrum: ${escapeLines(message)}\nTry: ${help}\n`)
    return 2
  }
  const command = parsed.value
  switch (command.kind) {
    case 'help':
      await powers.stdout.write(usage[command.topic])
      return 0
    case 'version':
      await powers.stdout.write(`spectrum ${powers.version}\n`)
      return 0
    case 'doctor':
      return doctor(command, powers)
    case 'run':
      return run(command, powers)
    default:
      return answer(command, powers)
  }
}
