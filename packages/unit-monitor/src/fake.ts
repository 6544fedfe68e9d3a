/**
 * A monitor in memory, for tests.
 *
 * @packageDocumentation
 */

import { EventEmitter } from 'node:events'
import { err, errAsync, ok, okAsync, type Result, ResultAsync } from 'neverthrow'
import type TypedEmitter from 'typed-emitter'
import { bytesOf, manageablePmemBytes } from './attach/request.js'
import { channelPair } from './channel-pair.js'
import { blockProblem, checkDescription, invalid, pmemProblem } from './description.js'
import type { MonitorError } from './errors.js'
import { Stillness } from './fake/stillness.js'
import type {
  Accelerator,
  BlockDevice,
  ByteChannel,
  HotplugRoom,
  Machine,
  MachineDescription,
  MachineEvents,
  MachineExit,
  MachineView,
  Monitor,
  MonitorCapabilities,
  OperationOptions,
  PmemDevice,
} from './machine.js'
import { MachineLog } from './machine-log.js'
import type { Clock } from './powers.js'
import { Patience, WaitEnded } from './waiting.js'

export { echoGuest, type FakeDisks } from './echo-guest.js'

/** What a scripted guest holds: the other end of everything its machine has. */
export interface FakeGuest {
  /** As it was given to `start`. */
  readonly machine: MachineDescription
  /** The guest's end of the control channel. */
  readonly control: ByteChannel
  /** The devices it has now, hot-plugged ones included. */
  pmem(): readonly PmemDevice[]
  /** The same for disks. */
  block(): readonly BlockDevice[]
  /** What the view of this tag shows now; nothing when the machine has no such view. */
  view(tag: string): readonly string[]
  /** Bytes on the console; cut, escaped and bounded like those of a real guest. */
  print(bytes: Uint8Array | string): void
  /** The guest powers its machine off. */
  powerOff(): void
  /** The guest resets itself, as after a kernel panic. */
  crash(): void
  /** The guest's kernel hangs: it hears and says nothing, until what this returns is called. */
  hang(): () => void
  /** Aborts when the machine has ended, however it ended. */
  readonly ended: AbortSignal
}

/** What a fake machine does when it is started. */
export type FakeStartup =
  /** It starts, and its guest runs. */
  | { readonly kind: 'connects' }
  /** Nothing connects until the deadline or an abort. */
  | { readonly kind: 'hangs' }
  /** Fails with `monitor-died`: its process said `lines` and exited with the status `code`. */
  | { readonly kind: 'dies'; readonly code: number; readonly lines: readonly string[] }
  /** Fails with `monitor-missing`. */
  | { readonly kind: 'missing' }

/** How the machines of a fake monitor behave. */
export interface FakeScript {
  /** Runs beside the machine; by default a guest that boots and never says anything. */
  readonly guest?: ((guest: FakeGuest) => void | Promise<void>) | undefined
  /** What becomes of a machine that is started; `connects` by default. */
  readonly startup?: ((machine: MachineDescription) => FakeStartup) | undefined
  /** What becomes of a device that is added; `works` by default. */
  readonly hotplug?: ((device: PmemDevice | BlockDevice) => 'works' | 'declined' | 'hangs') | undefined
  /** What the server at a view's socket shows. */
  readonly view?: ((view: MachineView) => readonly string[]) | undefined
  /** What it says of itself; nothing is accelerated. */
  readonly accelerator?: Accelerator | undefined
  /** Instead of its own, which are all but the power button. */
  readonly capabilities?: Partial<MonitorCapabilities> | undefined
}

const START_DEADLINE_MS = 30_000
const HOTPLUG_DEADLINE_MS = 10_000

/** A monitor without processes, files and sockets, which behaves as the conformance suite demands. */
export function fakeMonitor(powers: { readonly clock: Clock }, script: FakeScript = {}): Monitor {
  const capabilities: MonitorCapabilities = {
    architectures: ['x86_64', 'aarch64', 'powerpc64le', 'riscv64'],
    pmem: true,
    pmemHotplug: true,
    block: true,
    blockHotplug: true,
    volumes: true,
    maxPmemDevices: 256,
    view: true,
    display: true,
    powerButton: false,
    pause: true,
    ...script.capabilities,
  }
  return {
    kind: 'fake',
    accelerator: script.accelerator ?? 'none',
    capabilities,
    start: (machine, options) => new ResultAsync(start(powers.clock, script, capabilities, machine, options)),
  }
}

