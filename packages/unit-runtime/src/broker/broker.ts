import type { AgentError, GuestCall } from '@spectrum/guest-agent'
import type { AnyService, Authority, Decision, Edge, Graph } from '@spectrum/unit-graph'
import { okAsync, type ResultAsync } from 'neverthrow'
import { openWait, orAborted } from '../wait.js'
import { hasArgument, parseArgument, readFirstLine } from './argument.js'
import type { CallEnd, CallEvent, CallProvenance, CallTarget, Refusal } from './events.js'
import { Exchange } from './exchange.js'
import { CALL_LIMITS, type CallLimits, Slots } from './limits.js'
import type { BrokerPowers, CallAgent } from './powers.js'
import { type Carry, toCommand, toFunction, toSocket } from './providers.js'

/** A call that may be carried: what was decided, and what is left of the caller's stream. */
interface Allowed {
  readonly decision: Extract<Decision, { readonly kind: 'allowed' }>
  readonly rest: AsyncIterable<Uint8Array>
  readonly carry: Carry
}

interface Refused {
  readonly refusal: Refusal
  readonly message: string
  readonly provenance?: CallProvenance
}

interface Place {
  readonly call: number
  readonly unit: string
  readonly need: string
  readonly service: AnyService
}

/**
 * Carries the calls of one graph's units along its edges, and along nothing else. Who calls is known from the agent
 * that hands the call over. It owns the calls, never the agents.
 */
export class Broker {
  readonly #authority: Authority
  readonly #graph: Graph
  readonly #powers: BrokerPowers
  readonly #limits: CallLimits
  readonly #edges: ReadonlyMap<string, Edge>
  readonly #agents = new Map<string, CallAgent>()
  readonly #slots = new Slots()
  readonly #exchanges = new Map<Exchange, Edge>()
  /** Names of the grants that were taken back. */
  readonly #revoked = new Set<string>()
  /** Calls that wait for their provider. */
  readonly #waiting = new Map<AbortController, Edge>()
  readonly #closing = new AbortController()
  #calls = 0
  #open = 0

  constructor(authority: Authority, powers: BrokerPowers, limits: Partial<CallLimits> = {}) {
    this.#authority = authority
    this.#graph = authority.graph
    this.#edges = new Map(authority.edges().map((edge) => [`${edge.unit} ${edge.need}`, edge]))
    this.#powers = powers
    this.#limits = { ...CALL_LIMITS, ...limits }
  }

