import type { ControlClient, ControlledCommand } from '@spectrum/unit-runtime/control'
import { complain } from '../complain.js'
import { type ExecutePowers, execute } from '../execute.js'
import { signalNumber } from '../exit-status.js'
import type { CommandPowers } from '../powers.js'
import type { ExecCommand } from './command.js'
import { type ReachPowers, withHost } from './reach.js'

type ExecPowers = ReachPowers & ExecutePowers & Pick<CommandPowers, 'terminal'>

/** Runs a command in a unit of a running host. Resolves with its exit status, or 125. */
export async function exec(command: ExecCommand, powers: ExecPowers): Promise<number> {
  if (command.terminal && powers.terminal === undefined) {
    await complain(powers.stderr, 'there is no terminal: -t needs standard input and output to be one')
    return 125
  }
  return withHost(command.host, powers, (client) => executeIn(client, command, powers), 125)
}

function executeIn(client: ControlClient, command: ExecCommand, powers: ExecPowers): Promise<number> {
  const { unit, argv, cwd, stdin, timeoutMs, raw } = command
  const terminal = command.terminal ? powers.terminal : undefined
  const env = terminal?.type === undefined ? command.env : { TERM: terminal.type, ...command.env }
  let running: ControlledCommand | undefined
  return execute(
    {
      argv,
      timeoutMs,
      // On its own terminal a program draws; that is what it was given one for.
      raw: raw || terminal !== undefined,
      interruption: 'is-sent',
      spawn: (signal) =>
        client.exec(unit, argv, { env, cwd, stdin, pty: terminal?.size(), signal }).map((process) => {
          running = process
          return process
        }),
      interrupt: (process, signal) => {
        // The terminal is gone, the unit's as well as this one.
        if (signal === 'SIGHUP' && terminal !== undefined) running?.hangUp()
        else process.signal(signalNumber(signal))
      },
      attach: () => {
        // From here on what is typed goes to the unit as it is, Ctrl-C included, until the command has ended.
        const typing = stdin === 'open' ? terminal?.raw() : undefined
        const sizes = terminal?.onResize(() => running?.resize(terminal.size()))
        return {
          [Symbol.dispose]() {
            sizes?.[Symbol.dispose]()
            typing?.[Symbol.dispose]()
          },
        }
      },
    },
    powers,
  )
}
