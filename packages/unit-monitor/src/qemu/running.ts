import { EventEmitter } from 'node:events'
import { err, errAsync, ok, type Result, ResultAsync } from 'neverthrow'
import type TypedEmitter from 'typed-emitter'
import {
  type QemuAttachPlan,
  type QemuPlace,
  type QemuPlug,
  qemuPlugBlock,
  qemuPlugPmem,
} from '../attach/qemu.js'
import { bytesOf, manageablePmemBytes } from '../attach/request.js'
import { blockProblem, inspectDevice, invalid, pmemProblem } from '../description.js'
import type { MonitorError } from '../errors.js'
import type {
  BlockDevice,
  ByteChannel,
  HotplugRoom,
  Machine,
  MachineDescription,
  MachineEvents,
  MachineExit,
  MachineProcess,
  OperationOptions,
  PmemDevice,
} from '../machine.js'
import { MachineLog } from '../machine-log.js'
import type { MonitorPowers, ProcessExit, SpawnedProcess } from '../powers.js'
import { Patience, WaitEnded } from '../waiting.js'
import { QmpClient, type QmpEvent, type QmpFailure } from './qmp.js'

const HOTPLUG_DEADLINE_MS = 10_000
const PAUSE_DEADLINE_MS = 10_000
const KILL_DEADLINE_MS = 10_000
/** After its process is reaped, how long a machine's last words may take to arrive. */
const LAST_WORDS_MS = 1_000

