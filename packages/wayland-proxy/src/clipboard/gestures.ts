import { type Hook, type Hooks, PASS } from '../relay/hooks.js'
import type { Session } from '../relay/session.js'

const PRESSED = 1
const MOST_REMEMBERED = 32

interface Gesture {
  readonly serial: number
  readonly at: number
}

const remembered = new WeakMap<Session, Gesture[]>()

function remember(session: Session, serial: number): void {
  const gestures = remembered.get(session) ?? []
  remembered.set(session, gestures)
  gestures.push({ serial, at: session.unit.powers.clock.now() })
  if (gestures.length > MOST_REMEMBERED) gestures.shift()
}

/** Whether the user did something in a window of this client just now; with `serial`, exactly that. */
export function hasFreshGesture(session: Session, serial?: number): boolean {
  const since = session.unit.powers.clock.now() - session.unit.policy.clipboard.gestureMilliseconds
  return (remembered.get(session) ?? []).some(
    (gesture) => gesture.at >= since && (serial === undefined || gesture.serial === serial),
  )
}

const pressed: Hook = (relayed) => {
  if (relayed.number(3) === PRESSED) remember(relayed.session, relayed.number(0))
  return PASS
}

/** Notices what the user does: keys and buttons that go down, and touches. */
export const gestureHooks: Hooks = {
  events: {
    'wl_keyboard.key': pressed,
    'wl_pointer.button': pressed,
    'wl_touch.down': (relayed) => {
      remember(relayed.session, relayed.number(0))
      return PASS
    },
  },
}