  /**
   * From now on the unit of this key is a provider, and what it needs is there for its programs to call, whether
   * something is behind it or not. It is neither any more when its agent's channel ends.
   */
  attach(
    unit: string,
    agent: CallAgent,
    options: { readonly signal?: AbortSignal | undefined; readonly deadlineMs?: number | undefined } = {},
  ): ResultAsync<void, AgentError> {
    const definition = this.#graph.units[unit]
    if (definition === undefined) throw new TypeError(`${unit} is not a unit of this graph`)
    this.#agents.set(unit, agent)
    const detach = () => {
      if (this.#agents.get(unit) === agent) this.#agents.delete(unit)
    }
    void agent.closed.then(detach)
    const needs = Object.keys(definition.needs)
    if (needs.length === 0) return okAsync(undefined)
    return agent
      .offerServices(needs, (call) => void this.#serve(unit, call), options)
      .mapErr((error) => {
        detach()
        return error
      })
  }

  /** How many calls are open, decided or not. */
  get open(): number {
    return this.#open
  }

  /** Takes back every grant that is revocable by this name, with the calls on it. Returns how many edges that closes. */
  revoke(name: string): number {
    this.#revoked.add(name)
    for (const [exchange, edge] of this.#exchanges)
      if (this.#isRevoked(edge)) exchange.fail({ kind: 'revoked' })
    for (const [revoking, edge] of this.#waiting) if (this.#isRevoked(edge)) revoking.abort()
    return this.#authority.revoke(name)
  }

  #isRevoked({ attenuators }: Edge): boolean {
    return attenuators.some((one) => one.kind === 'revocable' && this.#revoked.has(one.name))
  }

  /** Ends every call with `host-closed` and refuses all that come, also those that were allowed and are not carried yet. */
  close(): void {
    this.#closing.abort()
    for (const exchange of this.#exchanges.keys()) exchange.fail({ kind: 'host-closed' })
  }

  async #serve(unit: string, call: GuestCall): Promise<void> {
    const service = this.#graph.units[unit]!.needs[call.service]!.service
    const place: Place = { call: ++this.#calls, unit, need: call.service, service }
    const held = new Set<string>()
    const take = (key: string, most: number) => {
      const taken = this.#slots.take(key, most)
      if (taken) held.add(key)
      return taken
    }
    const free = (key: string) => {
      if (held.delete(key)) this.#slots.free(key)
    }
    const ofCaller = `unit ${unit}`
    this.#open++
    try {
      const decided = take(ofCaller, this.#limits.perUnit)
        ? await this.#decide(place, call, take)
        : busy('of this unit')
      if ('refusal' in decided) this.#refuse(place, call, decided)
      // A provider that does not end what it was told to end takes up its own room, and none of its caller's.
      else await this.#carry(place, call, decided, () => free(ofCaller))
    } finally {
      for (const key of held) free(key)
      this.#open--
    }
  }

  async #decide(
    place: Place,
    call: GuestCall,
    take: (key: string, most: number) => boolean,
  ): Promise<Allowed | Refused> {
    const { unit, need, service } = place
    let argument: unknown
    let rest: AsyncIterable<Uint8Array> = call.incoming
    // Whatever is behind the name: how long an answer takes must not tell.
    if (hasArgument(service.argument)) {
      const { argumentMs, argumentBytes } = this.#limits
      using wait = openWait(this.#powers.clock, argumentMs, this.#closing.signal)
      const first = await orAborted(readFirstLine(call.incoming, argumentBytes), wait.signal)
      const parsed = first === undefined ? undefined : parseArgument(first.line)
      if (first === undefined || parsed === undefined) {
        return {
          refusal: 'invalid-argument',
          message: `${unit} did not begin its call of ${service.name} with one line of JSON.`,
        }
      }
      argument = parsed.value
      rest = first.rest
    }
    if (this.#closing.signal.aborted) return closed
    // Before anybody is asked and anything is counted: a call that cannot be carried uses nothing up.
    const hindrance = this.#hindrance(place, take)
    if (hindrance !== undefined) return hindrance
    const asked = { unit, need, argument }
    let decision = this.#authority.decide({ ...asked, now: this.#powers.epochMs() })
    if (decision.kind === 'ask') {
      const answer = await this.#ask(place, call, decision)
      if (typeof answer !== 'boolean') return { ...answer, provenance: this.#provenanceOf(decision) }
      // Neither remembered nor counted.
      if (this.#closing.signal.aborted) return { ...closed, provenance: this.#provenanceOf(decision) }
      decision = this.#authority.decide({ ...asked, now: this.#powers.epochMs() }, answer)
    }
    const provenance = this.#provenanceOf(decision)
    if (decision.kind === 'refused') {
      return { refusal: decision.reason, message: decision.message, provenance }
    }
    // An answer settles every question of the edge.
    if (decision.kind === 'ask') {
      return { refusal: 'attenuated', message: 'It was asked for in vain.', provenance }
    }
    // While a person thought about it, the provider may have ended; what is allowed may bring it up.
    const carry = this.#carryAlong(decision.edge) ?? (await this.#await(place, call, decision.edge))
    return 'refusal' in carry ? { ...carry, provenance } : { decision, rest, carry }
  }

  /** Waits for a provider that may come up, within bounds. */
  async #await({ unit, service }: Place, call: GuestCall, edge: Edge): Promise<Carry | Refused> {
    const { providers, clock } = this.#powers
    const provider = this.#nameOfProvider(edge)
    if (provider === undefined || !providers?.mayCome(provider)) return away(edge)
    const key = `waiting ${provider}`
    if (!this.#slots.take(key, this.#limits.waiting)) return busy('that wait for this provider')
    const gone = new AbortController()
    if (service.response !== undefined) void call.readerGone.then(() => gone.abort())
    void call.closed.then(() => gone.abort())
    const revoking = new AbortController()
    this.#waiting.set(revoking, edge)
    const { providerMs } = this.#limits
    using wait = openWait(clock, providerMs, this.#closing.signal, gone.signal, revoking.signal)
    try {
      const up = await providers.bringUp(provider, { signal: wait.signal, deadlineMs: wait.leftMs() })
      if (this.#closing.signal.aborted) return closed
      if (revoking.signal.aborted) return revoked
      if (gone.signal.aborted) return { refusal: 'caller-gone', message: `${unit} hung up.` }
      if (up.isOk()) return this.#carryAlong(edge) ?? away(edge)
      const message =
        wait.reason() === 'timed-out'
          ? `${provider} was not up within ${providerMs} ms.`
          : `${provider} did not come up: ${up.error.message}`
      return { refusal: 'provider-not-started', message }
    } finally {
      this.#waiting.delete(revoking)
      this.#slots.free(key)
    }
  }

  #nameOfProvider({ to }: Edge): string | undefined {
    return to.kind === 'unit' ? this.#graph.units[to.unit]?.name : undefined
  }

  /** Why a call cannot be carried whatever is decided. Takes the room for it. */
  #hindrance({ unit, need }: Place, take: (key: string, most: number) => boolean): Refused | undefined {
    const edge = this.#edges.get(`${unit} ${need}`)
    if (edge === undefined) return undefined
    const audit = edge.attenuators.flatMap((one) => (one.kind === 'audit' ? [one.label] : []))
    const provenance = this.#provenanceOf({ edge, reasons: [], audit })
    if (!take(`edge ${unit} ${need}`, this.#limits.perEdge)) return { ...busy('on this edge'), provenance }
    if (!take(`provider ${providerOf(edge)}`, this.#limits.perProvider)) {
      return { ...busy('to this provider'), provenance }
    }
    if (this.#carryAlong(edge) !== undefined) return undefined
    const provider = this.#nameOfProvider(edge)
    const mayCome = provider !== undefined && this.#powers.providers?.mayCome(provider) === true
    return mayCome ? undefined : { ...away(edge), provenance }
  }

  async #ask(
    { unit, need }: Place,
    call: GuestCall,
    { edge, argument, reasons }: Extract<Decision, { readonly kind: 'ask' }>,
  ): Promise<boolean | Refused> {
    const { prompter, clock } = this.#powers
    if (prompter === undefined) {
      return { refusal: 'attenuated', message: `${unit}.${need} asks, and nobody can be asked.` }
    }
    const key = `asking ${unit}`
    if (!this.#slots.take(key, this.#limits.asking)) return busy('before a person')
    const gone = new AbortController()
    // A caller that waits for no answer may have left a request behind.
    if (edge.service.response !== undefined) void call.readerGone.then(() => gone.abort())
    // What a unit leaves behind goes with it.
    void call.closed.then(({ kind }) => kind === 'unit-lost' && gone.abort())
    using wait = openWait(clock, this.#limits.askMs, this.#closing.signal, gone.signal)
    try {
      const question = {
        unit,
        need,
        service: edge.service.name as string,
        provider: providerOf(edge),
        argument,
        conditions: reasons.map(({ because }) => because),
      }
      const answer = Promise.resolve()
        .then(() => prompter.ask(question, wait.signal))
        .then(
          (said) => said === 'allow',
          () => false,
        )
      const said = await orAborted(answer, wait.signal)
      if (said !== undefined) return said
      if (this.#closing.signal.aborted) return closed
      if (gone.signal.aborted) return { refusal: 'caller-gone', message: `${unit} hung up.` }
      return { refusal: 'attenuated', message: `Nobody answered within ${this.#limits.askMs} ms.` }
    } finally {
      this.#slots.free(key)
    }
  }

  #carryAlong({ to }: Edge): Carry | undefined {
    if (to.kind === 'host') {
      const { services } = this.#powers
      return Object.hasOwn(services, to.name) ? toFunction(services[to.name]!) : undefined
    }
    const agent = this.#agents.get(to.unit) ?? this.#powers.borrowed?.(to.unit)
    if (agent === undefined) return undefined
    const { by } = this.#graph.units[to.unit]!.provides[to.provision]!
    return by.kind === 'command' ? toCommand(agent, by.argv) : toSocket(agent, by.path)
  }

  /** From its first line to the registration nothing else happens: a close or a revocation is before it or ends the exchange. */
  async #carry(
    place: Place,
    call: GuestCall,
    { decision, rest, carry }: Allowed,
    cut: () => void,
  ): Promise<void> {
    const { clock } = this.#powers
    const provenance = this.#provenanceOf(decision)
    const late = this.#closing.signal.aborted ? closed : this.#isRevoked(decision.edge) ? revoked : undefined
    if (late !== undefined) return this.#refuse(place, call, { ...late, provenance })
    const began = clock.now()
    const schemas = { request: decision.request, response: place.service.response }
    using exchange = new Exchange(call, rest, schemas, clock, this.#idleMs(decision.edge))
    this.#exchanges.set(exchange, decision.edge)
    exchange.signal.addEventListener('abort', cut, { once: true })
    let end: CallEnd
    try {
      this.#tell({ ...this.#identityOf(place), ...provenance, kind: 'allowed' })
      const facts = {
        caller: this.#graph.units[place.unit]!.name,
        service: place.service.name,
        argument: hasArgument(place.service.argument) ? { value: decision.argument } : undefined,
      }
      // Whoever heard of it may have closed the broker.
      end = exchange.end ?? (await carry(exchange, facts))
    } finally {
      this.#exchanges.delete(exchange)
    }
    const { requestBytes, responseBytes } = exchange
    const ms = clock.now() - began
    this.#tell({ ...this.#identityOf(place), kind: 'ended', end, requestBytes, responseBytes, ms })
  }

  #idleMs({ to }: Edge): number {
    const mayIdle = to.kind === 'host' && this.#powers.services[to.name]?.mayIdle === true
    return mayIdle ? Number.POSITIVE_INFINITY : this.#limits.idleMs
  }

  #refuse(place: Place, call: GuestCall, { refusal, message, provenance = UNKNOWN }: Refused): void {
    call.reset()
    this.#tell({ ...this.#identityOf(place), ...provenance, kind: 'refused', refusal, message })
  }

  #identityOf({ call, unit, need, service }: Place) {
    return { call, unit: this.#graph.units[unit]!.name, need, service: service.name as string }
  }

  #provenanceOf({ edge, reasons, audit }: Pick<Decision, 'edge' | 'reasons' | 'audit'>): CallProvenance {
    if (edge === undefined) return { reasons, audit }
    const { to } = edge
    const target: CallTarget = to.kind === 'host' ? to : { ...to, unit: this.#graph.units[to.unit]!.name }
    return { target, reasons, audit }
  }

  #tell(event: CallEvent): void {
    this.#powers.onEvent(event)
  }
}

const UNKNOWN: CallProvenance = { reasons: [], audit: [] }

const closed: Refused = { refusal: 'provider-absent', message: 'The host is being stopped.' }

const revoked: Refused = { refusal: 'attenuated', message: 'It was revoked before the call was carried.' }

const busy = (where: string): Refused => ({
  refusal: 'busy',
  message: `As many calls ${where} are open as may be.`,
})

const providerOf = ({ to }: Edge) => (to.kind === 'host' ? `host:${to.name}` : to.unit)

const away = (edge: Edge): Refused => ({
  refusal: 'provider-absent',
  message: `${providerOf(edge)} provides ${edge.service.name}, but it does not run.`,
})
