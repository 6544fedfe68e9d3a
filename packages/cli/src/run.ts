import { complain } from './complain.js'
import { type ExecutePowers, execute, interruptedStatus } from './execute.js'
import type { RunCommand } from './host/command.js'
import type { CommandPowers, Failure, UnitHost } from './powers.js'
import { Progress } from './progress.js'

type RunPowers = ExecutePowers & Pick<CommandPowers, 'openHost'>

/** Starts one unit, runs one command in it and removes the unit. Resolves with the exit status. */
export async function run(command: RunCommand, powers: RunPowers): Promise<number> {
  const { interrupted, stderr } = powers
  const progress = new Progress(stderr, powers.clock)
  const { architecture } = command
  const opened = await powers.openHost({
    signal: interrupted,
    architecture,
    onStep: (step) => progress.show(step),
  })
  if (opened.isErr()) return failed(opened.error, powers, progress)
  const host = opened.value
  let status: number
  try {
    status = await runOn(host, command, powers, progress)
  } finally {
    progress.clear()
    const stopped = await host.stop()
    if (stopped.isErr()) await complain(stderr, stopped.error.message)
  }
  return status
}

async function runOn(
  host: UnitHost,
  command: RunCommand,
  powers: RunPowers,
  progress: Progress,
): Promise<number> {
  progress.show(`starting the unit (${host.monitor.kind}, ${host.monitor.accelerator})`)
  const unit = await host.startUnit(command, powers.interrupted)
  if (unit.isErr()) return failed(unit.error, powers, progress)
  progress.clear()
  const { argv, env, stdin, timeoutMs, raw } = command
  const spawn = (signal: AbortSignal) => unit.value.spawn(argv, { env, stdin, signal })
  return execute({ argv, timeoutMs, raw, interruption: 'ends', spawn }, powers)
}

async function failed(error: Failure, powers: RunPowers, progress: Progress): Promise<number> {
  progress.clear()
  if (powers.interrupted.aborted) return interruptedStatus(powers.interrupted)
  await complain(powers.stderr, error.message)
  return 125
}
