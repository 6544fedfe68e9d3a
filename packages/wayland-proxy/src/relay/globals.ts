import type { ProtocolObject } from '../objects/protocol-object.js'
import { decideGlobal } from '../policy/globals.js'
import type { CompiledInterface } from '../protocol/compile.js'
import { DISPLAY_ERROR, escaped } from './endings.js'
import { type Hooks, type RelayedMessage, SWALLOW } from './hooks.js'
import type { Session } from './session.js'

/** wl_registry's events. */
const GLOBAL = 0
const GLOBAL_REMOVE = 1
/** Names of globals that are gone stay bindable, for who has not heard of it yet; so many of them. */
const MOST_REMOVED = 1_024

/** An interface that the proxy answers in the compositor's place. */
export interface Answerer {
  readonly interface: string
  /** The client bound the global: give the object its behaviour. */
  bind(object: ProtocolObject, session: Session): void
  /** Another policy holds from now on. */
  policyChanged?(session: Session): void
}

interface Offered {
  readonly name: number
  readonly type: CompiledInterface
  readonly version: number
  /** The compositor's name; absent when the proxy answers. */
  readonly upstreamName: number | undefined
  removed: boolean
}

/**
 * What one client may bind. It sees names of its own, so that guessing leads nowhere; the compositor has a single
 * registry per client, whatever the client asks for.
 */
export class Globals {
  readonly #session: Session
  readonly #registries = new Set<ProtocolObject>()
  readonly #offered = new Map<number, Offered>()
  readonly #removed: number[] = []
  readonly #upstream = new Map<number, { readonly interface: string; readonly version: number }>()
  readonly #registry: ProtocolObject
  #nextName = 1

