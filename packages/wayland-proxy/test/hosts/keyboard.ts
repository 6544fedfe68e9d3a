import { FakeClient } from '../peers/client.js'
import { descriptors } from '../peers/peer.js'
import type { Desktop } from './desktop.js'

/** Of linux/input-event-codes.h. */
export const KEY = {
  escape: 1,
  q: 16,
  enter: 28,
  control: 29,
  a: 30,
  d: 32,
  f: 33,
  shift: 42,
  x: 45,
  c: 46,
  v: 47,
  slash: 53,
  f5: 63,
  f6: 64,
  meta: 125,
} as const

/** What each of them adds to the modifiers of the usual keymap. */
const MODIFIERS: Readonly<Record<number, number>> = { [KEY.shift]: 1, [KEY.control]: 4, [KEY.meta]: 64 }

/** The one of a usual keyboard; the compositor looks up what it includes. */
const KEYMAP = `xkb_keymap {
  xkb_keycodes { include "evdev+aliases(qwerty)" };
  xkb_types { include "complete" };
  xkb_compat { include "complete" };
  xkb_symbols { include "pc+us+inet(evdev)" };
};\0`

/** A keyboard at the desktop, on which a test types: what the user does, not the unit. */
export class HostKeyboard implements Disposable {
  readonly #client: FakeClient
  readonly #keyboard: number

  private constructor(client: FakeClient, keyboard: number) {
    this.#client = client
    this.#keyboard = keyboard
  }

  static async at(desktop: Desktop): Promise<HostKeyboard> {
    const client = new FakeClient(descriptors.connect(desktop.socket, 'stream')._unsafeUnwrap())
    await client.start()
    const keyboard = client.id()
    const seat = client.bind('wl_seat')
    client.send(client.bind('zwp_virtual_keyboard_manager_v1'), 'create_virtual_keyboard', seat, keyboard)
    const text = new TextEncoder().encode(KEYMAP)
    using memfd = descriptors.createMemfd('keymap', { size: 0 })._unsafeUnwrap()
    memfd.write(text)._unsafeUnwrap()
    client.send(keyboard, 'keymap', 1, memfd.fd, text.length)
    await client.sync()
    return new HostKeyboard(client, keyboard)
  }

  /** Presses the last key while the ones before it are held. */
  async press(...keys: readonly number[]): Promise<void> {
    const client = this.#client
    let held = 0
    const send = (key: number, state: 0 | 1) => {
      client.send(this.#keyboard, 'key', Math.round(performance.now()), key, state)
      const modifier = MODIFIERS[key]
      if (modifier === undefined) return
      held = state === 1 ? held | modifier : held & ~modifier
      client.send(this.#keyboard, 'modifiers', held, 0, 0, 0)
    }
    for (const key of keys) send(key, 1)
    for (const key of [...keys].reverse()) send(key, 0)
    await client.sync()
  }

  [Symbol.dispose](): void {
    this.#client.close()
  }
}
