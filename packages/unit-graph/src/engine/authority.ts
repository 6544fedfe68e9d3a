import type { Graph } from '../compose.js'
import { printable } from '../escape.js'
import { conform, type StreamSchema } from '../service/schema.js'
import { type Edge, edgesOf } from './edge.js'
import { type EdgeHistory, type Judgement, judge, type Reason } from './judge.js'

/** A call that is to be decided on. */
export interface Call {
  /** Key of the calling unit: known from the channel on which the call arrived, never from what it says. */
  readonly unit: string
  /** Key of the need in the calling unit's definition. */
  readonly need: string
  /** As it came from the caller; it is conformed to the service's schema before it is judged. */
  readonly argument?: unknown
  /** Milliseconds since 1970. */
  readonly now: number
}

/** What becomes of a call. Match on `kind`: `allowed`, `ask` (then decide again, with the answer), `refused`. */
export type Decision =
  | {
      readonly kind: 'allowed'
      /** The way on which the call goes. */
      readonly edge: Edge
      /** The argument that was decided on. Pass on this value, not the caller's. */
      readonly argument: unknown
      /** What the caller may send; absent: nothing. */
      readonly request: StreamSchema | undefined
      /** Labels of `audit` on the edge, in their order. */
      readonly audit: readonly string[]
      /** What each attenuator said, in their order. */
      readonly reasons: readonly Reason[]
    }
  | {
      /** Ask a person, then decide again with the answer: by then, other things may have changed, too. */
      readonly kind: 'ask'
      /** The way on which the call would go. */
      readonly edge: Edge
      /** The conformed argument, for the question. */
      readonly argument: unknown
      /** Labels of `audit` on the edge, in their order. */
      readonly audit: readonly string[]
      /** What each attenuator said, in their order. */
      readonly reasons: readonly Reason[]
    }
  | {
      readonly kind: 'refused'
      /** For the host's log. To the caller all of them look like a name with nothing behind it. */
      readonly reason: 'no-edge' | 'invalid-argument' | 'attenuated'
      /** Why, in words; text of the caller in it is escaped and cut. */
      readonly message: string
      /** Undefined where the need is wired to nothing. */
      readonly edge: Edge | undefined
      /** Labels of `audit` on the edge, in their order. */
      readonly audit: readonly string[]
      /** What the attenuators said, up to the first that refused. */
      readonly reasons: readonly Reason[]
    }

const FRESH: EdgeHistory = { uses: 0, recent: [] }
const MAX_REMEMBERED = 1024

interface Ledger {
  uses: number
  recent: number[]
  readonly answers: Map<string, boolean>
}

/** Decides calls on the edges of one graph and keeps what its attenuators count. Holds nothing to close. */
export class Authority {
  /** The graph whose calls it decides. */
  readonly graph: Graph
  readonly #edges: ReadonlyMap<string, Edge>
  readonly #ledgers = new Map<Edge, Ledger>()
  readonly #revoked = new Set<string>()

  constructor(graph: Graph) {
    this.graph = graph
    this.#edges = new Map(edgesOf(graph).map((edge) => [placeOf(edge.unit, edge.need), edge]))
  }

  /** Every edge of the graph, in the graph's order. */
  edges(): readonly Edge[] {
    return [...this.#edges.values()]
  }

  /**
   * Decides a call, and counts it if it is allowed. With `answer`, what a person said about this very call: it
   * settles every `ask` on the edge and nothing else.
   *
   * @example
   * ```ts
   * import { Authority, type Graph } from '@spectrum/unit-graph'
   *
   * export async function mayCall(graph: Graph, allows: () => Promise<boolean>): Promise<boolean> {
   *   const authority = new Authority(graph)
   *   const call = { unit: 'mail', need: 'sign', argument: 'a letter', now: Date.now() }
   *   const first = authority.decide(call)
   *   if (first.kind !== 'ask') return first.kind === 'allowed'
   *   return authority.decide({ ...call, now: Date.now() }, await allows()).kind === 'allowed'
   * }
   * ```
   */
  decide(call: Call, answer?: boolean): Decision {
    const edge = this.#edges.get(placeOf(call.unit, call.need))
    if (edge === undefined) {
      const message = `No wire leads from ${call.unit} to anything it calls ${call.need}.`
      return { kind: 'refused', reason: 'no-edge', message, edge, audit: [], reasons: [] }
    }
    const audit = edge.attenuators.flatMap((one) => (one.kind === 'audit' ? [one.label] : []))
    const argument = conform(edge.service.argument, call.argument)
    if (!argument.conforms) {
      // A field that there is not has the name that the caller gave it.
      const place = argument.path.map((part) => `.${printable(part)}`).join('')
      const message = `The argument${place} of ${edge.service.name} ${argument.because}.`
      return { kind: 'refused', reason: 'invalid-argument', message, edge, audit, reasons: [] }
    }
    const ledger = this.#ledgerOf(edge)
    const question = JSON.stringify(argument.value) ?? ''
    const history = { ...ledger, remembered: ledger.answers.get(question) }
    const circumstances = { now: call.now, argument, revoked: this.#revoked, answer }
    const { outcome, reasons } = judge(edge, history, circumstances)
    if (answer !== undefined) this.#remember(edge, ledger, question, answer)
    if (outcome === 'asks') return { kind: 'ask', edge, argument: argument.value, audit, reasons }
    if (outcome !== 'allowed') {
      const refusal = reasons[reasons.length - 1]!
      const message = `${call.unit} may call ${edge.service.name} ${refusal.because}; this call does not fit.`
      return { kind: 'refused', reason: 'attenuated', message, edge, audit, reasons }
    }
    this.#count(edge, ledger, call.now)
    const closed = edge.attenuators.some(({ kind }) => kind === 'read-only')
    const request = closed ? undefined : edge.service.request
    return { kind: 'allowed', edge, argument: argument.value, request, audit, reasons }
  }

  /** What would be said now about calls on this edge in general, or about one argument. Counts nothing. */
  judge(edge: Edge, now: number, argument?: { readonly value: unknown }): Judgement {
    const ledger = this.#ledgers.get(edge) ?? FRESH
    return judge(edge, ledger, {
      now,
      revoked: this.#revoked,
      ...(argument === undefined ? {} : { argument }),
    })
  }

  /** Takes back every grant that is revocable by this name, from now on. Returns how many edges that closes. */
  revoke(name: string): number {
    this.#revoked.add(name)
    return this.edges().filter(({ attenuators }) =>
      attenuators.some((one) => one.kind === 'revocable' && one.name === name),
    ).length
  }

  #ledgerOf(edge: Edge): Ledger {
    const known = this.#ledgers.get(edge)
    if (known !== undefined) return known
    const fresh = { uses: 0, recent: [], answers: new Map() }
    this.#ledgers.set(edge, fresh)
    return fresh
  }

  #count(edge: Edge, ledger: Ledger, now: number): void {
    ledger.uses++
    const most = Math.max(0, ...edge.attenuators.map((one) => (one.kind === 'rate' ? one.count : 0)))
    if (most === 0) return
    ledger.recent.push(now)
    // A clock that was set back must not forget calls: the latest `most` count, whatever the clock said.
    if (ledger.recent.length > most) ledger.recent.shift()
  }

  #remember(edge: Edge, ledger: Ledger, question: string, answer: boolean): void {
    const remembers = edge.attenuators.some((one) => one.kind === 'ask' && one.remember)
    if (remembers && ledger.answers.size < MAX_REMEMBERED) ledger.answers.set(question, answer)
  }
}

const placeOf = (unit: string, need: string) => JSON.stringify([unit, need])