async function start(
  clock: Clock,
  script: FakeScript,
  capabilities: MonitorCapabilities,
  description: MachineDescription,
  options: OperationOptions | undefined,
): Promise<Result<Machine, MonitorError>> {
  const checked = checkDescription(description, {
    maxVcpus: 64,
    maxMemoryBytes: 2 ** 40,
    maxPmemDevices: capabilities.maxPmemDevices,
    maxKernelParameterBytes: 1800,
    socketNameBytes: 16,
  })
  if (checked.isErr()) return err(checked.error)
  if (!capabilities.volumes && (description.volumes ?? []).length > 0) {
    const message = `machine ${description.name}: this monitor gives machines no disks to write`
    return err({ kind: 'unsupported', capability: 'volumes', message })
  }
  if (!capabilities.display && description.display !== undefined) {
    const message = `machine ${description.name}: this monitor gives machines no way to a Wayland socket`
    return err({ kind: 'unsupported', capability: 'display', message })
  }
  using patience = new Patience(clock, options, START_DEADLINE_MS)
  const name = `machine ${description.name}`
  const startup = script.startup?.(description) ?? { kind: 'connects' }
  if (startup.kind === 'missing')
    return err({ kind: 'monitor-missing', binary: 'fake', message: `${name}: there is no binary "fake"` })
  try {
    await patience.race(startup.kind === 'hangs' ? new Promise<never>(() => {}) : Promise.resolve())
  } catch (why) {
    return err(ended(why, `${name}: its start`, []))
  }
  if (startup.kind === 'dies') {
    const status = `exited with ${startup.code}`
    const message = `${name}: the monitor ${status} while it was starting. ${startup.lines.join(' | ')}`
    return err({ kind: 'monitor-died', status, lastLines: startup.lines, message })
  }
  return ok(new FakeMachine(clock, script, description))
}

class FakeMachine implements Machine {
  readonly name: string
  readonly processes = []
  readonly control: ByteChannel
  readonly events = new EventEmitter() as TypedEmitter<MachineEvents>
  readonly exit: Promise<MachineExit>
  readonly #log: MachineLog
  readonly #pmem: PmemDevice[]
  readonly #block: BlockDevice[]
  readonly #console = channelPair()
  readonly #ended = new AbortController()
  readonly #stillness = new Stillness()
  readonly #hanging = new Stillness()
  #slotsTaken = 0
  #end: (exit: MachineExit) => void = () => {}

  constructor(
    private readonly clock: Clock,
    private readonly script: FakeScript,
    private readonly description: MachineDescription,
  ) {
    this.name = description.name
    this.#pmem = [...description.pmem]
    this.#block = [...(description.block ?? [])]
    this.#log = new MachineLog(clock, (line) => this.events.emit('log', line))
    const [host, guest] = channelPair()
    this.control = host
    const heard = this.#log.follow('console', this.#console[0].incoming)
    const [printer] = this.#console.slice(1)
    this.exit = new Promise<MachineExit>((resolve) => {
      this.#end = resolve
    }).then(async (exit) => {
      guest.close()
      printer?.close()
      this.#ended.abort()
      this.#stillness.end()
      this.#hanging.end()
      await heard
      const last = 'lastLines' in exit ? { ...exit, lastLines: this.lastLines() } : exit
      this.events.emit('exit', last)
      return last
    })
    const failed = { kind: 'failed', code: 0, lastLines: [] } as const
    void this.#run({
      machine: description,
      control: this.#hanging.around(this.#stillness.around(guest)),
      pmem: () => [...this.#pmem],
      block: () => [...this.#block],
      view: (tag) => {
        const { view } = description
        return view?.tag === tag ? (script.view?.(view) ?? []) : []
      },
      print: (bytes) => {
        printer?.write(typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes).catch(() => {})
      },
      powerOff: () => this.#end({ kind: 'powered-off' }),
      crash: () => this.#end({ ...failed, reason: 'guest-reset' }),
      hang: () => {
        this.#hanging.begin()
        return () => this.#hanging.end()
      },
      ended: this.#ended.signal,
    })
  }

