import type { Graph } from '@spectrum/unit-graph'
import { complain } from './complain.js'
import { escapeLines } from './escape.js'
import { interruptedStatus } from './execute.js'
import { readGraphProgram } from './graph/read.js'
import type { HostCommand } from './host/command.js'
import type { CommandPowers, Failure, GraphHost, UnitChange } from './powers.js'

type UpCommand = Extract<HostCommand, { kind: 'up' }>
type UpPowers = Pick<
  CommandPowers,
  'stdout' | 'stderr' | 'clock' | 'readGraph' | 'openGraphHost' | 'interrupted' | 'hurried'
>

/** What is told while a host runs, one after the other: a line for people, or an object a line for programs. */
type Told =
  | {
      readonly event: 'host'
      readonly pid: number
      readonly directory: string
      readonly monitor: string
      readonly accelerator: string
      readonly why: string
    }
  | ({ readonly event: 'unit' } & UnitChange)
  | { readonly event: 'ready'; readonly units: readonly string[] }
  | { readonly event: 'end'; readonly status: number }

const final = new Set(['stopped', 'failed'])

/**
 * Starts the units of a graph and stays until they have ended, somebody stops the host, or Ctrl-C, which stops them in
 * order; a second one ends them at once. Resolves with the exit status.
 */
export async function up(command: UpCommand, powers: UpPowers): Promise<number> {
  const { interrupted, hurried, stderr } = powers
  const { architecture } = command
  const read = await readGraphProgram(command.file, powers)
  if (read.isErr()) {
    await complain(stderr, read.error)
    return 2
  }
  const { graph, services } = read.value
  const ends = new Ends(Object.values(graph.units).map(({ name }) => name))
  const tell = teller(command, powers)
  const onUnit = (change: UnitChange) => {
    ends.note(change)
    tell({ event: 'unit', ...change })
  }
  // Until the host is open the first Ctrl-C ends it; from then on it is stopped in order.
  const life = new AbortController()
  const die = () => life.abort()
  hurried.addEventListener('abort', die, { once: true })
  interrupted.addEventListener('abort', die, { once: true })
  if (interrupted.aborted) die()
  try {
    const opened = await powers.openGraphHost({ signal: life.signal, architecture, services, onUnit })
    interrupted.removeEventListener('abort', die)
    if (opened.isErr()) return await notUp(opened.error, powers)
    const status = await run(graph, opened.value, ends, tell, command, powers)
    await tell({ event: 'end', status })
    return status
  } finally {
    interrupted.removeEventListener('abort', die)
    hurried.removeEventListener('abort', die)
  }
}

async function run(
  graph: Graph,
  host: GraphHost,
  ends: Ends,
  tell: (told: Told) => Promise<void>,
  command: UpCommand,
  powers: UpPowers,
): Promise<number> {
  const { interrupted, stderr } = powers
  let status = 0
  let failure: Failure | undefined
  let wasStopped = false
  // The server goes last: whoever has the host stopped is told so.
  const served = host.serve()
  try {
    if (served.isErr()) return await notUp(served.error, powers)
    void served.value.stopped.then(() => {
      wasStopped = true
    })
    const { pid, directory, monitor } = host
    await tell({
      event: 'host',
      pid,
      directory,
      monitor: monitor.kind,
      accelerator: monitor.accelerator,
      why: monitor.why,
    })
    const started = await host.start(graph, interrupted)
    if (started.isErr()) {
      failure = started.error
    } else {
      await tell({ event: 'ready', units: started.value })
      const end = await Promise.race([
        aborted(interrupted).then(() => 'interrupted' as const),
        served.value.stopped.then(() => 'stopped' as const),
        ends.all.then(() => 'ended' as const),
      ])
      if (end === 'interrupted') status = interruptedStatus(interrupted)
      else status = end === 'ended' && ends.failed ? 1 : 0
    }
  } finally {
    const stopped = await host.stop({ graceMs: command.graceMs })
    if (stopped.isErr()) await complain(stderr, stopped.error.message)
    if (served.isOk()) await served.value[Symbol.asyncDispose]()
  }
  // Somebody may have stopped the host while its units started: that is no failure.
  return failure === undefined || wasStopped ? status : await notUp(failure, powers)
}

/** Which units of the graph have ended for good. */
class Ends {
  readonly all: Promise<void>
  failed = false
  readonly #left: Set<string>
  #settle: () => void = () => {}

  constructor(units: readonly string[]) {
    this.#left = new Set(units)
    this.all = new Promise((resolve) => {
      this.#settle = resolve
    })
  }

  note({ unit, state }: UnitChange): void {
    if (!final.has(state)) return
    if (state === 'failed') this.failed = true
    this.#left.delete(unit)
    if (this.#left.size === 0) this.#settle()
  }
}

function teller({ json }: UpCommand, { stdout }: UpPowers): (told: Told) => Promise<void> {
  // Nobody may be there to read it: a host does not end for that.
  return (told) => stdout.write(json ? `${JSON.stringify(told)}\n` : wordsOf(told)).catch(() => {})
}

function wordsOf(told: Told): string {
  switch (told.event) {
    case 'host':
      return `host ${told.pid} (${told.monitor}, ${told.accelerator})\n`
    case 'unit':
      return `${told.unit}: ${told.state}${told.why === undefined ? '' : `: ${escapeLines(told.why)}`}\n`
    case 'ready':
      return `ready: ${told.units.join(', ')}; Ctrl-C or "spectrum stop" ends them\n`
    case 'end':
      return ''
  }
}

async function notUp(error: Failure, { interrupted, stderr }: UpPowers): Promise<number> {
  if (interrupted.aborted) return interruptedStatus(interrupted)
  await complain(stderr, error.message)
  return 125
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
