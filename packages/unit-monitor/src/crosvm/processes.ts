import type { CrosvmProcess, CrosvmProcesses, ProcessRequest } from '@spectrum/crosvm-spec/spawn'
import { LOG_BOUNDS, type MachineLog } from '../machine-log.js'
import { paced } from '../pacing.js'
import type { MonitorPowers, SpawnedProcess } from '../powers.js'
import { Patience } from '../waiting.js'
import { type CrosvmSockets, controlPortArguments } from './spec.js'

/** A machine that ends by itself leaves its control port first; it gets this long to say how it ended. */
const PORT_GRACE_MS = 3_000

/**
 * The processes of one machine, as `spawnCrosvm` starts and ends them: crosvm, and beside it the one of its control
 * port, for which crosvm waits. Both are enclosed, so that nothing of theirs outlives them, and end together.
 */
export class CrosvmPair implements CrosvmProcesses {
  #crosvm: SpawnedProcess | undefined
  #port: SpawnedProcess | undefined
  /** Until the port has said all it will. */
  #portSaid: Promise<void> = Promise.resolve()

  constructor(
    private readonly powers: Pick<MonitorPowers, 'clock' | 'processes'>,
    private readonly machine: string,
    private readonly sockets: CrosvmSockets,
    private readonly log: MachineLog,
  ) {}

  /** Of crosvm and of the control port; the leaders of the groups that everything of theirs belongs to. */
  get groups(): { readonly crosvm: number; readonly port: number } {
    if (this.#crosvm === undefined || this.#port === undefined) throw new TypeError('not started yet')
    return { crosvm: this.#crosvm.pid, port: this.#port.pid }
  }

  get portSaid(): Promise<void> {
    return this.#portSaid
  }

  /** A unit's machine names no descriptors, so there are none to pass on. */
  async spawn({ file, argv }: ProcessRequest): Promise<CrosvmProcess> {
    const { processes, clock } = this.powers
    const port = await processes.spawn({
      file,
      argv: controlPortArguments(this.sockets),
      role: `unit ${this.machine}: control port`,
      enclosed: 'without-capabilities',
    })
    this.#port = port
    this.#portSaid = this.log.follow('monitor', port.output)
    let crosvm: SpawnedProcess
    try {
      const role = `unit ${this.machine}: crosvm`
      crosvm = await processes.spawn({ file, argv, role, enclosed: 'as-it-is' })
    } catch (why) {
      port.kill()
      await port.exit
      throw why
    }
    this.#crosvm = crosvm
    void this.#watchPort(port, crosvm)
    return {
      pid: crosvm.pid,
      stderr: paced(crosvm.output, clock, LOG_BOUNDS.bytesPerSecond),
      end: crosvm.exit,
      killGroup() {
        crosvm.kill()
        port.kill()
      },
      groupGone: (signal) => settledOrAborted(Promise.all([crosvm.exit, port.exit]), signal),
    }
  }

  /** A machine without its control port is of no use to anybody, and nobody could end it. */
  async #watchPort(port: SpawnedProcess, crosvm: SpawnedProcess): Promise<void> {
    await port.exit
    using patience = new Patience(this.powers.clock, undefined, PORT_GRACE_MS)
    await patience.race(crosvm.exit).catch(() => crosvm.kill())
  }
}

function settledOrAborted(settled: Promise<unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener('abort', done)
      resolve()
    }
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', done, { once: true })
    void settled.then(done)
  })
}
