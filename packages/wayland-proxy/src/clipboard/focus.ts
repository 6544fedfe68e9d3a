import { type Hooks, PASS } from '../relay/hooks.js'
import type { Session } from '../relay/session.js'
import type { UnitContext } from '../relay/unit-context.js'

const focused = new WeakSet<Session>()
const listeners = new WeakMap<UnitContext, ((session: Session) => void)[]>()

/** `listener` is called before a client is told that it has the keyboard. */
export function onFocus(unit: UnitContext, listener: (session: Session) => void): void {
  listeners.set(unit, [...(listeners.get(unit) ?? []), listener])
}

/**
 * Whether a client is to hear what can be pasted: who has the keyboard is, as at any compositor. Some programs hang when
 * they hear it before (wl-paste 2.1 does). Who has no use for a keyboard cannot be told by it.
 */
export function mayHear(session: Session): boolean {
  return focused.has(session) || session.census.of(session.unit.interfaceNamed('wl_keyboard')) === 0
}

export const focusHooks: Hooks = {
  events: {
    'wl_keyboard.enter': ({ session }) => {
      focused.add(session)
      for (const listener of listeners.get(session.unit) ?? []) listener(session)
      return PASS
    },
    'wl_keyboard.leave': ({ session }) => {
      focused.delete(session)
      return PASS
    },
  },
}
