import type { UnixFdError, UnixSocket } from '@spectrum/unix-fd'
import type { Result } from 'neverthrow'
import { HEADER_BYTES, MOST_MESSAGE_BYTES } from '../wire/framing.js'
import { DISPLAY_ERROR } from './endings.js'
import { relayEvent } from './events.js'
import { relayRequest } from './requests.js'
import type { Session } from './session.js'
import { Side } from './side.js'

/** How often the clock is asked while messages are relayed. */
const MESSAGES_PER_LOOK = 64
/** How much of a turn a client gets while another of the unit is active: that one waits for no more than this. */
const SHARED_TURN = 1 / 4
/**
 * So long a client rests whose shared turn was not enough for it. Otherwise the proxy would be as busy for the system's
 * scheduler as the flood makes it, and be kept waiting itself when the other client has something to say.
 */
const REST_MS = 1
/** So much is handed to the kernel at once: who reads it works while the rest is judged. */
const FLUSH_ABOVE_BYTES = 8 * 1024

/**
 * Ids that are free again are nothing to wake a client for: they wait for what is, until they are so many bytes, or for
 * so long.
 */
const HELD_BYTES = 4_096
const HELD_MS = 4

/** Who leaves no more bytes unread than that is not what a unit's limit is for. */
const QUEUED_BYTES = 64 * 1024

/**
 * While so many descriptors wait for the compositor, the client is not read. So many may wait for the client, whatever
 * others of the unit hold.
 */
const QUEUED_DESCRIPTORS = 28

/**
 * Moves messages between the two sockets of a session: fairly, because other sessions share the thread, and never
 * storing what a side does not read beyond its limit.
 */
export class Pump {
  readonly client: Side
  readonly compositor: Side
  readonly #session: Session
  #clientTurnPlanned = false
  /** Whether the client is not served before its planned turn, whatever it sends. */
  #resting = false
  #compositorTurnPlanned = false
  #flushPlanned = false
  /** How many of the client's bytes say of ids that they are free, while nothing else is queued. */
  #held = 0
  #heldPlanned = false
  #serving = false
  #closed = false
  /** Requests that may be relayed now, where a rate is set, and when that was. */
  #allowance = 0
  #allowedAt = 0

  constructor(session: Session, client: UnixSocket, compositor: UnixSocket) {
    this.#session = session
    this.client = new Side(
      client,
      () => this.#clientTurn(),
      () => this.#flush(true),
    )
    this.compositor = new Side(
      compositor,
      () => this.#compositorTurn(),
      () => this.#onCompositorWritable(),
    )
  }

  start(): void {
    this.#watch(this.client.read(true), 'client')
    this.#watch(this.compositor.read(true), 'compositor')
    this.flushSoon()
  }

