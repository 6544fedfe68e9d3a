import { join } from 'node:path'
import type { Listener } from '@spectrum/unix-fd'
import { acceptClients, type Ending, readPolicy, type Warning, WaylandProxy } from '../../src/index.js'
import { descriptors } from '../peers/peer.js'
import { powers } from '../peers/unit.js'
import type { Desktop } from './desktop.js'

let count = 0

/** A proxy in front of a real compositor, for real programs. */
export class RealUnit implements AsyncDisposable {
  readonly warnings: Warning[] = []
  readonly endings: Ending[] = []
  readonly socket: string
  readonly proxy: WaylandProxy
  readonly #listener: Listener
  readonly #stop = new AbortController()
  readonly #served: Promise<unknown>

  constructor(desktop: Desktop, policy: unknown = {}, capture?: (line: string) => void) {
    this.socket = join(desktop.folder, `unit-${++count}`)
    this.proxy = new WaylandProxy(powers, {
      policy: readPolicy(policy)._unsafeUnwrap(),
      ...(capture && { capture }),
      onWarning: (warning) => this.warnings.push(warning),
      onEnd: (_session, ending) => this.endings.push(ending),
    })
    this.#listener = descriptors.listen(this.socket, 'stream')._unsafeUnwrap()
    const connect = () => descriptors.connect(desktop.socket, 'stream')
    const { proxy } = this
    this.#served = acceptClients({ proxy, powers, listener: this.#listener, connect }, this.#stop.signal)
  }

  /** Endings that are nobody's wish. */
  get accidents(): readonly Ending[] {
    return this.endings.filter(({ kind }) => kind !== 'client-left' && kind !== 'stopped')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#served
    this.proxy.close()
    this.#listener.close()
  }
}
