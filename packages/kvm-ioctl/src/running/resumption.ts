import { closedError, invalidArgument, type KvmError } from '../errors.js'

declare const resumes: unique symbol

/**
 * What `run` needs to go on: that whatever the last exit asked has been answered. Exits that ask nothing give one with
 * `resume()`, those that do only with `answer(…)`, so a program that forgets an answer does not compile.
 */
export interface Resumption {
  readonly [resumes]: true
}

/** Where a vCPU stands between two runs; the exits of one vCPU share it. */
export class Turn {
  /** Which exit is the last one; an answer to an earlier one is stale. */
  number = 0
  /** The exit that waits for an answer, by its kind. */
  owed: string | undefined
  /** kvm_run, and the rest that the vCPU shares; gone once it is closed. */
  page: DataView | undefined
  readonly go: Resumption = { turn: this } as unknown as Resumption

  /** The resumption once `write` has put an answer to exit `number` where the kernel looks for it. */
  answer(number: number, write: (page: DataView) => KvmError | undefined): Resumption {
    if (number !== this.number || this.owed === undefined) return wrong(staleError())
    if (this.page === undefined) return wrong(closedError())
    const problem = write(this.page)
    if (problem !== undefined) return wrong(problem)
    this.owed = undefined
    return this.go
  }

  /** Why `run` may not go on from `after`; undefined when it may. */
  obstacle(after: Resumption): KvmError | undefined {
    if (after !== this.go) {
      return after instanceof WrongAnswer
        ? after.error
        : invalidArgument('after', "use the vCPU's own `ready`, or what its last exit gave")
    }
    if (this.owed === undefined) return undefined
    const message = `the exit ${this.owed} waits for its answer: run with what answer() gives`
    return { kind: 'answer-owed', message, exit: this.owed }
  }
}

/** An answer that could not be given: the next run says why, and the exit still waits. */
class WrongAnswer {
  constructor(readonly error: KvmError) {}
}

const wrong = (error: KvmError): Resumption => new WrongAnswer(error) as unknown as Resumption

function staleError(): KvmError {
  return { kind: 'stale', message: 'this exit was answered before, or the vCPU has run since' }
}

/** For the parts of an exit that only this package sees. */
export interface Stop {
  readonly turn: Turn
  readonly number: number
}