  /** Sends what was queued outside a turn. */
  flushSoon(): void {
    // A turn sends at its end what it queued.
    if (this.#serving || this.#flushPlanned) return
    this.#flushPlanned = true
    this.#session.unit.powers.soon(() => {
      this.#flushPlanned = false
      this.#flush()
    })
  }

  /** The client's queue has got so many bytes that can wait. */
  hold(bytes: number): void {
    this.#held += bytes
    this.flushSoon()
  }

  /**
   * Descriptors wait for the client. It may leave a few unread; more only as far as the unit may hold any, for they
   * are taken from all that the proxy can open.
   */
  descriptorsQueued(): void {
    const { output } = this.client
    if (output.pendingDescriptors <= QUEUED_DESCRIPTORS) return
    this.#flush(true)
    if (this.#closed || output.pendingDescriptors <= QUEUED_DESCRIPTORS) return
    if (this.#session.unit.mayHoldDescriptors()) return
    this.#tooSlow(`the client leaves ${output.pendingDescriptors} descriptors unread`)
  }

  /** Offers each side what is queued for it, then closes both. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.client.flush(true)
    // A client may say its last words and leave in one breath.
    this.compositor.flush(true)
    this.client.close()
    this.compositor.close()
  }

  #clientTurn(): void {
    this.#serving = true
    try {
      this.#serveClient()
    } finally {
      this.#serving = false
    }
  }

  #compositorTurn(): void {
    this.#serving = true
    try {
      this.#serveCompositor()
    } finally {
      this.#serving = false
    }
  }

  // ── from the client ──────────────────────────────────────────────────────────────────────────────────────

  #serveClient(): void {
    if (this.#resting || this.#closed) return
    const { powers, policy } = this.#session.unit
    const { messagesPerTurn, millisecondsPerTurn } = policy.limits
    const now = powers.clock.now()
    const alone = this.#session.unit.pace.alone(this.#session, now)
    const part = alone ? 1 : SHARED_TURN
    const until = now + millisecondsPerTurn * part
    let left = this.#allowed(Math.ceil(messagesPerTurn * part))
    let more = true
    while (!this.#closed) {
      const before = left
      while (left > 0 && !this.#mustWait()) {
        const steps = Math.min(left, MESSAGES_PER_LOOK)
        const done = this.#relayRequests(steps)
        if (this.#closed) return
        left -= done
        if (this.#worthSending()) this.#flush()
        if (this.#closed || done < steps) break
        if (powers.clock.now() >= until) left = 0
      }
      this.#allowance -= before - left
      if (this.#closed) return
      if (!more || left === 0 || this.#mustWait() || !this.client.input.mayReceive) break
      if (!this.#receive(this.client, 'client')) break
      more = this.client.input.mayBeMore
    }
    if (this.#closed) return
    this.#flush()
    if (this.#closed) return
    this.#planClient(left === 0 && !alone)
  }

  #worthSending(): boolean {
    const { output } = this.compositor
    if (output.pending >= FLUSH_ABOVE_BYTES || output.pendingDescriptors > QUEUED_DESCRIPTORS) return true
    // What the proxy answers itself.
    return this.client.output.pending >= FLUSH_ABOVE_BYTES
  }

  /** How many whole messages were relayed, at most `most`. */
  #relayRequests(most: number): number {
    const { input } = this.client
    const { output } = this.compositor
    const { compositorQueueBytes, unconfirmed } = this.#session.unit.policy.limits
    let done = 0
    while (done < most) {
      if (output.pending > compositorQueueBytes || this.#session.unconfirmed > unconfirmed) return done
      if (output.pendingDescriptors > QUEUED_DESCRIPTORS) return done
      const size = this.#wholeMessage(this.client, 'client')
      if (size === 0) break
      const at = input.start >> 2
      input.start += size
      relayRequest(this.#session, at, size)
      if (this.#closed) return done
      done += 1
    }
    const { unclaimedDescriptors } = this.#session.unit.policy.limits
    if (done < most && input.fds.length > unclaimedDescriptors) {
      this.#session.refuse(
        DISPLAY_ERROR.noMemory,
        `${input.fds.length} descriptors arrived that no message needs`,
        'W-DESCRIPTORS',
      )
    }
    return done
  }

  /** The compositor reads too slowly, or owes too many answers: then the client is not read either. */
  #mustWait(): boolean {
    const { limits } = this.#session.unit.policy
    return (
      this.compositor.output.pending > limits.compositorQueueBytes ||
      this.compositor.output.pendingDescriptors > QUEUED_DESCRIPTORS ||
      this.#session.unconfirmed > limits.unconfirmed
    )
  }

  #allowed(most: number): number {
    const { requestsPerSecond } = this.#session.unit.policy.limits
    if (requestsPerSecond === 0) return most
    const now = this.#session.unit.powers.clock.now()
    const earned = ((now - this.#allowedAt) * requestsPerSecond) / 1000
    this.#allowance = Math.min(Math.max(0, this.#allowance) + earned, requestsPerSecond)
    this.#allowedAt = now
    return Math.min(most, Math.floor(this.#allowance))
  }

  /** Goes on in the next turn, waits for bytes, or waits for the compositor. */
  #planClient(tired = false): void {
    const waiting = this.#mustWait()
    const { limits } = this.#session.unit.policy
    const throttled = limits.requestsPerSecond > 0 && this.#allowance < 1
    this.#resting = throttled || tired
    this.#watch(this.client.read(!waiting && !this.#resting), 'client')
    if (this.#closed) return
    const { powers } = this.#session.unit
    if (this.#resting) {
      powers.later(throttled ? Math.ceil(1000 / limits.requestsPerSecond) : REST_MS, () => {
        this.#resting = false
        this.#clientTurn()
      })
    } else if (!waiting && !this.#clientTurnPlanned && this.#hasWholeMessage(this.client)) {
      // It may also be told before that there is more: that is a turn as good as this one.
      this.#clientTurnPlanned = true
      powers.soon(() => {
        this.#clientTurnPlanned = false
        this.#clientTurn()
      })
    }
  }

  // ── from the compositor ──────────────────────────────────────────────────────────────────────────────────

  #serveCompositor(): void {
    if (this.#closed) return
    const { powers, policy } = this.#session.unit
    const now = powers.clock.now()
    const part = this.#session.unit.pace.alone(this.#session, now) ? 1 : SHARED_TURN
    const until = now + policy.limits.millisecondsPerTurn * part
    let left = Math.ceil(policy.limits.messagesPerTurn * part)
    let more = true
    let ended = false
    while (!this.#closed) {
      while (left > 0) {
        const steps = Math.min(left, MESSAGES_PER_LOOK)
        const done = this.#relayEvents(steps)
        if (this.#closed) return
        left -= done
        if (this.client.output.pending >= FLUSH_ABOVE_BYTES) this.#flush()
        if (this.#closed || done < steps) break
        if (powers.clock.now() >= until) left = 0
      }
      if (this.#closed) return
      if (!more || left === 0 || !this.compositor.input.mayReceive) break
      if (!this.#receive(this.compositor, 'compositor')) {
        ended = true
        break
      }
      more = this.compositor.input.mayBeMore
    }
    if (this.#closed) return
    this.#flush()
    if (this.#closed) return
    if (!ended && !this.#compositorTurnPlanned && this.#hasWholeMessage(this.compositor)) {
      this.#compositorTurnPlanned = true
      powers.soon(() => {
        this.#compositorTurnPlanned = false
        this.#compositorTurn()
      })
    }
    // Confirmations may have let the client on.
    if (!this.#resting) this.#planClient()
  }

  #relayEvents(most: number): number {
    const { input } = this.compositor
    const { clientQueueBytes } = this.#session.unit.policy.limits
    let done = 0
    while (done < most) {
      const size = this.#wholeMessage(this.compositor, 'compositor')
      if (size === 0) break
      const at = input.start >> 2
      input.start += size
      relayEvent(this.#session, at, size)
      if (this.#closed) return done
      done += 1
      if (this.client.output.pending > clientQueueBytes) {
        this.#flush()
        if (this.#closed) return done
      }
    }
    return done
  }

  #onCompositorWritable(): void {
    this.#flush(true)
    if (!this.#closed && !this.#resting) this.#planClient()
  }

  // ── both ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** The size of the message at the start of the input; 0 when it is not whole, or is none. */
  #wholeMessage(side: Side, from: 'client' | 'compositor'): number {
    const { input } = side
    const { length } = input
    if (length < HEADER_BYTES) return 0
    const at = input.start >> 2
    const size = input.words[at + 1]! >>> 16
    if (size < HEADER_BYTES || size > MOST_MESSAGE_BYTES || (size & 3) !== 0) {
      const text = `a message of ${size} bytes: it must have ${HEADER_BYTES} to ${MOST_MESSAGE_BYTES}, in words of 4`
      if (from === 'client') this.#session.refuse(DISPLAY_ERROR.invalidMethod, text)
      else this.#session.end({ kind: 'compositor-broke-protocol', message: text })
      return 0
    }
    return length < size ? 0 : size
  }

  #hasWholeMessage(side: Side): boolean {
    const { input } = side
    if (input.length < HEADER_BYTES) return false
    // What is no size at all is a reason for a turn, too.
    return input.length >= input.words[(input.start >> 2) + 1]! >>> 16
  }

  /** Whether bytes came. An end or an error ends the session. */
  #receive(side: Side, from: 'client' | 'compositor'): boolean {
    const { unit } = this.#session
    const held = side.input.fds.length
    const found = side.input.receive(side.socket, unit.powers.inbox)
    if (found.isErr()) {
      this.#session.failed(found.error, from)
      return false
    }
    if (found.value === 'empty') return false
    if (found.value === 'end') {
      if (from === 'client')
        this.#session.end({
          kind: 'client-left',
          message: 'the client has gone',
        })
      else
        this.#session.end({
          kind: 'compositor-left',
          message: 'the compositor has closed the connection',
        })
      return false
    }
    if (from === 'client' && side.input.fds.length > held && !unit.mayHoldDescriptors()) {
      this.#session.refuse(
        DISPLAY_ERROR.noMemory,
        `the unit has more than ${unit.policy.limits.descriptorsPerUnit} descriptors on their way`,
        'W-DESCRIPTORS',
      )
      return false
    }
    return true
  }

  /** `anyway`: also to a side that is waited for. */
  #flush(anyway = false): void {
    if (this.#closed) return
    const up = this.compositor.flush(anyway)
    if (up.isErr()) {
      this.#session.failed(up.error, 'compositor')
      return
    }
    const { pending } = this.client.output
    if (!anyway && pending > 0 && pending === this.#held && pending < HELD_BYTES) {
      this.#planHeld()
      return
    }
    this.#held = 0
    const down = this.client.flush(anyway)
    if (down.isErr()) this.#session.failed(down.error, 'client')
    else this.#boundUnread(anyway)
  }

  /**
   * Whatever brought it about, the compositor or the client's own requests. What the kernel would take by now is not
   * held against it: `asked` says that the kernel was.
   */
  #boundUnread(asked: boolean): void {
    const { pending } = this.client.output
    const { unit } = this.#session
    const { clientQueueBytes, clientQueueBytesPerUnit } = unit.policy.limits
    const beyond = pending > clientQueueBytes
    if (!beyond && (pending <= QUEUED_BYTES || unit.mayQueue())) return
    if (!asked) this.#flush(true)
    else if (beyond) this.#tooSlow(`the client leaves more than ${clientQueueBytes} bytes unread`)
    else {
      // Who has just got more may be reading; who leaves most is not.
      let slowest: Pump = this
      for (const { pump } of unit.sessions) {
        if (pump.client.output.pending > slowest.client.output.pending) slowest = pump
      }
      slowest.#tooSlow(`the unit's clients leave more than ${clientQueueBytesPerUnit} bytes unread`)
    }
  }

  #tooSlow(message: string): void {
    const { unit, number } = this.#session
    unit.warn({ code: 'W-SLOW-READER', session: number, message })
    this.#session.end({ kind: 'client-too-slow', message })
  }

  #planHeld(): void {
    if (this.#heldPlanned) return
    this.#heldPlanned = true
    this.#session.unit.powers.later(HELD_MS, () => {
      this.#heldPlanned = false
      this.#held = 0
      this.#flush()
    })
  }

  #watch(result: Result<void, UnixFdError>, side: 'client' | 'compositor'): void {
    if (result.isErr()) this.#session.failed(result.error, side)
  }
}
