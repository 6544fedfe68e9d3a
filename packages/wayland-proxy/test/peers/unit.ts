import { expect } from 'vitest'
import { expectNothingKept, held } from '../../../unix-fd/test/held.js'
import { linuxRelayPowers } from '../../src/linux.js'
import { readPolicy } from '../../src/policy/policy.js'
import type { Warning } from '../../src/policy/warnings.js'
import { type ProxyOptions, WaylandProxy } from '../../src/proxy.js'
import type { Ending } from '../../src/relay/endings.js'
import type { RelayPowers } from '../../src/relay/unit-context.js'
import { FakeClient } from './client.js'
import { FakeCompositor, type FakeGlobal } from './compositor.js'
import { descriptors } from './peer.js'

export const powers = linuxRelayPowers()._unsafeUnwrap()

export interface Connection {
  readonly client: FakeClient
  readonly compositor: FakeCompositor
}

/** A proxy with fake programs on both sides. Everything closes with it, and nothing may be left open. */
export class Unit implements AsyncDisposable {
  readonly proxy: WaylandProxy
  readonly warnings: Warning[] = []
  readonly endings: Ending[] = []
  readonly #connections: Connection[] = []
  static #open = 0
  readonly #before = held()

  constructor(policy: unknown = {}, options: Partial<ProxyOptions> & { powers?: Partial<RelayPowers> } = {}) {
    Unit.#open += 1
    this.proxy = new WaylandProxy(
      { ...powers, ...options.powers },
      {
        policy: readPolicy(policy)._unsafeUnwrap(),
        onWarning: (warning) => this.warnings.push(warning),
        onEnd: (_session, ending) => this.endings.push(ending),
        ...options,
      },
    )
  }

  connect(globals?: readonly FakeGlobal[]): Connection {
    const [near, far] = descriptors.socketpair('stream')._unsafeUnwrap()
    const [up, host] = descriptors.socketpair('stream')._unsafeUnwrap()
    const connection = { client: new FakeClient(near), compositor: new FakeCompositor(host, globals) }
    this.#connections.push(connection)
    this.proxy.serve(far, up)
    return connection
  }

  /** A client that has seen the registry. */
  async started(globals?: readonly FakeGlobal[]): Promise<Connection> {
    const connection = this.connect(globals)
    await connection.client.start()
    return connection
  }

  codes(): string[] {
    return this.warnings.map(({ code }) => code)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.proxy.close()
    for (const { client, compositor } of this.#connections) {
      expect(compositor.faults, 'what reached the compositor').toEqual([])
      client.close()
      compositor.close()
    }
    await new Promise((resolve) => setImmediate(resolve))
    Unit.#open -= 1
    // Of several at a time the last compares for all.
    if (Unit.#open > 0) return
    expectNothingKept(this.#before)
    expect(this.proxy.connections).toBe(0)
  }
}
