import { errAsync, ResultAsync } from 'neverthrow'
import type {
  Agent,
  AgentClosed,
  AgentHello,
  AgentOptions,
  Clock,
  ClockStep,
  FileContent,
  FileGet,
  FilePut,
  GuestCall,
  GuestCommand,
  GuestFile,
  GuestProcess,
  GuestStream,
  Heartbeat,
  HeartbeatOptions,
  ShutdownOptions,
  ShutdownReport,
  StoreMount,
  StoreMountReport,
  StoreUnbindReport,
  ViewMount,
  VolumeMount,
} from './agent.js'
import { ProtocolViolation } from './codec.js'
import type { AgentError } from './errors.js'
import type { UnitFrame } from './frames.js'
import type { Link } from './link.js'
import { lost } from './lost.js'
import { getFile, putFile } from './session/file-requests.js'
import { Heartbeats } from './session/host-heartbeat.js'
import { MachineRequests } from './session/machine-requests.js'
import { Outstanding } from './session/outstanding.js'
import { ProcessRequests } from './session/process-requests.js'
import { offerServices } from './session/service-requests.js'
import { StoreRequests } from './session/store-requests.js'
import { HostStreams } from './streams.js'

/** The host's end of one unit's control channel, once the version is settled: what each frame is for. */
export class AgentSession implements Agent {
  readonly hello: AgentHello
  readonly closed: Promise<AgentClosed>
  readonly #link: Link
  readonly #clock: Clock
  readonly #outstanding: Outstanding
  readonly #processes: ProcessRequests
  readonly #store: StoreRequests
  readonly #machine: MachineRequests
  readonly #streams: HostStreams
  readonly #heartbeats: Heartbeats

  constructor(link: Link, clock: Clock, hello: AgentHello) {
    this.#link = link
    this.#clock = clock
    this.#outstanding = new Outstanding(link, clock)
    this.#processes = new ProcessRequests(link, clock, this.#outstanding)
    this.#store = new StoreRequests(this.#outstanding, clock)
    this.#machine = new MachineRequests(this.#outstanding, clock)
    this.#streams = new HostStreams(link, clock)
    this.#heartbeats = new Heartbeats(link)
    this.hello = hello
    this.closed = link.closed
    void link.closed.then((closed) => {
      const error = lost(closed)
      this.#processes.lose(error.message)
      this.#outstanding.lose(error)
      this.#streams.lose(closed)
    })
  }

  exec(command: GuestCommand, options: AgentOptions = {}): ResultAsync<GuestProcess, AgentError> {
    return new ResultAsync(this.#processes.exec(command, options))
  }

  mountStore(mount: StoreMount, options: AgentOptions = {}): ResultAsync<StoreMountReport, AgentError> {
    return new ResultAsync(this.#store.mount(mount, options))
  }

  mountView(view: ViewMount, options: AgentOptions = {}): ResultAsync<StoreMountReport, AgentError> {
    return new ResultAsync(this.#store.mountView(view, options))
  }

  unbindStore(
    paths: readonly string[],
    options: AgentOptions = {},
  ): ResultAsync<StoreUnbindReport, AgentError> {
    return new ResultAsync(this.#store.unbind(paths, options))
  }

  listStore(options: AgentOptions = {}): ResultAsync<readonly string[], AgentError> {
    return new ResultAsync(this.#store.list(options))
  }

  offerServices(
    names: readonly string[],
    onCall: (call: GuestCall) => void,
    options: AgentOptions = {},
  ): ResultAsync<void, AgentError> {
    return new ResultAsync(offerServices(this.#outstanding, this.#streams, names, onCall, options))
  }

  connect(path: string, options: AgentOptions = {}): ResultAsync<GuestStream, AgentError> {
    return this.#unlessRefused(() => this.#streams.connect(path, options))
  }

  mountVolume(volume: VolumeMount, options: AgentOptions = {}): ResultAsync<void, AgentError> {
    return new ResultAsync(this.#machine.mountVolume(volume, options))
  }

  setClock(epochMs: number, options: AgentOptions = {}): ResultAsync<ClockStep, AgentError> {
    return new ResultAsync(this.#machine.setClock(epochMs, options))
  }

  addEntropy(bytes: Uint8Array, options: AgentOptions = {}): ResultAsync<void, AgentError> {
    return new ResultAsync(this.#machine.addEntropy(bytes, options))
  }

  putFile(file: FilePut, content: FileContent, options: AgentOptions = {}): ResultAsync<void, AgentError> {
    return this.#unlessRefused(() => putFile(this.#streams, this.#clock, file, content, options))
  }

  getFile(file: FileGet, options: AgentOptions = {}): ResultAsync<GuestFile, AgentError> {
    return this.#unlessRefused(() => getFile(this.#streams, this.#clock, file, options))
  }

  startHeartbeat(options: HeartbeatOptions = {}): Heartbeat {
    return this.#heartbeats.start(this.#clock, options)
  }

  shutDown(options: ShutdownOptions = {}): ResultAsync<ShutdownReport, AgentError> {
    return new ResultAsync(this.#machine.shutDown(options))
  }

  powerOff(options: AgentOptions = {}): ResultAsync<void, AgentError> {
    return this.#machine.powerOff(options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#link.close({ kind: 'closed-by-host' })
  }

  /** Takes a frame of the unit. Throws ProtocolViolation when it is not legal now. */
  receive(frame: UnitFrame): void {
    switch (frame.type) {
      case 'hello':
        throw new ProtocolViolation('hello a second time')
      case 'pong':
        this.#heartbeats.receive(frame.nonce)
        return
      case 'signalled':
      case 'mounted':
      case 'unbound':
      case 'failed':
      case 'offered':
      case 'powering-off':
      case 'store-names':
      case 'done':
      case 'clock-set':
      case 'shutdown-step':
        this.#outstanding.receive(frame)
        return
      case 'call':
      case 'connected':
      case 'received':
      case 'received-end':
      case 'send-credit':
      case 'send-closed':
      case 'closed':
        this.#streams.receive(frame)
        return
      default:
        this.#processes.receive(frame)
    }
  }

  #unlessRefused<T>(
    ask: () => ConstructorParameters<typeof ResultAsync<T, AgentError>>[0],
  ): ResultAsync<T, AgentError> {
    const refused = this.#outstanding.refusal()
    return refused === undefined ? new ResultAsync(ask()) : errAsync(refused)
  }
}
