import { closure } from '@spectrum/unit-graph'
import type { Host } from '../host.js'
import type { Unit } from '../unit.js'
import { openWait, orAborted } from '../wait.js'
import { type Answered, type RunningCommand, runCommand, type Unnumbered } from './command.js'
import {
  CONTROL_VERSION,
  controlFrames,
  controlLimits,
  encodeFrame,
  type Frame,
  type FrameFrom,
  FrameReader,
} from './frames.js'
import { Pace } from './pace.js'
import type { ControlPowers, ControlSocket } from './powers.js'
import {
  bounded,
  type Request,
  type RequestOf,
  readAct,
  readHello,
  readRequest,
  type Welcome,
} from './requests.js'
import { ShapeFault } from './shape.js'
import { Streams } from './streams.js'
import { tellLogs } from './tell-logs.js'
import type { UnitBook } from './unit-book.js'

const FAREWELL_MS = 1_000
const MOST_HEARD_OUT = 4 * controlLimits.requestBytes

/** What the clients of one host share. */
export interface Served {
  readonly host: Host
  readonly units: UnitBook
  readonly welcome: Welcome
  /** Stops the whole host. */
  stopHost(graceMs: number | undefined): Promise<Done>
}

/** What a request came to; `end` is to be called when the answer has been sent. */
export interface Done {
  readonly answer: Answered
  end(): void
}

const alone = (answer: Answered): Done => ({ answer, end() {} })

/** A request whose answer has not left yet. */
interface Open {
  readonly id: number
  readonly abort: AbortController
  readonly streams: Streams
  command?: RunningCommand
  /** A client has forgotten what it was answered: it takes whatever comes behind for a fault. */
  isAnswered: boolean
}

/**
 * The host's side of one connection. Frames are legal as the table says; the first that is not ends the connection,
 * and with it everything that the client has started.
 */
export class Session {
  readonly #socket: ControlSocket
  readonly #served: Served
  readonly #powers: ControlPowers
  readonly #ending = new AbortController()
  readonly #open = new Map<number, Open>()
  readonly #work = new Set<Promise<void>>()
  #highest = 0
  #greeted = false
  /** Nothing is said after the refusal. */
  #leaving = false

  constructor(socket: ControlSocket, served: Served, powers: ControlPowers) {
    this.#socket = socket
    this.#served = served
    this.#powers = powers
  }