  lastLines(): readonly string[] {
    return this.#log.lastLines()
  }

  addPmem(device: PmemDevice, options?: OperationOptions): ResultAsync<void, MonitorError> {
    const problem = pmemProblem(device)
    if (problem !== undefined) return errAsync(problem)
    return new ResultAsync(this.#add(device, this.#pmem, options))
  }

  addBlock(device: BlockDevice, options?: OperationOptions): ResultAsync<void, MonitorError> {
    const problem = blockProblem(device)
    if (problem !== undefined) return errAsync(problem)
    return new ResultAsync(this.#add(device, this.#block, options))
  }

  get room(): HotplugRoom {
    const { hotplugSlots, memoryBytes } = this.description
    return {
      slots: hotplugSlots - this.#slotsTaken,
      pmemBytes: manageablePmemBytes(memoryBytes) - bytesOf(this.#pmem),
    }
  }

  pause(): ResultAsync<void, MonitorError> {
    if (this.#ended.signal.aborted) return errAsync(this.#gone('held still'))
    this.#stillness.begin()
    return okAsync(undefined)
  }

  resume(): ResultAsync<void, MonitorError> {
    if (this.#ended.signal.aborted) return errAsync(this.#gone('let go on'))
    this.#stillness.end()
    return okAsync(undefined)
  }

  #gone(what: string): MonitorError {
    return {
      kind: 'monitor-protocol',
      message: `machine ${this.name} cannot be ${what}: it has ended`,
    }
  }

  kill(): ResultAsync<MachineExit, MonitorError> {
    this.#end({ kind: 'killed' })
    this.control.close()
    return okAsync(undefined).andThen(() => ResultAsync.fromSafePromise(this.exit))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }

  async #run(guest: FakeGuest): Promise<void> {
    try {
      await this.script.guest?.(guest)
    } catch (error) {
      // A script that fails because its machine is gone has done its part; any other is its author's mistake.
      if (!guest.ended.aborted) throw error
    }
  }

  async #add(
    device: PmemDevice | BlockDevice,
    devices: (PmemDevice | BlockDevice)[],
    options?: OperationOptions,
  ): Promise<Result<void, MonitorError>> {
    const slots = this.description.hotplugSlots
    if (this.#slotsTaken >= slots)
      return err({ kind: 'no-slot-left', slots, message: `all ${slots} reserved pmem slots are in use` })
    if ([...this.#pmem, ...this.#block].some((present) => present.id === device.id))
      return err(invalid('id', 'the machine has such a device already'))
    using patience = new Patience(this.clock, options, HOTPLUG_DEADLINE_MS)
    const outcome = this.script.hotplug?.(device) ?? 'works'
    const what = `machine ${this.name}: adding ${device.id}`
    const gone = this.exit.then(() => 'gone' as const)
    // Taken before the wait, so that two at a time cannot take the same one.
    this.#slotsTaken += 1
    let added = false
    try {
      const settled = await patience.race(
        Promise.race([gone, outcome === 'hangs' ? new Promise<never>(() => {}) : Promise.resolve(outcome)]),
      )
      if (settled === 'gone' || this.#ended.signal.aborted)
        return err({ kind: 'monitor-protocol', message: `${what}: the machine has ended` })
      if (settled === 'declined')
        return err({ kind: 'monitor-protocol', message: `${what}: the monitor declined` })
      added = true
      devices.push(device)
      return ok(undefined)
    } catch (why) {
      return err(ended(why, what, this.lastLines()))
    } finally {
      if (!added) this.#slotsTaken -= 1
    }
  }
}

function ended(why: unknown, what: string, lastLines: readonly string[]): MonitorError {
  if (!(why instanceof WaitEnded)) throw why
  return why.why === 'aborted'
    ? { kind: 'aborted', message: `${what} was aborted` }
    : { kind: 'timed-out', message: `${what} did not end in time`, lastLines }
}
