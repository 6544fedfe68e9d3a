import type { HostEvents } from '../events.js'
import type { Host } from '../host.js'
import { openWait, orAborted } from '../wait.js'
import { CONTROL_VERSION, controlLimits } from './frames.js'
import type { ControlSocket, ServePowers } from './powers.js'
import { bounded } from './requests.js'
import { type Done, Session } from './session.js'
import { UnitBook } from './unit-book.js'

/** How long answers may take to leave when the server is closed. */
const FAREWELL_MS = 1_000

/** Serves one host to other programs of its user. Disposing it sends all clients away; the host goes on. */
export interface ControlServer extends AsyncDisposable {
  /** Absolute path of the socket where clients connect. */
  readonly path: string
  /** How many are connected now; at most `controlLimits.clients`. */
  readonly clients: number
  /** Resolves when a client has had the whole host stopped, and was told. The program that owns the host may end then. */
  readonly stopped: Promise<void>
}

/**
 * Serves a host on a listening socket. Whoever may connect may do with the host what its own program may, so only the
 * host's user and the superuser do. What a client has started ends with its connection.
 */
export function serveControlWith(host: Host, powers: ServePowers): ControlServer {
  return new Server(host, powers)
}

class Server implements ControlServer {
  readonly path: string
  readonly stopped: Promise<void>
  readonly #host: Host
  readonly #powers: ServePowers
  readonly #units: UnitBook
  readonly #sessions = new Set<Session>()
  readonly #closing = new AbortController()
  readonly #accepting: Promise<void>
  #settleStopped: () => void = () => {}

  constructor(host: Host, powers: ServePowers) {
    this.path = powers.listener.path
    this.#host = host
    this.#powers = powers
    this.#units = new UnitBook(host, () => powers.epochMs())
    this.stopped = new Promise((resolve) => {
      this.#settleStopped = resolve
    })
    host.events.on('unit-state', this.#onState)
    this.#accepting = this.#accept()
  }

  get clients(): number {
    return this.#sessions.size
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#host.events.off('unit-state', this.#onState)
    this.#closing.abort()
    this.#powers.listener.close()
    using farewell = openWait(this.#powers.clock, FAREWELL_MS)
    await orAborted(Promise.all([...this.#sessions].map((session) => session.finish())), farewell.signal)
    for (const session of this.#sessions) session.close()
    await this.#accepting
  }

  readonly #onState: HostEvents['unit-state'] = ({ unit, state, why }) => this.#units.note(unit, state, why)

  async #accept(): Promise<void> {
    const running = new Set<Promise<void>>()
    for (;;) {
      const socket = await this.#powers.listener.accept(this.#closing.signal)
      if (socket === undefined) break
      const uid = socket.peerUid()
      if ((uid !== this.#powers.uid && uid !== 0) || this.#sessions.size >= controlLimits.clients) {
        socket.close()
        await this.#powers.nextTurn()
        continue
      }
      const session = this.#serve(socket)
      running.add(session)
      void session.finally(() => running.delete(session))
    }
    await Promise.all(running)
  }

  async #serve(socket: ControlSocket): Promise<void> {
    const { directory, monitor } = this.#host
    const { kind, accelerator, why } = monitor
    const session = new Session(
      socket,
      {
        host: this.#host,
        units: this.#units,
        welcome: {
          version: CONTROL_VERSION,
          host: { pid: this.#powers.pid, directory, monitor: kind, accelerator, why: bounded(why, 300) },
        },
        stopHost: (graceMs) => this.#stopHost(graceMs),
      },
      this.#powers,
    )
    this.#sessions.add(session)
    await session.run()
    this.#sessions.delete(session)
  }

  async #stopHost(graceMs: number | undefined): Promise<Done> {
    const units = [...this.#host.units.values()]
    const stopped = await this.#host.stop({ graceMs })
    if (stopped.isErr()) {
      const { kind, message } = stopped.error
      return { answer: { failure: { kind, message: bounded(message, 8_000) } }, end() {} }
    }
    const ends = await Promise.all(
      units.map(async ({ name, ended }) => ({ unit: name, graceful: (await ended).graceful })),
    )
    return { answer: { stopped: ends }, end: () => this.#settleStopped() }
  }
}
