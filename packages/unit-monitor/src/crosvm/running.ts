import { EventEmitter } from 'node:events'
import { type CrosvmExit, decodeExit } from '@spectrum/crosvm-spec'
import type { ControlError, CrosvmControl } from '@spectrum/crosvm-spec/control'
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
import { MachineLog } from '../machine-log.js'
import type { ProcessExit, SpawnedProcess } from '../powers.js'
import { escapeAndCut } from '../printable.js'
import { Patience, WaitEnded } from '../waiting.js'
import { PatientChannel } from './patient-channel.js'
import type { CrosvmPowers, GroupMember } from './powers.js'
import type { CrosvmSockets } from './spec.js'

const BUTTON_DEADLINE_MS = 10_000
const KILL_DEADLINE_MS = 10_000
/** A machine that ends by itself leaves its control port first; it gets this long to say how it ended. */
const PORT_GRACE_MS = 3_000
/** After its processes are reaped, how long a machine's last words may take to arrive. */
const LAST_WORDS_MS = 1_000

/** One crosvm and its jailed devices, from their birth on. */
export class CrosvmMachine implements Machine {
  readonly events = new EventEmitter() as TypedEmitter<MachineEvents>
  readonly exit: Promise<MachineExit>
  readonly #log: MachineLog
  /** What is still being read; a machine has exited when all of it has ended. */
  readonly #readers: Promise<void>[] = []
  #processes: readonly MachineProcess[]
  #control: ByteChannel | undefined
  #console: ByteChannel | undefined
  #killed = false

  constructor(
    readonly name: string,
    private readonly powers: CrosvmPowers,
    private readonly child: SpawnedProcess,
    /** The process of the control port. */
    private readonly port: SpawnedProcess,
    /** Owned from now on. */
    private readonly crosvm: CrosvmControl,
    private readonly sockets: Pick<CrosvmSockets, 'vm' | 'port'>,
  ) {
    this.#processes = [{ pid: child.pid, role: 'crosvm' }]
    this.#log = new MachineLog(powers.clock, (line) => this.events.emit('log', line))
    for (const { output } of [child, port]) this.#readers.push(this.#log.follow('monitor', output))
    this.exit = this.#awaitExit()
    void this.#watchPort()
  }

  /** crosvm itself first, then its devices: they all exist from the start on and none is added later. */
  get processes(): readonly MachineProcess[] {
    return this.#processes
  }

  get control(): ByteChannel {
    if (this.#control === undefined) throw new TypeError('the control channel is not connected yet')
    return this.#control
  }

  connect(control: ByteChannel, console: ByteChannel): void {
    this.#control = new PatientChannel(control)
    this.#console = console
    this.#readers.push(this.#log.follow('console', console.incoming))
  }

  /** Waits until crosvm answers, so that all its devices exist, and learns who they are. */
  async settle(signal: AbortSignal, deadlineMs: number): Promise<Result<void, ControlError>> {
    const answered = await this.crosvm.ready({ signal, timeoutMs: deadlineMs })
    if (answered.isErr()) return err(answered.error)
    // Each has the one connection that there will be.
    await this.#removeSockets()
    const inside = async (around: SpawnedProcess) =>
      (await this.powers.processGroups.members(around.pid)).filter(({ pid }) => pid !== around.pid)
    const crosvm = await inside(this.child)
    const main = crosvm.filter(({ parent }) => parent === this.child.pid)
    const devices = crosvm.filter(({ parent }) => parent !== this.child.pid)
    const port = await inside(this.port)
    if (main.length > 0)
      this.#processes = [
        ...main.map(({ pid }) => ({ pid, role: 'crosvm' })),
        ...devices.map(asDevice),
        ...port.map(({ pid }) => ({ pid, role: 'crosvm control port' })),
      ]
    return ok(undefined)
  }

  readonly room: HotplugRoom = { slots: 0, pmemBytes: 0 }

  lastLines(): readonly string[] {
    return this.#log.lastLines()
  }

  addPmem(device: PmemDevice): ResultAsync<void, MonitorError> {
    const message =
      `machine ${this.name}: crosvm cannot add ${escapeAndCut(device.path, 200)} to a running machine: ` +
      'describe the device at the start, give the machine a view, or use a monitor whose capabilities.pmemHotplug is true'
    return errAsync({ kind: 'unsupported', capability: 'pmemHotplug', message })
  }

