import type { ByteChannel, Clock } from './agent.js'
import { encodeFrame, FrameDecoder, ProtocolViolation } from './codec.js'
import type { FakeAgentChannel, FakeEnd, FakeUnit } from './fake.js'
import { FakeCommand } from './fake-command.js'
import { FakeFiles, type FakeVolume } from './fake-files.js'
import { FakeMachine } from './fake-machine.js'
import { FakeStore } from './fake-store.js'
import { FakeStreams } from './fake-streams.js'
import { codes, type Frame, type HostFrame, limits, protocolVersion, type UnitFrame } from './frames.js'
import { AsyncQueue } from './queue.js'

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
  readonly #files = new FakeFiles()
  readonly #machine: FakeMachine
  /** What the host has sent to a unit that is frozen. */
  #unheard: Uint8Array[] = []
  #unsaid: UnitFrame[] = []
  #frozen = false
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
    this.#streams = new FakeStreams((frame) => this.#send(frame), unit.sockets ?? {}, this.#files)
    this.#machine = new FakeMachine(clock, unit, this.#files, (frame) => this.#send(frame))
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

  addVolume(serial: string, volume: FakeVolume): void {
    this.#machine.addVolume(serial, volume)
  }

  epochMs(): number {
    return this.#machine.epochMs()
  }

  entropyBytes(): number {
    return this.#machine.entropyBytes()
  }

  freeze(): void {
    this.#frozen = true
  }

  thaw(): void {
    this.#frozen = false
    for (const frame of this.#unsaid.splice(0)) this.#send(frame)
    for (const bytes of this.#unheard.splice(0)) if (this.#end === undefined) this.#receive(bytes)
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
    if (this.#frozen) this.#unsaid.push(frame)
    else if (this.#end === undefined) this.#toHost.push(encodeFrame(frame))
  }

  #receive(bytes: Uint8Array): void {
    if (this.#end !== undefined) throw new Error('the channel is closed')
    if (this.#frozen) {
      this.#unheard.push(bytes)
      return
    }
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
      case 'ping':
        this.#send({ type: 'pong', nonce: frame.nonce })
        return
      case 'resize':
        this.#answerAboutTerminal(frame.request, this.#command(frame.command)?.resize(frame))
        return
      case 'hang-up':
        this.#answerAboutTerminal(frame.request, this.#command(frame.command)?.hangUp())
        return
      case 'mount-volume':
      case 'set-clock':
      case 'add-entropy':
        this.#machine.receive(frame)
        return
      case 'mount-cancel':
        this.#machine.receive(frame)
        this.#store.receive(frame)
        return
      case 'shut-down':
        void this.#machine
          .shutDown(frame, this.#commands, () => this.#end !== undefined)
          .then(() => this.#finish('powered-off'))
        return
      case 'put-file':
      case 'get-file':
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
    if ((frame.rows === 0) !== (frame.columns === 0)) throw new ProtocolViolation('exec: half a terminal')
    if (this.#machine.shuttingDown || this.#commands.size >= limits.runningCommands) {
      refuse('resources', errnoAgain, 'the unit runs as many commands as it may at once, or is shutting down')
      return
    }
    if (!this.#exists(frame.cwd) && !this.#files.isDirectory(frame.cwd)) {
      refuse('bad-cwd', errnoMissing, `the working directory ${frame.cwd} cannot be entered`)
      return
    }
    const run = this.#unit.programs?.[program]
    if (run === undefined || (program.startsWith('/nix/store/') && !this.#exists(program))) {
      refuse('not-found', errnoMissing, `${program} is not in this unit: grant the store path that holds it`)
      return
    }
    const parts = { streams: this.#streams, files: this.#files }
    const command = new FakeCommand(frame, parts, (out) => {
      if (out.type === 'ended') this.#commands.delete(frame.command)
      this.#send(out)
    })
    this.#commands.set(frame.command, command)
    command.start(run)
  }

  #answerAboutTerminal(request: number, errno: number | undefined = errnoNoProcess): void {
    if (errno === 0) this.#send({ type: 'done', request })
    else {
      const message = 'there is no such terminal'
      this.#send({ type: 'failed', request, kind: codes.failed.refused, errno, feature: '', message })
    }
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
    this.#machine.dispose()
    this.#streams.lose()
    for (const command of this.#commands.values()) command.kill()
    this.#commands.clear()
    this.#settle(end)
  }
}
