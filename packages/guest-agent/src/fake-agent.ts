import type { ByteChannel, Clock } from './agent.js'
import { encodeFrame, FrameDecoder, ProtocolViolation } from './codec.js'
import type { FakeAgentChannel, FakeEnd, FakeUnit } from './fake.js'
import { FakeCommand } from './fake-command.js'
import { FakeStore } from './fake-store.js'
import { FakeStreams } from './fake-streams.js'
import { codes, type Frame, type HostFrame, limits, protocolVersion, type UnitFrame } from './frames.js'
import { AsyncQueue } from './queue.js'

const directories = new Set(['/', '/dev', '/home', '/nix', '/nix/store', '/proc', '/run', '/sys', '/tmp'])
const errnoAgain = 11
const errnoMissing = 2
const errnoNoProcess = 3

/** The unit's side of the protocol, with functions for programs and sets for devices. */
export class FakeAgent implements FakeAgentChannel {
  readonly channel: ByteChannel
  readonly ended: Promise<FakeEnd>
  readonly #unit: FakeUnit
  readonly #toHost = new AsyncQueue<Uint8Array>()
  readonly #decoder = new FrameDecoder('host')
  readonly #commands = new Map<number, FakeCommand>()
  readonly #store: FakeStore
  readonly #streams: FakeStreams
  #lastCommand = 0
  #welcomed = false
  #end: FakeEnd | undefined
  #settle!: (end: FakeEnd) => void

  constructor(clock: Clock, unit: FakeUnit) {
    this.#unit = unit
    this.#store = new FakeStore(
      clock,
      unit,
      (frame) => this.#send(frame),
      (name) => this.#runningFrom(name),
    )
    this.#streams = new FakeStreams((frame) => this.#send(frame), unit.sockets ?? {})
    this.ended = new Promise((resolve) => {
      this.#settle = resolve
    })
    this.channel = {
      incoming: this.#toHost,
      write: async (bytes) => this.#receive(bytes),
      close: () => this.#finish('host-gone'),
    }
    if (unit.silent !== true) this.#sayHello()
  }

  addDevice(id: string): void {
    this.#store.addDevice(id)
  }

  addImage(id: string, names: readonly string[]): void {
    this.#store.addImage(id, names)
  }

  showInView(names: readonly string[]): void {
    this.#store.showInView(names)
  }

  hideFromView(names: readonly string[]): void {
    this.#store.hideFromView(names)
  }

  boundNames(): readonly string[] {
    return this.#store.boundNames()
  }

  lose(): void {
    this.#finish('lost')
  }

  #sayHello(): void {
    const { min, max } = this.#unit.versions ?? protocolVersion
    this.#send({
      type: 'hello',
      minVersion: min,
      maxVersion: max,
      bootId: this.#unit.bootId ?? '00000000-0000-4000-8000-000000000000',
      release: this.#unit.kernelRelease ?? '0.0.0-fake',
      machine: this.#unit.machine ?? 'x86_64',
    })
  }

  #send(frame: UnitFrame): void {
    if (this.#end === undefined) this.#toHost.push(encodeFrame(frame))
  }

  #receive(bytes: Uint8Array): void {
    if (this.#end !== undefined) throw new Error('the channel is closed')
    try {
      for (const frame of this.#decoder.push(bytes)) {
        if (this.#end !== undefined) return
        this.#serve(frame as HostFrame)
      }
    } catch (cause) {
      if (!(cause instanceof ProtocolViolation)) throw cause
      this.#finish('protocol-violation')
    }
  }

  #serve(frame: HostFrame): void {
    if (frame.type === 'welcome') {
      if (this.#welcomed) throw new ProtocolViolation('welcome a second time')
      this.#welcomed = true
      return
    }
    if (!this.#welcomed) throw new ProtocolViolation(`${frame.type} before welcome`)
    switch (frame.type) {
      case 'exec':
        this.#exec(frame)
        return
      case 'stdin':
        this.#command(frame.command)?.receiveStdin(frame.offset, frame.bytes)
        return
      case 'stdin-end':
        this.#command(frame.command)?.endStdin(frame.offset)
        return
      case 'output-credit':
        this.#command(frame.command)?.grant(frame.stream, frame.credit)
        return
      case 'signal': {
        const delivered = this.#command(frame.command)?.signal(frame.signal) ?? false
        this.#send({ type: 'signalled', request: frame.request, errno: delivered ? 0 : errnoNoProcess })
        return
      }
      case 'kill':
        this.#command(frame.command)?.kill()
        return
      case 'list-store':
        this.#send({ type: 'store-names', request: frame.request, last: 1, names: this.boundNames() })
        return
      case 'power-off':
        this.#send({ type: 'powering-off', request: frame.request })
        this.#finish('powered-off')
        return
      case 'offer-services':
      case 'connect':
      case 'send':
      case 'send-end':
      case 'receive-credit':
      case 'receive-stop':
      case 'reset':
        this.#streams.receive(frame)
        return
      default:
        this.#store.receive(frame)
    }
  }

  /** A command that runs, or undefined for one that has ended: frames cross. */
  #command(id: number): FakeCommand | undefined {
    if (id > this.#lastCommand) throw new ProtocolViolation(`no command ${id}`)
    return this.#commands.get(id)
  }

  #exec(frame: Frame<'exec'>): void {
    if (frame.command <= this.#lastCommand) throw new ProtocolViolation('exec with an id that is not new')
    this.#lastCommand = frame.command
    const program = frame.argv[0]!
    const refuse = (reason: keyof typeof codes.notStarted, errno: number, message: string): void =>
      this.#send({
        type: 'not-started',
        command: frame.command,
        reason: codes.notStarted[reason],
        errno,
        message,
      })
    if (this.#commands.size >= limits.runningCommands) {
      refuse('resources', errnoAgain, 'the unit runs as many commands as it may at once')
      return
    }
    if (!this.#exists(frame.cwd) && !directories.has(frame.cwd)) {
      refuse('bad-cwd', errnoMissing, `the working directory ${frame.cwd} cannot be entered`)
      return
    }
    const run = this.#unit.programs?.[program]
    if (run === undefined || (program.startsWith('/nix/store/') && !this.#exists(program))) {
      refuse('not-found', errnoMissing, `${program} is not in this unit: grant the store path that holds it`)
      return
    }
    const command = new FakeCommand(frame, this.#streams, (out) => {
      if (out.type === 'ended') this.#commands.delete(frame.command)
      this.#send(out)
    })
    this.#commands.set(frame.command, command)
    command.start(run)
  }

  #exists(path: string): boolean {
    const [, nix, store, name] = path.split('/')
    return nix === 'nix' && store === 'store' && name !== undefined && this.#store.isReadable(name)
  }

  #runningFrom(name: string): number {
    return [...this.#commands.values()].filter(({ program }) => program.startsWith(`/nix/store/${name}/`))
      .length
  }

  #finish(end: FakeEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#toHost.end()
    this.#store.dispose()
    this.#streams.lose()
    for (const command of this.#commands.values()) command.kill()
    this.#commands.clear()
    this.#settle(end)
  }
}