  pressPowerButton(options: OperationOptions = {}): ResultAsync<void, MonitorError> {
    const { signal, deadlineMs = BUTTON_DEADLINE_MS } = options
    const bounds = { timeoutMs: deadlineMs, ...(signal === undefined ? {} : { signal }) }
    return this.crosvm
      .pressPowerButton(bounds)
      .mapErr((failure) => controlFailed(this.name, failure, this.lastLines()))
  }

  kill(options?: OperationOptions): ResultAsync<MachineExit, MonitorError> {
    this.#killed = true
    this.child.kill()
    this.port.kill()
    this.#control?.close()
    return new ResultAsync(this.#awaitReaped(options))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const reaped = await this.kill()
    // A process that SIGKILL cannot end is stuck in the kernel; the journal of the runtime still names it.
    if (reaped.isErr()) throw new Error(reaped.error.message)
  }

  async #awaitExit(): Promise<MachineExit> {
    const status = await this.child.exit
    this.crosvm.close()
    // It ends with the machine's connection; by now there is nothing that it could still be good for.
    this.port.kill()
    await this.port.exit
    using patience = new Patience(this.powers.clock, undefined, LAST_WORDS_MS)
    await patience.race(this.#lastWords()).catch(() => {})
    this.#console?.close()
    // One that was killed could not remove them itself.
    await this.#removeSockets().catch(() => {})
    const exit = this.#explain(status)
    try {
      this.events.emit('exit', exit)
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
    return exit
  }

  /** A machine without its control port is of no use to anybody, and nobody could end it. */
  async #watchPort(): Promise<void> {
    await this.port.exit
    using patience = new Patience(this.powers.clock, undefined, PORT_GRACE_MS)
    await patience.race(this.child.exit).catch(() => this.child.kill())
  }

  async #removeSockets(): Promise<void> {
    for (const path of [this.sockets.vm, this.sockets.port]) await this.powers.removeSocket(path)
  }

  /** All that was being read has ended; what was connected meanwhile counts too. */
  async #lastWords(): Promise<void> {
    for (const reader of this.#readers) await reader
  }

  #explain(status: ProcessExit): MachineExit {
    const lastLines = this.lastLines()
    const end = decodeExit(status)
    if (end.kind === 'stopped') return { kind: 'powered-off' }
    if (status.kind === 'signalled') {
      if (this.#killed && status.signal === 'SIGKILL') return { kind: 'killed' }
      return { kind: 'signalled', signal: status.signal, lastLines }
    }
    return { kind: 'failed', reason: reasonOf(end), code: status.code, lastLines }
  }

  async #awaitReaped(options?: OperationOptions): Promise<Result<MachineExit, MonitorError>> {
    using patience = new Patience(this.powers.clock, options, KILL_DEADLINE_MS)
    try {
      return ok(await patience.race(this.exit))
    } catch (why) {
      if (!(why instanceof WaitEnded)) throw why
      const message = `machine ${this.name}: process ${this.child.pid} was killed but not reaped yet`
      if (why.why === 'aborted') return err({ kind: 'aborted', message })
      return err({
        kind: 'timed-out',
        message: `${message} after ${patience.deadlineMs} ms: it hangs in the kernel`,
        lastLines: this.lastLines(),
      })
    }
  }
}

export function controlFailed(
  machine: string,
  failure: ControlError,
  lastLines: readonly string[],
): MonitorError {
  const message = `machine ${machine}: ${escapeAndCut(failure.message, 400)}`
  if (failure.kind === 'no-reply') return { kind: 'timed-out', message, lastLines }
  if (failure.kind === 'aborted') return { kind: 'aborted', message }
  return { kind: 'monitor-protocol', message, cause: failure }
}

function reasonOf(end: CrosvmExit): Extract<MachineExit, { kind: 'failed' }>['reason'] {
  if (end.kind === 'guest-reset') return 'guest-reset'
  return end.kind === 'guest-panicked' ? 'guest-panicked' : 'monitor-failed'
}

/** A device names itself, and a guest may have taken it over. */
function asDevice({ pid, name }: GroupMember): MachineProcess {
  return { pid, role: `crosvm ${escapeAndCut(name, 32)}` }
}
