import { err, ok, type Result } from 'neverthrow'
import { closedError, failure, type KvmError } from '../errors.js'
import type { Handle, KvmCalls } from '../kvm-calls.js'
import type { AnyExit } from './exit.js'
import { Patience } from './patience.js'
import type { Resumption, Turn } from './resumption.js'

/** So many exits in sequence are handled before everything else in this program gets its turn. */
const MOST_IN_A_ROW = 32

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
  // These last from loop to loop: a program may make one of each run.
  readonly #patience = new Patience()
  #inARow = 0

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
      const started = this.#calls.threadStart(this.#vcpu, (result, nanoseconds) =>
        this.#hear(result, nanoseconds),
      )
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
    while (this.#inARow < MOST_IN_A_ROW) {
      this.#inARow += 1
      const look = this.#patience.next()
      const begin = look > 0 ? this.#calls.now() : 0
      const result = this.#calls.threadRun(this.#vcpu, look)
      if (result === this.#calls.answers.pending) {
        if (look > 0) this.#patience.missed()
        return
      }
      if (look > 0) this.#patience.found(this.#calls.now() - begin)
      if (!this.#handle(result)) return
    }
    // Being told is no turn of the event loop, nor is a promise's: of both there may always be one more.
    const loop = this.#loop
    this.#calls.nextTurn(() => {
      this.#inARow = 0
      if (this.#loop === loop) this.#go()
    })
  }

  #hear(result: number, nanoseconds: number): void {
    this.#patience.told(nanoseconds)
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
