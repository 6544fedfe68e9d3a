import { err, ok, type Result } from 'neverthrow'
import { closedError, failure, type KvmError } from '../errors.js'
import type { Handle, KvmCalls } from '../kvm-calls.js'
import type { AnyExit } from './exit.js'
import type { Resumption, Turn } from './resumption.js'

/** How long whoever resumes the guest looks for its next exit before it goes on to other things. Nanoseconds. */
const LOOK = 5_000
/** After so many looks in vain it stops looking, and tries again now and then. */
const MOST_MISSES = 8
const TRY_AGAIN_AFTER = 512
/** So many exits in a row may be handled before everything else in this program gets its turn. */
const MOST_IN_A_ROW = 64

/** What ends a loop or goes on with it: `undefined` ends it. */
export type Reaction = Resumption | undefined

export interface Loop {
  react(exit: AnyExit): Reaction | Promise<Reaction>
  end(result: Result<void, KvmError>): void
}

/** Runs a vCPU on a thread of its own, and JavaScript's reactions to its exits on this one. */
export class VcpuThread {
  readonly #calls: KvmCalls
  readonly #vcpu: Handle
  readonly #turn: Turn
  readonly #decode: (result: number) => Result<AnyExit, KvmError>
  #started = false
  #loop: Loop | undefined
  #misses = 0
  #runs = 0

  constructor(
    calls: KvmCalls,
    vcpu: Handle,
    turn: Turn,
    decode: (result: number) => Result<AnyExit, KvmError>,
  ) {
    this.#calls = calls
    this.#vcpu = vcpu
    this.#turn = turn
    this.#decode = decode
  }

  get running(): boolean {
    return this.#loop !== undefined
  }

  start(loop: Loop, after: Resumption): Result<void, KvmError> {
    const { answers } = this.#calls
    if (this.#loop !== undefined) return err(failure(this.#calls, 'loop', answers.running))
    const obstacle = this.#turn.obstacle(after)
    if (obstacle !== undefined) return err(obstacle)
    if (!this.#started) {
      const started = this.#calls.threadStart(this.#vcpu, (result) => this.#hear(result))
      if (started < 0) return err(failure(this.#calls, 'threadStart', started))
      this.#started = true
    }
    this.#loop = loop
    this.#calls.threadHold(this.#vcpu, 1)
    this.#go()
    return ok()
  }

  /** Ends the thread and waits for it; a loop in progress ends as `closed`. */
  stop(): void {
    if (this.#started) this.#calls.threadStop(this.#vcpu)
    this.#started = false
    this.#finish(err(closedError()))
  }

  #finish(result: Result<void, KvmError>): void {
    const loop = this.#loop
    if (loop === undefined) return
    this.#loop = undefined
    if (this.#started) this.#calls.threadHold(this.#vcpu, 0)
    loop.end(result)
  }

  /** Resumes, and handles what comes back at once. */
  #go(): void {
    for (let inARow = 1; ; inARow += 1) {
      const result = this.#calls.threadRun(this.#vcpu, inARow < MOST_IN_A_ROW ? this.#patience() : 0)
      if (result === this.#calls.answers.pending) {
        this.#misses += 1
        return
      }
      this.#misses = 0
      if (!this.#handle(result)) return
    }
  }

  /** Looking costs both sides a processor; it is worth that only while guests come back fast. */
  #patience(): number {
    this.#runs += 1
    if (this.#misses < MOST_MISSES) return LOOK
    return this.#runs % TRY_AGAIN_AFTER === 0 ? LOOK : 0
  }

  #hear(result: number): void {
    if (this.#loop !== undefined && this.#handle(result)) this.#go()
  }

  /** Whether to resume at once. */
  #handle(result: number): boolean {
    const loop = this.#loop
    if (loop === undefined) return false
    const exit = this.#decode(result)
    if (exit.isErr()) {
      this.#finish(err(exit.error))
      return false
    }
    let reaction: Reaction | Promise<Reaction>
    try {
      reaction = loop.react(exit.value)
    } catch (mistake) {
      this.#finish(ok())
      throw mistake
    }
    if (reaction instanceof Promise) {
      reaction.then(
        (later) => {
          if (this.#loop === loop && this.#follow(later)) this.#go()
        },
        (mistake) => {
          this.#finish(ok())
          throw mistake
        },
      )
      return false
    }
    return this.#follow(reaction)
  }

  #follow(reaction: Reaction): boolean {
    if (reaction === undefined) {
      this.#finish(ok())
      return false
    }
    const obstacle = this.#turn.obstacle(reaction)
    if (obstacle === undefined) return true
    this.#finish(err(obstacle))
    return false
  }
}
