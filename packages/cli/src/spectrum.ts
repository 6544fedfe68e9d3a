import { parseCommandLine } from './arguments.js'
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
import type { CommandPowers } from './powers.js'
import { run } from './run.js'
import { up } from './up.js'
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
    case 'fetch-kernel':
      return fetchKernel(powers)
    case 'run':
      return run(command, powers)
    case 'up':
      return up(command, powers)
    case 'ps':
      return ps(command, powers)
    case 'exec':
      return exec(command, powers)
    case 'inject':
      return inject(command, powers)
    case 'logs':
      return logs(command, powers)
    case 'stop':
      return stop(command, powers)
    case 'gc':
      return gc(command, powers)
    case 'completion':
      await powers.stdout.write(completionScript(command.shell))
      return 0
    case 'complete':
      return complete(command.words, powers)
    default:
      return answer(command, powers)
  }
}
