import type { Clock, Heartbeat, HeartbeatOptions, HeartbeatState } from '../agent.js'
import { ProtocolViolation } from '../codec.js'
import type { Link } from '../link.js'

const defaultIntervalMs = 5_000
const defaultMissedBeats = 3

/** The beats of one unit: at most one is under way, so a unit that answers none is sent no more. */
export class Heartbeats {
  readonly #link: Link
  #nonce = 0
  #asked = false
  #onAnswer: (() => void) | undefined

  constructor(link: Link) {
    this.#link = link
  }

  /** The unit has answered. Throws ProtocolViolation when it was not asked, or answers something else. */
  receive(nonce: number): void {
    if (!this.#asked || nonce !== this.#nonce) throw new ProtocolViolation('pong: nobody asked for it')
    this.#asked = false
    this.#onAnswer?.()
  }

  start(clock: Clock, options: HeartbeatOptions): Heartbeat {
    if (this.#onAnswer !== undefined) throw new TypeError('a unit has one heartbeat: dispose the other first')
    const heartbeat = new HostHeartbeat(clock, options, {
      ask: () => this.#ask(),
      end: () => {
        this.#onAnswer = undefined
      },
    })
    this.#onAnswer = () => heartbeat.answered()
    void this.#link.closed.then(() => heartbeat[Symbol.dispose]())
    heartbeat.begin()
    return heartbeat
  }

  /** False: the last one is not answered yet. */
  #ask(): boolean {
    if (this.#asked) return false
    this.#asked = true
    this.#nonce = (this.#nonce + 1) >>> 0
    this.#link.send({ type: 'ping', nonce: this.#nonce })
    return true
  }
}

interface Beat {
  ask(): boolean
  end(): void
}

class HostHeartbeat implements Heartbeat {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #missedBeats: number
  readonly #onChange: ((state: HeartbeatState) => void) | undefined
  readonly #beat: Beat
  #state: HeartbeatState = 'responsive'
  #missed = 0
  #timer: ({ readonly signal: AbortSignal } & Disposable) | undefined

  constructor(clock: Clock, { intervalMs, missedBeats, onChange }: HeartbeatOptions, beat: Beat) {
    this.#clock = clock
    this.#intervalMs = intervalMs ?? defaultIntervalMs
    this.#missedBeats = missedBeats ?? defaultMissedBeats
    if (!(this.#intervalMs > 0) || !(this.#missedBeats >= 1)) throw new TypeError('a heartbeat without beats')
    this.#onChange = onChange
    this.#beat = beat
  }

  get state(): HeartbeatState {
    return this.#state
  }

  suspend(): void {
    if (this.#state === 'ended' || this.#state === 'suspended') return
    this.#timer?.[Symbol.dispose]()
    this.#become('suspended')
  }

  resume(): void {
    if (this.#state !== 'suspended') return
    this.#missed = 0
    this.#become('responsive')
    this.begin()
  }

  /** Asks, unless a beat is under way still, and looks after one interval what became of it. */
  begin(): void {
    this.#beat.ask()
    this.#wait()
  }

  answered(): void {
    this.#missed = 0
    if (this.#state === 'unresponsive') this.#become('responsive')
  }

  [Symbol.dispose](): void {
    if (this.#state === 'ended') return
    this.#timer?.[Symbol.dispose]()
    this.#beat.end()
    this.#become('ended')
  }

  #tick(): void {
    if (!this.#beat.ask()) this.#missed++
    if (this.#missed >= this.#missedBeats) this.#become('unresponsive')
    this.#wait()
  }

  #wait(): void {
    // Whoever heard of a change may have ended it.
    if (this.#state === 'ended' || this.#state === 'suspended') return
    const timer = this.#clock.deadline(this.#intervalMs)
    this.#timer = timer
    timer.signal.addEventListener('abort', () => {
      timer[Symbol.dispose]()
      if (this.#timer === timer && this.#state !== 'ended' && this.#state !== 'suspended') this.#tick()
    })
  }

  #become(state: HeartbeatState): void {
    if (state === this.#state) return
    this.#state = state
    this.#onChange?.(state)
  }
}
