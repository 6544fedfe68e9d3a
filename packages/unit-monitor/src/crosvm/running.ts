import type { ControlError, CrosvmControl, RequestOptions } from '@spectrum/crosvm-spec/control'
import type { CrosvmEnd, RunningCrosvm } from '@spectrum/crosvm-spec/spawn'
import { err, errAsync, ok, type Result, ResultAsync } from 'neverthrow'
import type TypedEmitter from 'typed-emitter'
import type { MonitorError } from '../errors.js'
import type {
  ByteChannel,
  HotplugRoom,
  Machine,
  MachineEvents,
  MachineExit,
  MachineProcess,
  OperationOptions,
  PmemDevice,
} from '../machine.js'
import type { MachineLog } from '../machine-log.js'
import { escapeAndCut } from '../printable.js'
import { Patience, WaitEnded } from '../waiting.js'
import { controlFailed, machineExit } from './failures.js'
import { PatientChannel } from './patient-channel.js'
import type { CrosvmPowers, GroupMember } from './powers.js'
import type { CrosvmPair } from './processes.js'
import type { CrosvmSockets } from './spec.js'

const BUTTON_DEADLINE_MS = 10_000
const PAUSE_DEADLINE_MS = 10_000
const KILL_DEADLINE_MS = 10_000
/** After its processes are reaped, how long a machine's last words may take to arrive. */
const LAST_WORDS_MS = 1_000

/** What is connected to a machine. */
export interface CrosvmChannels {
  readonly control: ByteChannel
  readonly console: ByteChannel
  /** Until the console has said all it will. */
  readonly consoleSaid: Promise<void>
}

/** One crosvm that answers, its control port and their devices. It owns all of it. */
export class CrosvmMachine implements Machine {
  readonly exit: Promise<MachineExit>
  readonly control: ByteChannel
  #processes: readonly MachineProcess[]
  #killed = false

  constructor(
    readonly name: string,
    readonly events: TypedEmitter<MachineEvents>,
    private readonly log: MachineLog,
    private readonly powers: Pick<CrosvmPowers, 'clock' | 'host' | 'processGroups'>,
    private readonly running: RunningCrosvm,
    private readonly pair: CrosvmPair,
    private readonly channels: CrosvmChannels,
    private readonly sockets: Pick<CrosvmSockets, 'vm' | 'port'>,
  ) {
    this.#processes = [{ pid: running.pid, role: 'crosvm' }]
    this.control = new PatientChannel(channels.control)
    this.exit = this.#awaitExit()
  }

  /** crosvm itself first, then its devices: they all exist from the start on and none is added later. */
  get processes(): readonly MachineProcess[] {
    return this.#processes
  }

  /** Removes the sockets, each of which has the one connection that there will be, and learns who the devices are. */
  async settle(): Promise<void> {
    await this.#removeSockets()
    const groups = this.pair.groups
    const inside = async (around: number) =>
      (await this.powers.processGroups.members(around)).filter(({ pid }) => pid !== around)
    const crosvm = await inside(groups.crosvm)
    const main = crosvm.filter(({ parent }) => parent === groups.crosvm)
    const devices = crosvm.filter(({ parent }) => parent !== groups.crosvm)
    const port = await inside(groups.port)
    if (main.length > 0)
      this.#processes = [
        ...main.map(({ pid }) => ({ pid, role: 'crosvm' })),
        ...devices.map(asDevice),
        ...port.map(({ pid }) => ({ pid, role: 'crosvm control port' })),
      ]
  }

  readonly room: HotplugRoom = { slots: 0, pmemBytes: 0 }

  lastLines(): readonly string[] {
    return this.log.lastLines()
  }

  addPmem(device: PmemDevice): ResultAsync<void, MonitorError> {
    const message =
      `machine ${this.name}: crosvm cannot add ${escapeAndCut(device.path, 200)} to a running machine: ` +
      'describe the device at the start, give the machine a view, or use a monitor whose capabilities.pmemHotplug is true'
    return errAsync({ kind: 'unsupported', capability: 'pmemHotplug', message })
  }

  pressPowerButton(options: OperationOptions = {}): ResultAsync<void, MonitorError> {
    return this.#tell((control, bounds) => control.pressPowerButton(bounds), options, BUTTON_DEADLINE_MS)
  }

  /** Its processors alone: what is sent to a console while crosvm suspends its devices too never arrives. */
  pause(options?: OperationOptions): ResultAsync<void, MonitorError> {
    return this.#tell((control, bounds) => control.suspendVcpus(bounds), options, PAUSE_DEADLINE_MS)
  }

  resume(options?: OperationOptions): ResultAsync<void, MonitorError> {
    return this.#tell((control, bounds) => control.resumeVcpus(bounds), options, PAUSE_DEADLINE_MS)
  }

  #tell(
    request: (control: CrosvmControl, bounds: RequestOptions) => ResultAsync<void, ControlError>,
    options: OperationOptions = {},
    defaultMs: number,
  ): ResultAsync<void, MonitorError> {
    const { signal, deadlineMs = defaultMs } = options
    const { control } = this.running
    if (control === undefined) throw new TypeError('a machine of this driver has a control socket')
    const bounds = { timeoutMs: deadlineMs, ...(signal === undefined ? {} : { signal }) }
    return request(control, bounds).mapErr((failure) => controlFailed(this.name, failure, this.lastLines()))
  }

  kill(options?: OperationOptions): ResultAsync<MachineExit, MonitorError> {
    this.#killed = true
    void this.running.kill()
    this.control.close()
    return new ResultAsync(this.#awaitReaped(options))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const reaped = await this.kill()
    // A process that SIGKILL cannot end is stuck in the kernel; the journal of the runtime still names it.
    if (reaped.isErr()) throw new Error(reaped.error.message)
  }

  async #awaitExit(): Promise<MachineExit> {
    const end = await this.running.ended
    using patience = new Patience(this.powers.clock, undefined, LAST_WORDS_MS)
    const said = Promise.all([this.channels.consoleSaid, this.pair.portSaid])
    await patience.race(said).catch(() => {})
    this.channels.console.close()
    // One that was killed could not remove them itself.
    await this.#removeSockets()
    const exit = this.#explain(end)
    try {
      this.events.emit('exit', exit)
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
    return exit
  }

  async #removeSockets(): Promise<void> {
    for (const path of [this.sockets.vm, this.sockets.port]) await this.powers.host.removeSocket(path)
  }

  #explain(end: CrosvmEnd): MachineExit {
    const exit = machineExit(end, this.lastLines())
    return this.#killed && exit.kind === 'signalled' && exit.signal === 'SIGKILL' ? { kind: 'killed' } : exit
  }

  async #awaitReaped(options?: OperationOptions): Promise<Result<MachineExit, MonitorError>> {
    using patience = new Patience(this.powers.clock, options, KILL_DEADLINE_MS)
    try {
      return ok(await patience.race(this.exit))
    } catch (why) {
      if (!(why instanceof WaitEnded)) throw why
      const message = `machine ${this.name}: process ${this.running.pid} was killed but not reaped yet`
      if (why.why === 'aborted') return err({ kind: 'aborted', message })
      return err({
        kind: 'timed-out',
        message: `${message} after ${patience.deadlineMs} ms: it hangs in the kernel`,
        lastLines: this.lastLines(),
      })
    }
  }
}

/** A device names itself, and a guest may have taken it over. */
function asDevice({ pid, name }: GroupMember): MachineProcess {
  return { pid, role: `crosvm ${escapeAndCut(name, 32)}` }
}
