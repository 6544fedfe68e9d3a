import { type Hook, type Hooks, PASS } from '../relay/hooks.js'
import type { Session } from '../relay/session.js'

const PRESSED = 1
const MOST_REMEMBERED = 64
/** So long after an input a busy program may still open its menu for it, or be moved. */
const RECENT_MS = 10_000

interface Gesture {
  readonly serial: number
  readonly at: number
  /** Something went down: the user began to do something. */
  readonly began: boolean
}

const remembered = new WeakMap<Session, Gesture[]>()

function remember(session: Session, serial: number, began: boolean): void {
  const gestures = remembered.get(session) ?? []
  remembered.set(session, gestures)
  gestures.push({ serial, at: session.unit.powers.clock.now(), began })
  if (gestures.length > MOST_REMEMBERED) gestures.shift()
}

/** Whether the user did something in a window of this client just now; with `serial`, exactly that. */
export function hasFreshGesture(session: Session, serial?: number): boolean {
  const since = session.unit.powers.clock.now() - session.unit.policy.clipboard.gestureMilliseconds
  return (remembered.get(session) ?? []).some(
    (gesture) => gesture.began && gesture.at >= since && (serial === undefined || gesture.serial === serial),
  )
}

/** Whether the serial is of an input not long ago, be it that a button went up: toolkits name whichever came last. */
export function isOfRecentInput(session: Session, serial: number): boolean {
  const since = session.unit.powers.clock.now() - RECENT_MS
  return (remembered.get(session) ?? []).some((one) => one.serial === serial && one.at >= since)
}

const pressed =
  (state: number): Hook =>
  (relayed) => {
    remember(relayed.session, relayed.number(0), relayed.number(state) === PRESSED)
    return PASS
  }

const finger =
  (began: boolean): Hook =>
  (relayed) => {
    remember(relayed.session, relayed.number(0), began)
    return PASS
  }

/** Notices what the user does: keys, buttons, fingers and pens. */
export const gestureHooks: Hooks = {
  events: {
    'wl_keyboard.key': pressed(3),
    'wl_pointer.button': pressed(3),
    'wl_touch.down': finger(true),
    'wl_touch.up': finger(false),
    'zwp_tablet_tool_v2.down': finger(true),
    'zwp_tablet_tool_v2.button': pressed(2),
  },
}
