import { err, ok, type Result } from 'neverthrow'
import type { AgentClosed, AgentOptions, Clock, GuestCall, GuestStream } from './agent.js'
import { ProtocolViolation } from './codec.js'
import type { AgentError } from './errors.js'
import { type Frame, limits } from './frames.js'
import type { Link } from './link.js'
import { lost } from './lost.js'
import { errnoName } from './names.js'
import { patience, unlessAborted } from './patience.js'
import { faultOfSocketPath } from './requests.js'
import { HostCall, HostStream, type StreamFrame } from './stream.js'

const connectMs = 30_000

/** The streams of one unit: those that its programs open, and those that the host opens. */
export class HostStreams {
  readonly #link: Link
  readonly #clock: Clock
  readonly #open = new Map<number, HostStream>()
  readonly #connecting = new Map<number, (errno: number) => void>()
  readonly #services = new Map<string, (call: GuestCall) => void>()
  #calls = 0
  #lastCall = -1
  #lastConnection = 0

  constructor(link: Link, clock: Clock) {
    this.#link = link
    this.#clock = clock
  }

  /** From now on calls of these names are handed over. */
  expect(names: readonly string[], onCall: (call: GuestCall) => void): void {
    for (const name of names) this.#services.set(name, onCall)
  }

  /** The unit does not listen there. */
  forget(names: readonly string[]): void {
    for (const name of names) this.#services.delete(name)
  }

  get offered(): ReadonlySet<string> {
    return new Set(this.#services.keys())
  }

  async connect(path: string, options: AgentOptions): Promise<Result<GuestStream, AgentError>> {
    const wrong = faultOfSocketPath(path)
    if (wrong !== undefined) return err(wrong)
    const opened = await this.open('connecting to a socket in the unit', options, (stream) => ({
      type: 'connect',
      stream,
      path,
    }))
    return opened.mapErr((error) =>
      error.kind === 'refused' && error.errno !== 'EAGAIN'
        ? { ...error, message: `nothing answers at that path in the unit: ${error.errno}` }
        : error,
    )
  }

  /** Opens a stream by this frame. `refused` when the unit does not. */
  async open(
    what: string,
    options: AgentOptions,
    frame: (stream: number) => Frame<'connect' | 'put-file' | 'get-file'>,
  ): Promise<Result<HostStream, AgentError>> {
    if (this.#open.size - this.#calls >= limits.openConnections) {
      const message = `${limits.openConnections} connections into this unit are open: end some of them`
      return err({ kind: 'refused', errno: 'EAGAIN', message })
    }
    const deadlineMs = options.deadlineMs ?? connectMs
    using wait = patience(this.#clock, { signal: options.signal, deadlineMs })
    if (wait.signal.aborted) return err(wait.error(what))
    this.#lastConnection += 2
    const stream = this.#begin(new HostStream(this.#lastConnection, this.#powers))
    const answered = new Promise<number>((resolve) => this.#connecting.set(stream.id, resolve))
    this.#link.send(frame(stream.id))
    const answer = await unlessAborted(Promise.race([answered, stream.closed]), wait.signal)
    if (answer === 'aborted') {
      stream.reset()
      return err(wait.error(what))
    }
    if (answer === 0) return ok(stream)
    const closed = this.#link.closedAs
    if (typeof answer !== 'number') return err(lost(closed ?? { kind: 'closed-by-unit' }))
    const name = errnoName(answer)
    return err({ kind: 'refused', errno: name, message: `${what}: the unit refused it: ${name}` })
  }

  /** What came over a stream makes no sense: the unit is cut off. */
  violated(message: string): void {
    this.#link.close({ kind: 'protocol-violation', message })
  }

  /** Takes a frame of the unit. Throws ProtocolViolation when it is not legal now. */
  receive(frame: Frame<'call' | 'connected'> | StreamFrame): void {
    if (frame.type === 'call') {
      this.#receiveCall(frame)
      return
    }
    const stream = this.#open.get(frame.stream)
    if (stream === undefined) throw new ProtocolViolation(`${frame.type} for no stream`)
    const connecting = this.#connecting.get(frame.stream)
    if (frame.type === 'connected') {
      if (connecting === undefined) throw new ProtocolViolation('connected: a second time')
      this.#connecting.delete(frame.stream)
      connecting(frame.errno)
      if (frame.errno !== 0) this.#end(stream, 'nothing answered')
      return
    }
    if (connecting !== undefined) throw new ProtocolViolation(`${frame.type} before connected`)
    if (stream.receive(frame)) this.#release(stream)
  }

  /** The channel has ended. */
  lose(closed: AgentClosed): void {
    const { message } = lost(closed)
    for (const stream of [...this.#open.values()]) this.#end(stream, message)
    this.#connecting.clear()
  }

  #receiveCall({ stream: id, service }: Frame<'call'>): void {
    const onCall = this.#services.get(service)
    if (onCall === undefined) throw new ProtocolViolation('a call of a service that was not offered')
    if (id % 2 === 0 || id <= this.#lastCall) throw new ProtocolViolation('a call with an id that is not new')
    if (this.#calls >= limits.openCalls) throw new ProtocolViolation('more open calls than there may be')
    this.#lastCall = id
    this.#calls++
    onCall(this.#begin(new HostCall(id, service, this.#powers)))
  }

  #begin<Stream extends HostStream>(stream: Stream): Stream {
    this.#open.set(stream.id, stream)
    return stream
  }

  #end(stream: HostStream, message: string): void {
    stream.lose(message)
    this.#release(stream)
  }

  #release(stream: HostStream): void {
    this.#open.delete(stream.id)
    if (stream.id % 2 === 1) this.#calls--
  }

  get #powers() {
    return {
      send: (frame: Parameters<Link['send']>[0]) => this.#link.send(frame),
      clogged: () => this.#link.clogged(),
    }
  }
}
