import type { ExecOutcome } from '@spectrum/guest-agent'
import { type Clock, MachineLog } from '@spectrum/unit-monitor'
import { err, ok, type Result } from 'neverthrow'
import type { HostError } from '../errors.js'
import type { CommandEvent, Step } from '../events.js'
import type { RunningUnit } from '../running-unit.js'
import type { UnitCommand } from '../unit.js'
import type { Wait } from '../wait.js'

export type CommandStream = 'stdout' | 'stderr'

/** What the command of a unit needs of its host. */
export interface CommandParts {
  readonly clock: Clock
  tellCommand(event: CommandEvent): void
  say(source: CommandStream, text: string): void
  step(step: Step): void
}

/** The command of one unit, in one machine after the other. */
export class LivingCommand {
  #runs = false
  #outcome: ExecOutcome | undefined

  constructor(
    private readonly unit: string,
    private readonly argv: readonly string[],
    private readonly parts: CommandParts,
  ) {}

  /** `isAwaited`: a machine is to come in which it will run. */
  shown(isAwaited: boolean): UnitCommand {
    const state = this.#runs ? 'running' : isAwaited ? 'waiting' : 'ended'
    return { argv: this.argv, state, ...(this.#outcome === undefined ? {} : { outcome: this.#outcome }) }
  }

  /** In a machine that is up. Resolves with the promise of its outcome, which is to be told to `ended`. */
  async start(unit: RunningUnit, wait: Wait): Promise<Result<Promise<ExecOutcome>, HostError>> {
    const { clock, say, step, tellCommand } = this.parts
    const started = await startCommand(unit, this.argv, clock, say, wait)
    if (started.isErr()) return err(started.error)
    this.#runs = true
    step('command-started')
    tellCommand({ unit: this.unit, kind: 'started', argv: this.argv })
    return ok(started.value.outcome)
  }

  /** Its machine was given up before anybody had it. */
  gone(): void {
    this.#runs = false
  }

  /** What that means for the unit; undefined where the unit's own end is the story. */
  ended(outcome: ExecOutcome): ReturnType<typeof endingOf> {
    this.#runs = false
    this.#outcome = outcome
    this.parts.tellCommand({ unit: this.unit, kind: 'ended', outcome })
    return endingOf(this.unit, outcome)
  }
}

/**
 * Starts the command of a unit that is up, with an empty environment and without input. What it says is handed on line by
 * line, escaped, at a bounded rate; whoever says more has to wait. Resolves with the promise of its outcome.
 */
async function startCommand(
  unit: RunningUnit,
  argv: readonly string[],
  clock: Clock,
  say: (source: CommandStream, text: string) => void,
  wait: Wait,
): Promise<Result<{ readonly outcome: Promise<ExecOutcome> }, HostError>> {
  const started = await unit.spawn(argv, { signal: wait.signal })
  if (started.isErr()) return err(started.error)
  const process = started.value
  const log = new MachineLog<CommandStream>(clock, ({ source, text }) => say(source, text))
  void log.follow('stdout', process.stdout)
  void log.follow('stderr', process.stderr)
  // What could not be started has its outcome already.
  const early = await Promise.race([process.outcome, Promise.resolve(undefined)])
  if (early?.kind !== 'not-started') return ok({ outcome: process.outcome })
  const message =
    `The command of unit "${unit.name}" could not be started: ${early.message}. ` +
    'Check its argument vector, and that the unit’s closure has the program.'
  return err({ kind: 'command-not-started', message, unit: unit.name, reason: early.reason })
}

/** Undefined where the unit's own end is the story, not the command's. */
function endingOf(
  unit: string,
  outcome: ExecOutcome,
): { readonly success: boolean; readonly why: string } | undefined {
  const whose = `The command of unit "${unit}"`
  switch (outcome.kind) {
    case 'exited':
      return { success: outcome.code === 0, why: `${whose} exited with ${outcome.code}.` }
    case 'signalled':
      return { success: false, why: `${whose} was ended by ${outcome.signal}.` }
    case 'oom':
      return { success: false, why: `${whose} was ended because the unit had no memory left; give it more.` }
    case 'unit-lost':
      return undefined
    default:
      return { success: false, why: `${whose} was ${outcome.kind}.` }
  }
}