/** One QEMU process from its birth on. `start` hands it out as a `Machine` once its channels are connected. */
export class QemuMachine implements Machine {
  readonly name: string
  readonly processes: readonly MachineProcess[]
  readonly events = new EventEmitter() as TypedEmitter<MachineEvents>
  readonly exit: Promise<MachineExit>
  readonly #log: MachineLog
  /** What is still being read; a machine has exited when all of it has ended. */
  readonly #readers: Promise<void>[] = []
  #control: ByteChannel | undefined
  #console: ByteChannel | undefined
  #qmp: QmpClient | undefined
  #shutdownReason: string | undefined
  #panicked = false
  #killed = false
  /** Reserved places that nothing was plugged into yet. */
  readonly #places: QemuPlace[]
  #attempts = 0
  #pmemBytesLeft: number
  readonly #deviceIds: Set<string>
  #plugging: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly powers: MonitorPowers,
    private readonly description: MachineDescription,
    plan: Pick<QemuAttachPlan, 'places' | 'hotplugBytes'>,
    private readonly child: SpawnedProcess,
  ) {
    this.name = description.name
    this.processes = [{ pid: child.pid, role: 'qemu' }]
    this.#places = [...plan.places]
    const manageable = manageablePmemBytes(description.memoryBytes) - bytesOf(description.pmem)
    this.#pmemBytesLeft = Math.min(plan.hotplugBytes, manageable)
    this.#deviceIds = new Set([...description.pmem, ...(description.block ?? [])].map(({ id }) => id))
    this.#log = new MachineLog(powers.clock, (line) => this.events.emit('log', line))
    this.#readers.push(this.#log.follow('monitor', child.output))
    this.exit = this.#awaitExit()
  }

  get control(): ByteChannel {
    if (this.#control === undefined) throw new TypeError('the control channel is not connected yet')
    return this.#control
  }

  connect(control: ByteChannel, console: ByteChannel): void {
    this.#control = control
    this.#console = console
    this.#readers.push(this.#log.follow('console', console.incoming))
  }

  /** Speaks QMP on `channel` until the machine ends. */
  negotiate(channel: ByteChannel, options: OperationOptions): ResultAsync<void, QmpFailure> {
    this.#qmp = new QmpClient(channel, this.powers.clock, (event) => this.#take(event))
    this.#readers.push(this.#qmp.closed)
    return this.#qmp.negotiate(options)
  }

  lastLines(): readonly string[] {
    return this.#log.lastLines()
  }

  get room(): HotplugRoom {
    return { slots: this.#places.length, pmemBytes: this.#pmemBytesLeft }
  }

  addPmem(device: PmemDevice, options?: OperationOptions): ResultAsync<void, MonitorError> {
    const problem = pmemProblem(device)
    if (problem !== undefined) return errAsync(problem)
    return this.#inTurn(() => this.#add(device, device.sizeBytes, qemuPlugPmem, options))
  }

  addBlock(device: BlockDevice, options?: OperationOptions): ResultAsync<void, MonitorError> {
    const problem = blockProblem(device)
    if (problem !== undefined) return errAsync(problem)
    return this.#inTurn(() => this.#add(device, 0, qemuPlugBlock, options))
  }

  /** One at a time: a port and an id belong to one attempt. */
  #inTurn(add: () => Promise<Result<void, MonitorError>>): ResultAsync<void, MonitorError> {
    const plugged = this.#plugging.then(add)
    this.#plugging = plugged.catch(() => {})
    return new ResultAsync(plugged)
  }

  pause(options?: OperationOptions): ResultAsync<void, MonitorError> {
    return this.#tell('stop', 'be held still', options)
  }

  resume(options?: OperationOptions): ResultAsync<void, MonitorError> {
    return this.#tell('cont', 'go on', options)
  }

  /** One command without arguments. QEMU takes commands in turn, so one that was given up may yet come true. */
  #tell(command: string, what: string, options?: OperationOptions): ResultAsync<void, MonitorError> {
    const qmp = this.#qmp
    if (qmp === undefined) throw new TypeError(`${command} was asked before the machine was started`)
    const told = async (): Promise<Result<void, MonitorError>> => {
      using patience = new Patience(this.powers.clock, options, PAUSE_DEADLINE_MS)
      const answer = await qmp.execute(
        command,
        {},
        { signal: patience.signal, deadlineMs: patience.deadlineMs },
      )
      return answer.map(() => undefined).mapErr((failure) => this.#translate(failure, what, patience))
    }
    return new ResultAsync(told())
  }

  kill(options?: OperationOptions): ResultAsync<MachineExit, MonitorError> {
    this.#killed = true
    this.child.kill()
    this.#control?.close()
    return new ResultAsync(this.#awaitReaped(options))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const reaped = await this.kill()
    // A process that SIGKILL cannot end is stuck in the kernel; the journal of the runtime still names it.
    if (reaped.isErr()) throw new Error(reaped.error.message)
  }

  async #add<Device extends PmemDevice | BlockDevice>(
    device: Device,
    pmemBytes: number,
    plugOf: (device: Device, place: QemuPlace, name: string) => QemuPlug,
    options?: OperationOptions,
  ): Promise<Result<void, MonitorError>> {
    const [place] = this.#places
    if (place === undefined) return err(noSlotLeft(this.description.hotplugSlots))
    if (this.#deviceIds.has(device.id)) return err(invalid('id', 'the machine has such a device already'))
    if (pmemBytes > this.#pmemBytesLeft)
      return err(invalid('sizeBytes', 'exceeds what the machine has room for while it runs'))
    const files = this.powers.files
    const absent = files === undefined ? undefined : await inspectDevice(device, files)
    if (absent !== undefined) return err(absent)
    const qmp = this.#qmp
    if (qmp === undefined) throw new TypeError('a device was added before the machine was started')

    using patience = new Patience(this.powers.clock, options, HOTPLUG_DEADLINE_MS)
    const within = { signal: patience.signal, deadlineMs: patience.deadlineMs }
    // Never used again: an attempt that was given up may yet come true.
    const { prepare, plug, undo } = plugOf(device, place, String(this.#attempts++))
    const takeBack = () => qmp.execute(undo.execute, undo.arguments)
    const prepared = await qmp.execute(prepare.execute, prepare.arguments, within)
    if (prepared.isErr()) {
      // QEMU takes commands in turn, so this one undoes what it has yet to do. Nobody waits for a QEMU that is late.
      if (prepared.error.kind !== 'declined') void takeBack()
      return err(this.#translate(prepared.error, `open ${device.path}`, patience))
    }
    const plugged = await qmp.execute(plug.execute, plug.arguments, within)
    if (plugged.isErr()) {
      // Without a device its backing is of no use and would hold the file; the command has its own deadline.
      const removed = await takeBack()
      // Nobody knows what half an attempt left behind: its port and its ids are not used again.
      if (removed.isErr() || plugged.error.kind !== 'declined') {
        this.#places.shift()
        // It may have been plugged in, and the guest may manage it already.
        this.#pmemBytesLeft -= pmemBytes
      }
      return err(this.#translate(plugged.error, `plug in ${device.path}`, patience))
    }
    this.#places.shift()
    this.#pmemBytesLeft -= pmemBytes
    this.#deviceIds.add(device.id)
    return ok(undefined)
  }

  #translate(failure: QmpFailure, what: string, patience: Patience): MonitorError {
    const message = `machine ${this.name}: could not ${what}: ${failure.message}`
    const ended = patience.signal.aborted ? patience.signal.reason : undefined
    const timedOut = ended instanceof WaitEnded && ended.why === 'timed-out'
    if (failure.kind === 'timed-out' || timedOut)
      return { kind: 'timed-out', message, lastLines: this.lastLines() }
    if (failure.kind === 'aborted') return { kind: 'aborted', message }
    return { kind: 'monitor-protocol', message, cause: failure }
  }

  #take(event: QmpEvent): void {
    if (event.name === 'GUEST_PANICKED') this.#panicked = true
    if (event.name !== 'SHUTDOWN') return
    const reason = event.data['reason']
    this.#shutdownReason = typeof reason === 'string' ? reason : 'unknown'
  }

  async #awaitExit(): Promise<MachineExit> {
    const status = await this.child.exit
    using patience = new Patience(this.powers.clock, undefined, LAST_WORDS_MS)
    await patience.race(this.#lastWords()).catch(() => {})
    this.#qmp?.close()
    this.#console?.close()
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

  /** All that was being read has ended; what was connected meanwhile counts too. */
  async #lastWords(): Promise<void> {
    for (const reader of this.#readers) await reader
  }

  #explain(status: ProcessExit): MachineExit {
    const lastLines = this.lastLines()
    if (status.kind === 'signalled') {
      if (this.#killed && status.signal === 'SIGKILL') return { kind: 'killed' }
      return { kind: 'signalled', signal: status.signal, lastLines }
    }
    const { code } = status
    const failed = (reason: Extract<MachineExit, { kind: 'failed' }>['reason']): MachineExit => ({
      kind: 'failed',
      reason,
      code,
      lastLines,
    })
    if (code !== 0) return failed('monitor-failed')
    if (this.#panicked || this.#shutdownReason === 'guest-panic') return failed('guest-panicked')
    switch (this.#shutdownReason) {
      case 'guest-shutdown':
        return { kind: 'powered-off' }
      case 'guest-reset':
        return failed('guest-reset')
      case 'host-signal':
      case 'host-qmp-quit':
        return failed('stopped-from-outside')
      default:
        return failed('monitor-failed')
    }
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

function noSlotLeft(slots: number): MonitorError {
  return {
    kind: 'no-slot-left',
    slots,
    message: `all ${slots} reserved pmem slots are in use: start the machine with more hotplugSlots`,
  }
}
