import type { Agent, Heartbeat } from '@spectrum/guest-agent'
import type { Clock, Machine, MachineExit } from '@spectrum/unit-monitor'
import { channelLost, type HostError, unitDied, unitUnresponsive, viewLost } from '../errors.js'
import type { MachineLimits } from '../limits/host-groups.js'
import type { UnitView } from '../unit-view.js'
import { openWait, orAborted } from '../wait.js'

/** How long a machine gets to end by itself after its agent or its view went away. */
const FOLLOW_MS = 3_000

/** One machine that runs, and what it is made of. */
export interface WatchedMachine {
  readonly name: string
  readonly clock: Clock
  readonly machine: Machine
  readonly agent: Agent
  readonly view: UnitView | undefined
  readonly limits: MachineLimits
  /** Undefined: it may be silent for any time. */
  readonly heartbeat: { readonly intervalMs: number; readonly missedBeats: number } | undefined
}

/**
 * Sees what befalls one machine: it dies, its agent or its view is gone, or its guest hangs. Tells it once, the first that
 * happens, and nothing any more after `end`.
 */
export class MachineWatch {
  readonly #watched: WatchedMachine
  readonly #tell: (failure: HostError) => void
  readonly #heartbeat: Heartbeat | undefined
  #exit: MachineExit | undefined
  #over = false

  constructor(watched: WatchedMachine, tell: (failure: HostError) => void) {
    this.#watched = watched
    this.#tell = tell
    this.#heartbeat = this.#startHeartbeat()
    void this.#watchMachine()
    void this.#watchAgent()
    void this.#watchView()
  }

  /** How the machine ended, once it has. */
  get exit(): MachineExit | undefined {
    return this.#exit
  }

  /** The machine is about to stand still: its guest cannot answer. */
  suspend(): void {
    this.#heartbeat?.suspend()
  }

  /** It goes on. */
  resume(): void {
    this.#heartbeat?.resume()
  }

  /** Whatever happens from now on was to be expected. */
  end(): void {
    this.#over = true
    this.#heartbeat?.[Symbol.dispose]()
  }

  #befell(failure: HostError): void {
    if (this.#over) return
    this.end()
    this.#tell(failure)
  }

  #startHeartbeat(): Heartbeat | undefined {
    const { agent, name, machine, heartbeat } = this.#watched
    if (heartbeat === undefined) return undefined
    const { intervalMs, missedBeats } = heartbeat
    return agent.startHeartbeat({
      intervalMs,
      missedBeats,
      onChange: (state) => {
        if (state !== 'unresponsive') return
        this.#befell(unitUnresponsive(name, intervalMs * missedBeats, machine.lastLines()))
      },
    })
  }

  async #watchMachine(): Promise<void> {
    const { name, machine, limits } = this.#watched
    const exit = await machine.exit
    this.#exit = exit
    if (this.#over) return
    this.#befell(unitDied(name, exit, machine.lastLines(), await limits.exceeded(exit)))
  }

  async #watchAgent(): Promise<void> {
    const { name, machine, agent } = this.#watched
    const closed = await agent.closed
    if (this.#over) return
    // How a machine died says more than that its channel is gone.
    if (await this.#follows()) return
    this.#befell(channelLost(name, closed, machine.lastLines()))
  }

  /** Whether the machine ends, too, by itself. */
  async #follows(): Promise<boolean> {
    using follow = openWait(this.#watched.clock, FOLLOW_MS)
    return (await orAborted(this.#watched.machine.exit, follow.signal)) !== undefined
  }

  /** Whoever reads a path that came by the view would wait for its server for ever. */
  async #watchView(): Promise<void> {
    const { name, view, limits } = this.#watched
    if (view === undefined) return
    await view.server.ended
    // The limits are those of both; how the machine died says why.
    if ((await limits.exceeded()) !== undefined && (await this.#follows())) return
    this.#befell(viewLost(name))
  }
}