  /** Resolves when the client has gone or was sent away, and nothing of it is left. Never rejects. */
  async run(): Promise<void> {
    const reader = new FrameReader('client')
    const pace = new Pace(this.#powers.clock, controlLimits.framesPerSecond)
    const { signal } = this.#ending
    const hello = this.#powers.clock.deadline(controlLimits.helloMs)
    const late = () => this.#greeted || this.close()
    hello.signal.addEventListener('abort', late, { once: true })
    try {
      for (;;) {
        const bytes = await this.#socket.receive(signal)
        if (bytes === undefined) break
        let fault: string | undefined
        for (const frame of reader.take(bytes)) {
          fault = this.#take(frame)
          if (fault !== undefined) break
          await pace.one(signal)
        }
        fault ??= reader.fault
        if (fault !== undefined) {
          await this.#sendAway(fault)
          break
        }
        await this.#powers.nextTurn()
      }
    } finally {
      hello.signal.removeEventListener('abort', late)
      hello[Symbol.dispose]()
      this.#cancelAll()
      this.close()
      await Promise.allSettled(this.#work)
    }
  }

  close(): void {
    this.#ending.abort()
    this.#socket.close()
  }

  /** Cancels what can be cancelled. Resolves when all that was asked has been answered. */
  async finish(): Promise<void> {
    this.#cancelAll()
    await Promise.allSettled(this.#work)
  }

  #cancelAll(): void {
    for (const { abort, streams } of this.#open.values()) {
      abort.abort()
      streams.close()
    }
  }

  /** What is wrong with the frame; undefined when nothing is. */
  #take(frame: FrameFrom<'client'>): string | undefined {
    if (controlFrames[frame.kind].when === 'first' ? this.#greeted : !this.#greeted)
      return `a frame ${frame.kind} ${this.#greeted ? 'after' : 'before'} the greeting`
    try {
      switch (frame.kind) {
        case 'hello':
          return this.#greet(frame.id, readHello(frame.value, '').versions)
        case 'request':
          return this.#ask(frame.id, readRequest(frame.value, ''))
        default:
          return this.#concerning(frame)
      }
    } catch (cause) {
      if (!(cause instanceof ShapeFault)) throw cause
      return `a frame ${frame.kind}: ${cause.message}`
    }
  }

  #greet(id: number, versions: readonly number[]): string | undefined {
    if (id !== 0) return 'a greeting belongs to no request'
    if (!versions.includes(CONTROL_VERSION))
      return `this host speaks version ${CONTROL_VERSION}, the client ${versions.join(', ')}: use the command of the same release`
    this.#greeted = true
    void this.#send({ kind: 'welcome', id: 0, value: this.#served.welcome })
    return undefined
  }

  #ask(id: number, request: Request): string | undefined {
    if (id <= this.#highest)
      return `request ${id} after request ${this.#highest}: each has a number of its own`
    if (this.#open.size >= controlLimits.openRequests)
      return `more than ${controlLimits.openRequests} requests at once`
    this.#highest = id
    const open: Open = {
      id,
      abort: new AbortController(),
      streams: new Streams((count) => void this.#sendOf(open, { kind: 'input-credit', count })),
      isAnswered: false,
    }
    this.#open.set(id, open)
    const work = this.#carryOut(request, open)
    this.#work.add(work)
    void work.finally(() => this.#work.delete(work))
    return undefined
  }

  #concerning(frame: Exclude<FrameFrom<'client'>, { kind: 'hello' | 'request' }>): string | undefined {
    const open = this.#open.get(frame.id)
    if (open === undefined) {
      // It may have been answered while this was under way.
      return frame.id > 0 && frame.id <= this.#highest ? undefined : `a frame ${frame.kind} for no request`
    }
    switch (frame.kind) {
      case 'input':
        return open.streams.input.push(frame.bytes) ? undefined : 'more input than there is credit for'
      case 'input-end':
        if (open.streams.input.ended) return 'a second end of the input'
        open.streams.input.end()
        return undefined
      case 'output-credit':
        return open.streams.credit[frame.stream].add(frame.count) ? undefined : 'more credit than a window'
      case 'act': {
        const act = readAct(frame.value, '')
        open.command?.act(act)
        return undefined
      }
      case 'cancel':
        open.abort.abort()
        open.streams.close()
        return undefined
    }
  }

  async #carryOut(request: Request, open: Open): Promise<void> {
    let after = () => {}
    let answer: Answered
    try {
      const done = await this.#answerTo(request, open)
      answer = done.answer
      after = done.end
    } catch (cause) {
      answer = {
        failure: { kind: 'mistake', message: `this is a mistake in the host itself: ${String(cause)}` },
      }
    }
    open.streams.close()
    const sent = this.#sendOf(open, { kind: 'answer', value: answer })
    open.isAnswered = true
    await sent
    this.#open.delete(open.id)
    after()
  }

  async #answerTo(request: Request, open: Open): Promise<Done> {
    const { host, units } = this.#served
    switch (request.ask) {
      case 'list':
        return alone({ units: units.list() })
      case 'logs':
        return alone(await this.#tellLogs(request, open))
      case 'stop':
        return this.#stop(request)
      case 'inject': {
        const unit = host.units.get(request.unit)
        if (unit === undefined) return alone(this.#noUnit(request.unit))
        const injected = await unit.inject(closure(...request.paths), { signal: open.abort.signal })
        return alone(
          injected.match(
            ({ added, way, devices, ms }): Answered => ({ added, way, devices, ms }),
            (error) => ({ failure: { kind: error.kind, message: bounded(error.message, 8_000) } }),
          ),
        )
      }
      case 'exec': {
        const unit = host.units.get(request.unit)
        if (unit === undefined) return alone(this.#noUnit(request.unit))
        return alone(
          await runCommand(unit, request, {
            clock: this.#powers.clock,
            signal: open.abort.signal,
            streams: open.streams,
            send: (frame) => this.#sendOf(open, frame),
            started: (command) => {
              open.command = command
            },
          }),
        )
      }
    }
  }

  /** A stop goes on without its client, and a grace may be long: when the client has gone, nobody waits for it here. */
  async #stop({ unit: name, graceMs }: RequestOf<'stop'>): Promise<Done> {
    const stopping = name === undefined ? this.#served.stopHost(graceMs) : this.#stopUnit(name, graceMs)
    const done = await orAborted(stopping, this.#ending.signal)
    if (done !== undefined) return done
    void stopping.then(({ end }) => end())
    return alone({ failure: { kind: 'aborted', message: 'it goes on; the connection was closed' } })
  }

  async #stopUnit(name: string, graceMs: number | undefined): Promise<Done> {
    const unit = this.#served.host.units.get(name)
    return alone(unit === undefined ? this.#noUnit(name) : await stopUnit(unit, graceMs))
  }

  async #tellLogs(request: RequestOf<'logs'>, open: Open): Promise<Answered> {
    const { host, units } = this.#served
    const { unit } = request
    if (unit !== undefined && units.stateOf(unit) === undefined) return this.#noUnit(unit)
    await this.#sendOf(open, { kind: 'started' })
    const encoder = new TextEncoder()
    await tellLogs(host, unit === undefined ? units.names : [unit], request, {
      signal: open.abort.signal,
      tell: (line) =>
        open.streams.credit[0].send(encoder.encode(`${JSON.stringify(line)}\n`), (bytes) =>
          this.#sendOf(open, { kind: 'output', stream: 0, bytes }),
        ),
    })
    await this.#sendOf(open, { kind: 'output-end', stream: 0 })
    return {}
  }

  #noUnit(name: string): Answered {
    const { units, host } = this.#served
    const state = units.stateOf(name)
    const running = [...host.units.keys()]
    const message =
      state !== undefined
        ? `unit "${name}" is ${state}`
        : `there is no unit "${name}"; there ${running.length === 0 ? 'is none' : `are: ${running.join(', ')}`}`
    return {
      failure: { kind: state === undefined ? 'no-such-unit' : 'unit-not-running', message: bounded(message) },
    }
  }

  /** Says why, and hears out what is on its way: a socket that is closed over unread bytes loses what it has said. */
  async #sendAway(message: string): Promise<void> {
    this.#leaving = true
    using patience = openWait(this.#powers.clock, FAREWELL_MS, this.#ending.signal)
    const { signal } = patience
    await this.#socket.send(
      encodeFrame({ kind: 'refused', id: 0, value: { message: bounded(message) } }),
      signal,
    )
    this.#socket.finish()
    for (let heard = 0; heard < MOST_HEARD_OUT; ) {
      const bytes = await this.#socket.receive(signal)
      if (bytes === undefined) return
      heard += bytes.length
    }
  }

  async #sendOf(open: Open, frame: Unnumbered<Frame>): Promise<void> {
    if (!open.isAnswered) await this.#send({ ...frame, id: open.id } as Frame)
  }

  async #send(frame: Frame): Promise<void> {
    if (this.#leaving) return
    await this.#socket.send(encoded(frame), this.#ending.signal)
  }
}

/** An answer that is too long becomes a failure that says so. */
function encoded(frame: Frame): Uint8Array {
  try {
    return encodeFrame(frame)
  } catch (cause) {
    if (frame.kind !== 'answer' || !(cause instanceof RangeError)) throw cause
    const failure = { kind: 'too-long', message: 'it was done, but the answer is longer than a client takes' }
    return encodeFrame({ ...frame, value: { failure } })
  }
}

async function stopUnit(unit: Unit, graceMs: number | undefined): Promise<Answered> {
  const stopped = await unit.stop({ graceMs })
  return stopped.match(
    ({ graceful }): Answered => ({ stopped: [{ unit: unit.name, graceful }] }),
    (error) => ({ failure: { kind: error.kind, message: bounded(error.message, 8_000) } }),
  )
}
