import type { UnixSocket } from '@spectrum/unix-fd'
import { Peer } from './peer.js'

export interface FakeGlobal {
  readonly name: number
  readonly interface: string
  readonly version: number
}

export const USUAL_GLOBALS: readonly FakeGlobal[] = [
  ['wl_compositor', 5],
  ['wl_subcompositor', 1],
  ['wl_shm', 1],
  ['wl_seat', 7],
  ['wl_output', 4],
  ['xdg_wm_base', 5],
  ['wl_data_device_manager', 3],
].map(([name, version], index) => ({
  name: 40 + index,
  interface: name as string,
  version: version as number,
}))

/** A compositor that does the least: a registry, answers to sync, and delete_id for what is destroyed. */
export class FakeCompositor extends Peer {
  readonly globals: FakeGlobal[]
  /** Confirms nothing while this is false. */
  answers = true
  #serial = 1
  readonly #waiting: (() => void)[] = []

  constructor(socket: UnixSocket, globals: readonly FakeGlobal[] = USUAL_GLOBALS) {
    super(socket, 'events')
    this.globals = [...globals]
    this.onMessage = ({ id, name, args }, known) => {
      const message = known.type.requests.find((one) => `${known.type.name}.${one.name}` === name)!
      if (name === 'wl_display.get_registry') {
        for (const one of this.globals)
          this.send(args[0] as number, 'global', one.name, one.interface, one.version)
      }
      if (name === 'wl_display.sync') {
        this.#later(() => {
          this.send(args[0] as number, 'done', this.#serial++)
          this.confirm(args[0] as number)
        })
      }
      if (message.destructor) this.#later(() => this.confirm(id))
    }
  }

  #later(confirm: () => void): void {
    if (this.answers) confirm()
    else this.#waiting.push(confirm)
  }

  /** Gives all answers that were held back. */
  answer(): void {
    this.answers = true
    for (const confirm of this.#waiting.splice(0)) confirm()
  }

  confirm(id: number): void {
    this.objects.delete(id)
    if (id < 0xff000000) this.send(1, 'delete_id', id)
  }

  /** The newest object of this interface. */
  newest(name: string): number {
    const found = [...this.objects].filter(([, { type }]) => type.name === name).at(-1)
    if (found === undefined) throw new Error(`the compositor has no ${name}`)
    return found[0]
  }
}
