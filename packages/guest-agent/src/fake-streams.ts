import { ProtocolViolation } from './codec.js'
import type { FakeListener, FakeSocket } from './fake.js'
import type { FakeFiles } from './fake-files.js'
import { FakeStream } from './fake-stream.js'
import { transfer } from './fake-transfer.js'
import { type Frame, limits, type UnitFrame } from './frames.js'

const directory = '/run/spectrum/services/'
const errnoRefused = 111
const serviceName = /^[a-z][A-Za-z0-9-]{0,63}$/

/** The sockets of a fake unit: services that its programs call, and paths on which its programs listen. */
export class FakeStreams {
  readonly #send: (frame: UnitFrame) => void
  readonly #files: FakeFiles
  readonly #services = new Set<string>()
  readonly #listeners = new Map<string, FakeListener>()
  readonly #open = new Map<number, FakeStream>()
  #calls = 0
  #lastCall = -1
  #lastConnection = 0

  constructor(
    send: (frame: UnitFrame) => void,
    listeners: Readonly<Record<string, FakeListener>>,
    files: FakeFiles,
  ) {
    this.#send = send
    this.#files = files
    for (const [path, listener] of Object.entries(listeners)) this.#listeners.set(path, listener)
  }

  /** A program connects. Throws when nothing listens there. */
  connect(path: string): FakeSocket {
    const service = path.startsWith(directory) ? path.slice(directory.length) : ''
    if (!this.#services.has(service)) throw new Error('ECONNREFUSED')
    if (this.#calls >= limits.openCalls) {
      const closed = new FakeStream(
        0,
        () => {},
        () => {},
      )
      closed.lose()
      return closed
    }
    this.#lastCall += 2
    this.#calls++
    const stream = this.#begin(this.#lastCall)
    this.#send({ type: 'call', stream: stream.id, service })
    return stream
  }

  /** A program listens. */
  listen(path: string, listener: FakeListener): void {
    this.#listeners.set(path, listener)
  }

  receive(
    frame: Frame<
      | 'put-file'
      | 'get-file'
      | 'offer-services'
      | 'connect'
      | 'send'
      | 'send-end'
      | 'receive-credit'
      | 'receive-stop'
      | 'reset'
    >,
  ): void {
    switch (frame.type) {
      case 'offer-services':
        this.#offer(frame)
        return
      case 'connect':
        this.#connect(frame)
        return
      case 'put-file':
      case 'get-file':
        this.#beginTransfer(frame)
        return
      case 'send':
        this.#stream(frame.stream)?.receiveSend(frame)
        return
      case 'send-end':
        this.#stream(frame.stream)?.receiveSendEnd(frame)
        return
      case 'receive-credit':
        this.#stream(frame.stream)?.grant(frame)
        return
      case 'receive-stop':
        this.#stream(frame.stream)?.receiveStop()
        return
      case 'reset':
        this.#stream(frame.stream)?.reset()
    }
  }

  /** The unit is gone. */
  lose(): void {
    for (const stream of this.#open.values()) stream.lose()
    this.#open.clear()
  }

  #offer({ request, names }: Frame<'offer-services'>): void {
    if (names.length === 0 || this.#services.size + names.length > limits.services) {
      throw new ProtocolViolation('offer-services: too many or none')
    }
    for (const name of names) {
      if (!serviceName.test(name) || this.#services.has(name)) {
        throw new ProtocolViolation('offer-services: a name that is none, or twice')
      }
      this.#services.add(name)
    }
    this.#send({ type: 'offered', request })
  }

  #connect({ stream: id, path }: Frame<'connect'>): void {
    if (!path.startsWith('/')) throw new ProtocolViolation('connect: no path')
    this.#serve(id, this.#listeners.get(path))
  }

  #beginTransfer(frame: Frame<'put-file' | 'get-file'>): void {
    const { below, path } = frame
    const isPut = frame.type === 'put-file'
    if (!below.startsWith('/') || path === '' || path.startsWith('/')) {
      throw new ProtocolViolation(`${frame.type}: not a path below a directory`)
    }
    if (isPut && (frame.size > limits.fileBytes || frame.mode > 0o7777)) {
      throw new ProtocolViolation('put-file: out of range')
    }
    this.#serve(frame.stream, (stream) => transfer(this.#files, frame, stream))
  }

  #serve(id: number, listener: ((stream: FakeStream) => void | Promise<void>) | undefined): void {
    if (id % 2 !== 0 || id <= this.#lastConnection)
      throw new ProtocolViolation('a stream with an id that is not new')
    if (this.#open.size - this.#calls >= limits.openConnections) {
      throw new ProtocolViolation('connect: too many at once')
    }
    this.#lastConnection = id
    this.#send({ type: 'connected', stream: id, errno: listener === undefined ? errnoRefused : 0 })
    if (listener === undefined) return
    const stream = this.#begin(id)
    void Promise.resolve()
      .then(() => listener(stream))
      .catch(() => {})
      .then(() => stream.close())
  }

  #begin(id: number): FakeStream {
    const stream = new FakeStream(id, this.#send, () => {
      this.#open.delete(id)
      if (id % 2 === 1) this.#calls--
    })
    this.#open.set(id, stream)
    return stream
  }

  /** An open one, or undefined for one that is closed: frames cross. */
  #stream(id: number): FakeStream | undefined {
    if (id === 0 || id > (id % 2 === 1 ? this.#lastCall : this.#lastConnection)) {
      throw new ProtocolViolation(`no stream ${id}`)
    }
    return this.#open.get(id)
  }
}
