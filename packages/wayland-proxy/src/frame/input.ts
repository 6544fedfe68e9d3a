import type { ProtocolObject } from '../objects/protocol-object.js'
import { type Hook, type Hooks, type NumericHook, PASS, SWALLOW } from '../relay/hooks.js'

/** Set in the tally of a device while it is over the frame: what it does there is none of the client's business. */
const ON_FRAME = 1

/** A device comes to a surface, and with which events it then tells what is done there. */
interface Device {
  readonly interface: string
  /** Its arguments name the surface at `surface`. Who gets an event about a surface it does not know, gets none. */
  readonly enters: string
  readonly surface: number
  readonly does: readonly string[]
}

const DEVICES: readonly Device[] = [
  {
    interface: 'wl_pointer',
    enters: 'enter',
    surface: 1,
    does: [
      'motion',
      'axis',
      'axis_source',
      'axis_stop',
      'axis_discrete',
      'axis_value120',
      'axis_relative_direction',
    ],
  },
  { interface: 'wl_keyboard', enters: 'enter', surface: 1, does: ['key'] },
  { interface: 'zwp_pointer_gesture_swipe_v1', enters: 'begin', surface: 2, does: ['update', 'end'] },
  { interface: 'zwp_pointer_gesture_pinch_v1', enters: 'begin', surface: 2, does: ['update', 'end'] },
  { interface: 'zwp_pointer_gesture_hold_v1', enters: 'begin', surface: 2, does: ['end'] },
  {
    interface: 'zwp_tablet_tool_v2',
    enters: 'proximity_in',
    surface: 2,
    does: [
      'proximity_out',
      'down',
      'up',
      'motion',
      'pressure',
      'distance',
      'tilt',
      'rotation',
      'slider',
      'wheel',
      'button',
    ],
  },
]

function comesTo(index: number): Hook {
  return (relayed) => {
    const surface = relayed.session.serverObjects.get(relayed.id(index))
    relayed.object.tally = surface?.clientId === 0 ? ON_FRAME : 0
    return PASS
  }
}

const isDone: NumericHook = (_session, device) => (device.tally === ON_FRAME ? SWALLOW : PASS)

/** On which strip a pointer is, and whose pointer it is. */
const strips = new WeakMap<ProtocolObject, ProtocolObject>()
const seats = new WeakMap<ProtocolObject, ProtocolObject>()
const LEFT_BUTTON = 0x110
const PRESSED = 1

const pointerEnters: Hook = (relayed) => {
  const surface = relayed.session.serverObjects.get(relayed.id(1))
  if (surface !== undefined) strips.set(relayed.object, surface)
  return comesTo(1)(relayed)
}

const button: NumericHook = (_session, pointer, words, first) => {
  if (pointer.tally !== ON_FRAME) return PASS
  const [strip, seat] = [strips.get(pointer), seats.get(pointer)]
  const isGrip = words[first + 2] === LEFT_BUTTON && words[first + 3] === PRESSED
  if (isGrip && strip && seat?.alive) strip.surface?.frame?.grip(strip, seat, words[first]! >>> 0)
  return SWALLOW
}

/** Whose motions a relative pointer tells. */
const pointers = new WeakMap<ProtocolObject, ProtocolObject>()

const relativeMotion: NumericHook = (_session, relative) =>
  pointers.get(relative)?.tally === ON_FRAME ? SWALLOW : PASS

/** Fingers that are down on the frame, by their numbers. */
const fingers = new WeakMap<ProtocolObject, Set<number>>()
const MOST_FINGERS = 64

const down: Hook = (relayed) => {
  const { session, object: touch } = relayed
  const onFrame = fingers.get(touch) ?? new Set()
  fingers.set(touch, onFrame)
  const finger = relayed.number(3)
  const surface = session.serverObjects.get(relayed.id(2))
  if (surface?.clientId !== 0) onFrame.delete(finger)
  else if (onFrame.size < MOST_FINGERS) onFrame.add(finger)
  // Before it counts as something that the user did in a window of the client.
  return surface?.clientId === 0 ? SWALLOW : PASS
}

function finger(index: number): NumericHook {
  return (_session, touch, words, first) => (fingers.get(touch)?.has(words[first + index]!) ? SWALLOW : PASS)
}

const up: NumericHook = (_session, touch, words, first) =>
  fingers.get(touch)?.delete(words[first + 2]!) ? SWALLOW : PASS

/** The frame's input is the proxy's. */
export const frameInputHooks: Hooks = {
  requests: {
    'wl_seat.get_pointer': (relayed) => {
      relayed.alsoAfterwards(([pointer]) => seats.set(pointer!, relayed.object))
      return PASS
    },
    'zwp_relative_pointer_manager_v1.get_relative_pointer': (relayed) => {
      const pointer = relayed.session.clientObjects.get(relayed.id(1))
      relayed.alsoAfterwards(([relative]) => {
        if (pointer !== undefined) pointers.set(relative!, pointer)
      })
      return PASS
    },
  },
  events: {
    ...Object.fromEntries(
      DEVICES.map((device) => [`${device.interface}.${device.enters}`, comesTo(device.surface)]),
    ),
    'wl_pointer.enter': pointerEnters,
    'wl_touch.down': down,
  },
  numericEvents: {
    ...Object.fromEntries(
      DEVICES.flatMap((device) => device.does.map((name) => [`${device.interface}.${name}`, isDone])),
    ),
    'wl_pointer.button': button,
    'zwp_relative_pointer_v1.relative_motion': relativeMotion,
    'wl_touch.up': up,
    'wl_touch.motion': finger(1),
    'wl_touch.shape': finger(0),
    'wl_touch.orientation': finger(0),
  },
}
