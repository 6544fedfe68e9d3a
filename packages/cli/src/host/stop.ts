import { complain } from '../complain.js'
import type { HostCommand } from './command.js'
import { failed, type ReachPowers, withHost } from './reach.js'

type StopCommand = Extract<HostCommand, { kind: 'stop' }>

/** Stops a unit, or a host with all its units. Ctrl-C ends the grace; a second one no longer waits for the end. */
export async function stop(command: StopCommand, powers: ReachPowers): Promise<number> {
  const { host, unit, graceMs, json } = command
  return withHost(host, powers, async (client) => {
    const { interrupted, hurried, stdout } = powers
    const hurry = () => void client.stop({ unit, graceMs: 0, signal: hurried })
    interrupted.addEventListener('abort', hurry, { once: true })
    const stopped = await client.stop({ unit, graceMs, signal: hurried })
    interrupted.removeEventListener('abort', hurry)
    if (stopped.isErr()) return failed(stopped.error, powers)
    const { stopped: ends } = stopped.value
    if (json) await stdout.write(`${JSON.stringify(stopped.value)}\n`)
    else {
      for (const end of ends)
        if (!end.graceful) await complain(powers.stderr, `${end.unit} did not end in order and was ended`)
    }
    return 0
  })
}