  constructor(session: Session) {
    this.#session = session
    const type = session.unit.interfaceNamed('wl_registry')
    this.#registry = session.createOwn(type, 1, (relayed) => this.#onUpstream(relayed))
    session.request(session.display, 'get_registry', [{ kind: 'new-id', id: this.#registry.serverId }])
    for (const answerer of session.unit.answerers.values()) this.#offerAnswered(answerer)
  }

  /** The compositor's globals of this interface, by their names there: for parts that use one themselves. */
  upstream(name: string): readonly { readonly name: number; readonly version: number }[] {
    return [...this.#upstream]
      .filter(([, one]) => one.interface === name)
      .map(([upstreamName, { version }]) => ({ name: upstreamName, version }))
  }

  /** Whether the compositor has a global with such an interface, known here or not. */
  hasUpstream(is: (name: string) => boolean): boolean {
    return [...this.#upstream.values()].some((one) => is(one.interface))
  }

  /** Binds a global of the compositor for the proxy's own use. */
  bindOwn(upstreamName: number, object: ProtocolObject): void {
    this.#bindUpstream(upstreamName, object)
  }

  /** The client made a registry. */
  add(registry: ProtocolObject): void {
    this.#registries.add(registry)
    registry.behaviour = {
      request: (relayed) => this.#bind(relayed),
      removed: () => this.#registries.delete(registry),
    }
    for (const one of this.#offered.values()) if (!one.removed) this.#announce(registry, one)
  }

  /** Withdraws and offers what another policy says. What is bound already stays bound. */
  policyChanged(): void {
    const { unit } = this.#session
    for (const one of this.#offered.values()) {
      if (one.removed) continue
      const decision = decideGlobal(unit.policy, unit.table, one.type.name)
      const same =
        decision.kind === (one.upstreamName === undefined ? 'answer' : 'relay') &&
        decision.version >= one.version
      if (!same && !(unit.policy.dryRun && one.upstreamName !== undefined)) this.#withdraw(one)
    }
    for (const answerer of unit.answerers.values()) {
      this.#offerAnswered(answerer)
      answerer.policyChanged?.(this.#session)
    }
    for (const name of this.#upstream.keys()) this.#offerUpstream(name)
  }

  #onUpstream(relayed: RelayedMessage): void {
    const name = relayed.number(0)
    if (relayed.message.opcode === GLOBAL) {
      const text = new TextDecoder().decode(relayed.bytes(1) ?? new Uint8Array())
      this.#upstream.set(name, { interface: text, version: relayed.number(2) })
      this.#offerUpstream(name)
      return
    }
    this.#upstream.delete(name)
    for (const one of this.#offered.values())
      if (one.upstreamName === name && !one.removed) this.#withdraw(one)
  }

  #offerUpstream(upstreamName: number): void {
    const { unit } = this.#session
    const { interface: name, version } = this.#upstream.get(upstreamName)!
    for (const one of this.#offered.values()) {
      if (one.upstreamName === upstreamName && !one.removed) return
    }
    const decision = decideGlobal(unit.policy, unit.table, name)
    if (decision.kind === 'answer') return
    const type = unit.table.find(name)
    if (decision.kind === 'relay') {
      const most = Math.min(version, decision.version)
      if (type && most >= 1) this.#offer(type, most, upstreamName)
      return
    }
    const passed = unit.policy.dryRun && type !== undefined
    unit.warn({ code: decision.code, message: `${escaped(name)}: ${decision.why}`, passed })
    if (passed) this.#offer(type, Math.min(version, type.version), upstreamName)
  }

  #offerAnswered(answerer: Answerer): void {
    const { unit } = this.#session
    const decision = decideGlobal(unit.policy, unit.table, answerer.interface)
    if (decision.kind !== 'answer') return
    for (const one of this.#offered.values()) {
      if (one.type.name === answerer.interface && one.upstreamName === undefined && !one.removed) return
    }
    this.#offer(unit.interfaceNamed(answerer.interface), decision.version, undefined)
  }

  #offer(type: CompiledInterface, version: number, upstreamName: number | undefined): void {
    const name = this.#nextName++
    const one: Offered = { name, type, version, upstreamName, removed: false }
    this.#offered.set(name, one)
    for (const registry of this.#registries) this.#announce(registry, one)
  }

  #announce(registry: ProtocolObject, { name, type, version }: Offered): void {
    this.#session.event(registry, GLOBAL, [
      { kind: 'uint', value: name },
      { kind: 'string', bytes: new TextEncoder().encode(type.name) },
      { kind: 'uint', value: version },
    ])
  }

  #withdraw(one: Offered): void {
    one.removed = true
    for (const registry of this.#registries) {
      this.#session.event(registry, GLOBAL_REMOVE, [{ kind: 'uint', value: one.name }])
    }
    this.#removed.push(one.name)
    if (this.#removed.length > MOST_REMOVED) this.#offered.delete(this.#removed.shift()!)
  }

  /** The only request of a registry. */
  #bind(relayed: RelayedMessage): void {
    const session = this.#session
    const wanted = relayed.values[1]!
    if (wanted.kind !== 'untyped-new-id') return
    const name = relayed.number(0)
    const text = new TextDecoder().decode(wanted.interface)
    const one = this.#offered.get(name)
    if (one === undefined || one.type.name !== text) {
      const what = one === undefined ? 'was not offered' : `is ${one.type.name}`
      session.refuse(
        DISPLAY_ERROR.invalidObject,
        `bind of global ${name} as ${text}, which ${what}`,
        'W-BIND',
      )
      return
    }
    if (wanted.version < 1 || wanted.version > one.version) {
      const message = `bind of ${text} in version ${wanted.version}: versions 1 to ${one.version} are offered`
      session.refuse(DISPLAY_ERROR.invalidObject, message, 'W-BIND')
      return
    }
    const object = session.adopt(one.type, wanted.version, wanted.id)
    // Withdrawn before the client knew: the object exists, and nothing comes of it.
    if (object === undefined || one.removed) return
    if (one.upstreamName === undefined) {
      session.unit.answerers.get(text)?.bind(object, session)
      return
    }
    session.expose(object)
    this.#bindUpstream(one.upstreamName, object)
  }

  #bindUpstream(upstreamName: number, object: ProtocolObject): void {
    this.#session.request(this.#registry, 'bind', [
      { kind: 'uint', value: upstreamName },
      {
        kind: 'untyped-new-id',
        interface: new TextEncoder().encode(object.type.name),
        version: object.version,
        id: object.serverId,
      },
    ])
  }
}

export function globalsOf(session: Session): Globals {
  return new Globals(session)
}

/** Registries are the proxy's own. */
export const registryHooks: Hooks = {
  requests: {
    'wl_display.get_registry': (relayed) => {
      relayed.afterwards = ([registry]) => {
        if (registry) relayed.session.globals.add(registry)
      }
      return SWALLOW
    },
  },
}
