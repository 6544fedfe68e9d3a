import type { Attachment, Closure } from '@spectrum/store-share'
import { type ClosureReference, closure } from '@spectrum/unit-graph'
import { err, type Result, ResultAsync } from 'neverthrow'
import { buildIdOf, type DebugOutput, type DebugTarget, findDebugOutput } from './debug/debug-output.js'
import { type HostError, storeFailed } from './errors.js'
import type { Step } from './events.js'
import { type Changeable, type InjectReport, injectClosure } from './inject.js'
import { type RevokeReport, revokeClosure } from './revoke.js'
import type { WaitOptions } from './unit.js'
import type { UnitContext } from './unit-context.js'
import { openWait, orAborted, type Wait } from './wait.js'

const CHANGE_MS = 120_000
/** How long a change of the store that was given up may take to leave nothing behind. */
const GIVE_UP_MS = 10_000

/** The unit whose store is changed while it runs. */
export interface ChangingUnit {
  readonly context: UnitContext
  /** What a change needs of its machine. */
  readonly machine: Omit<Changeable, 'closure' | 'granted' | 'attached' | 'ending' | 'whyNot'>
  /** Aborted when the unit begins to end. */
  readonly ending: AbortSignal
  /** Refuses when the unit does not run. */
  running<T>(work: () => Promise<Result<T, HostError>>): ResultAsync<T, HostError>
  notRunning(): HostError
}

/** The changes of one running unit's store, one at a time, and what they hold until its machine is gone. */
export class StoreChanges {
  readonly #unit: ChangingUnit
  #closure: Closure
  /** What the cache gave out for it since its start, which its machine maps; nothing is any more once that is gone. */
  #attachments: Attachment[] | undefined = []
  /** The change that was begun last. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(unit: ChangingUnit, closure: Closure) {
    this.#unit = unit
    this.#closure = closure
  }

  /** What the unit was granted: at its start, and since. */
  get closure(): Closure {
    return this.#closure
  }

  inject(reference: ClosureReference, options: WaitOptions): ResultAsync<InjectReport, HostError> {
    return this.#change('injection into', options, (unit, wait) =>
      injectClosure(this.#powers(), unit, reference, wait),
    )
  }

  revoke(reference: ClosureReference, options: WaitOptions): ResultAsync<RevokeReport, HostError> {
    return this.#change('revocation from', options, (unit, wait) =>
      revokeClosure(this.#powers(), unit, reference, wait),
    )
  }

  injectDebug(target: DebugTarget, options: WaitOptions): ResultAsync<InjectReport & DebugOutput, HostError> {
    return this.#change('injection into', options, async (unit, wait) => {
      const { store, storeFiles: files } = this.#unit.context.powers
      const held = { name: unit.name, closure: unit.closure() }
      const id = await buildIdOf({ store, files }, held, target, wait)
      if (id.isErr()) return err(id.error)
      const output = await findDebugOutput({ store, files }, unit.name, id.value, wait)
      if (output.isErr()) return err(output.error)
      const reference = closure(output.value.storePath)
      const injected = await injectClosure(this.#powers(), unit, reference, wait)
      return injected.map((report) => ({ ...report, ...output.value }))
    })
  }

  /** Waits, for a while, until none is under way: what an injection writes into the cache goes with it. */
  async settled(): Promise<void> {
    using wait = openWait(this.#unit.context.powers.clock, GIVE_UP_MS)
    await orAborted(this.#last, wait.signal)
  }

  /** Gives back what the machine has mapped, when that is gone. Returns what went wrong. */
  async release(): Promise<HostError | undefined> {
    const attachments = this.#attachments ?? []
    this.#attachments = undefined
    let failure: HostError | undefined
    for (const attachment of attachments) {
      const released = await this.#unit.context.powers.cache.release(attachment)
      if (released.isErr()) failure ??= storeFailed(this.#unit.machine.name, released.error)
    }
    return failure
  }

  /** One change at a time: two of them could otherwise both take the last slot. */
  #change<Report extends object>(
    what: string,
    options: WaitOptions,
    change: (unit: Changeable, wait: Wait) => Promise<Result<Report, HostError>>,
  ): ResultAsync<Report & { readonly ms: number }, HostError> {
    const before = this.#last
    const turn = this.#changeAfter(before, what, options, change)
    this.#last = Promise.allSettled([before, turn])
    return new ResultAsync(turn)
  }

  async #changeAfter<Report extends object>(
    before: Promise<unknown>,
    what: string,
    options: WaitOptions,
    change: (unit: Changeable, wait: Wait) => Promise<Result<Report, HostError>>,
  ): Promise<Result<Report & { readonly ms: number }, HostError>> {
    const { signal, deadlineMs = CHANGE_MS } = options
    const { context, ending, machine } = this.#unit
    const { clock } = context.powers
    using wait = openWait(clock, deadlineMs, signal, ending)
    const whyNot = (error: HostError) => this.#whyNot(error, what, wait, signal)
    const turn = await orAborted(
      before.then(() => 'come' as const),
      wait.signal,
    )
    const done =
      turn === undefined
        ? err(aborted(what, machine.name))
        : await this.#unit.running(async () => {
            const began = clock.now()
            return (await change(this.#changeable(whyNot), wait)).map((report) => ({
              ...report,
              ms: clock.now() - began,
            }))
          })
    return done.mapErr(whyNot)
  }

  /** The caller's signal and deadline and the unit's own end outrank the "aborted" that they provoked below. */
  #whyNot(error: HostError, what: string, wait: Wait, signal: AbortSignal | undefined): HostError {
    if (error.kind !== 'aborted' || signal?.aborted === true) return error
    if (this.#unit.ending.aborted) return this.#unit.notRunning()
    if (wait.reason() !== 'timed-out') return error
    const { name: unit, machine } = this.#unit.machine
    const message = `The ${what} unit "${unit}" was not done before its deadline; give it more deadlineMs.`
    const step = what.startsWith('injection') ? 'inject' : 'revoke'
    return { kind: 'timed-out', message, unit, step, lastLines: machine.lastLines() }
  }

  #changeable(whyNot: Changeable['whyNot']): Changeable {
    return {
      ...this.#unit.machine,
      closure: () => this.#closure,
      granted: (closure) => {
        this.#closure = closure
      },
      attached: (attachment) => {
        // A change that goes on after the machine's end plugs nothing in.
        if (this.#attachments === undefined) void this.#unit.context.powers.cache.release(attachment)
        else this.#attachments.push(attachment)
      },
      ending: this.#unit.ending,
      whyNot,
    }
  }

  #powers() {
    const { context, machine } = this.#unit
    return { ...context.powers, step: (name: Step) => context.step(machine.name, name) }
  }
}

function aborted(what: string, unit: string): HostError {
  return { kind: 'aborted', message: `The ${what} unit "${unit}" was aborted.`, unit }
}
