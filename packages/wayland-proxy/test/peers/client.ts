import type { UnixSocket } from '@spectrum/unix-fd'
import { Peer, type Plain } from './peer.js'

/** A client that allocates ids as libwayland does. */
export class FakeClient extends Peer {
  registry = 0
  readonly globals: { name: number; interface: string; version: number }[] = []
  readonly #free: number[] = []
  #next = 2

  constructor(socket: UnixSocket) {
    super(socket, 'requests')
    this.onMessage = ({ name, args }) => {
      if (name === 'wl_registry.global') {
        const [number, type, version] = args as [number, string, number]
        this.globals.push({ name: number, interface: type, version })
      }
      if (name === 'wl_registry.global_remove') {
        this.globals.splice(
          this.globals.findIndex((one) => one.name === args[0]),
          1,
        )
      }
      if (name === 'wl_display.delete_id') {
        this.objects.delete(args[0] as number)
        this.#free.push(args[0] as number)
      }
    }
  }

  id(): number {
    return this.#free.pop() ?? this.#next++
  }

  /** Sends a request that creates something, and gives its id. `at` is the place of the new id. */
  make(id: number, name: string, ...args: Plain[]): number {
    const created = this.id()
    this.send(id, name, created, ...args)
    return created
  }

  /** Waits until everything sent so far has been through the compositor. */
  async sync(): Promise<void> {
    const callback = this.make(1, 'sync')
    for (;;) {
      const done = await this.next('wl_callback.done')
      if (done.id !== callback) continue
      while ((await this.next('wl_display.delete_id')).args[0] !== callback);
      return
    }
  }

  async start(): Promise<void> {
    this.registry = this.make(1, 'get_registry')
    await this.sync()
  }

  offered(name: string): { name: number; interface: string; version: number } | undefined {
    return this.globals.find((one) => one.interface === name)
  }

  bind(name: string, version?: number): number {
    const global = this.offered(name)
    if (global === undefined) throw new Error(`${name} is not offered`)
    const id = this.id()
    this.send(this.registry, 'bind', global.name, name, version ?? global.version, id)
    return id
  }

  /** The error that it was told, as `code: text`. */
  async error(): Promise<string> {
    const { args } = await this.next('wl_display.error')
    return `${args[1]}: ${args[2]}`
  }
}
