import { err, ok, type Result } from 'neverthrow'
import type {
  AgentOptions,
  Clock,
  StoreMount,
  StoreMountReport,
  StoreUnbindReport,
  ViewMount,
} from '../agent.js'
import { ProtocolViolation } from '../codec.js'
import type { AgentError } from '../errors.js'
import { printable } from '../escape.js'
import { type Frame, type HostFrame, limits } from '../frames.js'
import { boundPaths, failureOf, mountFrames, unbindFrames, unboundReport, viewFrames } from '../requests.js'
import type { Answer, Outstanding } from './outstanding.js'
import { Turns } from './turns.js'

const requestMs = 30_000
/** Characters of one listing once they are escaped, which multiplies: as many as unescaped names may have. */
const maxListedCharacters = limits.listedNames * limits.listedNameBytes

/** Changes and listings of the unit's store, one at a time. */
export class StoreRequests {
  readonly #outstanding: Outstanding
  readonly #turns: Turns

  constructor(outstanding: Outstanding, clock: Clock) {
    this.#outstanding = outstanding
    this.#turns = new Turns(clock)
  }

  mount(mount: StoreMount, options: AgentOptions): Promise<Result<StoreMountReport, AgentError>> {
    return this.#change(
      'mounting store paths in the unit',
      options,
      'mounted',
      (id, deadlineMs) => mountFrames(mount, id, deadlineMs),
      (answer) => mountReport(answer as Frame<'mounted'>, mount.paths),
    )
  }

  mountView(view: ViewMount, options: AgentOptions): Promise<Result<StoreMountReport, AgentError>> {
    return this.#change(
      'binding paths of the view in the unit',
      options,
      'mounted',
      (id, deadlineMs) => viewFrames(view, id, deadlineMs),
      (answer) => mountReport(answer as Frame<'mounted'>, view.paths),
    )
  }

  unbind(paths: readonly string[], options: AgentOptions): Promise<Result<StoreUnbindReport, AgentError>> {
    return this.#change(
      'taking store paths out of the unit',
      options,
      'unbound',
      (id) => unbindFrames(paths, id),
      (answer) => unboundReport(answer as Frame<'unbound'>, paths),
    )
  }

  async list(options: AgentOptions): Promise<Result<readonly string[], AgentError>> {
    const what = "listing the unit's store"
    const turn = await this.#turns.take(what, options, options.deadlineMs ?? requestMs)
    if ('kind' in turn) return err(turn)
    return this.#outstanding.ask({
      what,
      options: { signal: options.signal, deadlineMs: turn.leftMs },
      answers: ['store-names', 'failed'],
      frames: (id) => [{ type: 'list-store', request: id }],
      read: readNames(),
      onSettled: turn.done,
    })
  }

  async #change<T>(
    what: string,
    options: AgentOptions,
    answeredBy: 'mounted' | 'unbound',
    frames: (id: number, deadlineMs: number) => readonly HostFrame[] | AgentError,
    read: (answer: Answer) => T,
  ): Promise<Result<T, AgentError>> {
    const turn = await this.#turns.take(what, options, options.deadlineMs ?? requestMs)
    if ('kind' in turn) return err(turn)
    return this.#outstanding.ask<T>({
      what,
      options: { signal: options.signal, deadlineMs: turn.leftMs },
      answers: [answeredBy, 'failed'],
      // The unit gives up a little earlier, so that its words about what is missing still arrive.
      frames: (id) => frames(id, turn.leftMs * 0.9),
      read: (answer) => (answer.type === 'failed' ? err(failureOf(answer)) : ok(read(answer))),
      onSettled: turn.done,
      canBeCancelled: true,
    })
  }
}

function mountReport(mounted: Frame<'mounted'>, paths: readonly string[]): StoreMountReport {
  return { dax: mounted.dax === 1, bound: boundPaths(mounted, paths) }
}

/** Collects the names of a listing, which come in several frames. */
function readNames(): (answer: Answer) => Result<readonly string[], AgentError> | undefined {
  const names: string[] = []
  let characters = 0
  return (answer) => {
    if (answer.type === 'failed') return err(failureOf(answer))
    const frame = answer as Frame<'store-names'>
    if (frame.last > 1 || (frame.last === 0 && frame.names.length === 0)) {
      throw new ProtocolViolation('store-names: an empty frame that is not the last')
    }
    for (const name of frame.names.map((each) => printable(each))) {
      names.push(name)
      characters += name.length
    }
    if (names.length > limits.listedNames || characters > maxListedCharacters) {
      throw new ProtocolViolation('store-names: too many')
    }
    return frame.last === 1 ? ok(names.sort()) : undefined
  }
}
