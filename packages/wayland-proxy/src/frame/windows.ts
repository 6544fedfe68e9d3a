import {
  type Hook,
  type Hooks,
  type NumericHook,
  type Outcome,
  PASS,
  type RelayedMessage,
  SWALLOW,
} from '../relay/hooks.js'
import type { Box } from './box.js'
import { coveringMargins } from './covering.js'
import { Frame, LEAST_MARGINS, NO_MARGINS } from './frame.js'
import { supplyOf } from './supply.js'
import type { SurfaceState } from './surface.js'

/** wl_display.error.implementation; xdg_surface.error.invalid_size. */
const IMPLEMENTATION = 3
const INVALID_SIZE = 4
/** xdg_toplevel.state */
const MAXIMISED = 1
const FULLSCREEN = 2
/**
 * Tiled at each edge, known from version 2 on. Programs draw little shadow where a neighbour could be, and none of
 * it would be outside the frame.
 */
const TILED = [5, 6, 7, 8]
const TILED_SINCE = 2

export function marginsOf(surface: SurfaceState | undefined) {
  return surface?.frame?.margins ?? NO_MARGINS
}

/** What a surface becomes must have a frame, or not be. */
export function giveFrame(relayed: RelayedMessage): Outcome {
  const { session, object: xdg } = relayed
  const { frame: policy } = session.unit.policy.identity
  const { surface } = xdg
  if (policy === 'none' || surface === undefined) return PASS
  if (!surface.object.alive) return session.refuse(IMPLEMENTATION, 'a window whose surface is gone')
  const supply = surface.frame === undefined ? supplyOf(session, policy) : undefined
  if (supply?.isErr()) {
    const text = `a window cannot be framed: ${supply.error}`
    const outcome = session.forbid('W-FRAME', text, IMPLEMENTATION)
    if (outcome !== PASS) return outcome
  }
  relayed.alsoAfterwards(([role]) => {
    if (surface.frame !== undefined) surface.frame.reset(xdg, role!)
    else if (supply?.isOk()) surface.frame = new Frame(supply.value, surface, xdg, role!)
  })
  return PASS
}

const getXdgSurface: Hook = (relayed) => {
  const surface = relayed.session.clientObjects.get(relayed.id(1))?.surface
  relayed.alsoAfterwards(([xdg]) => {
    xdg!.surface = surface
  })
  return PASS
}

const getToplevel: Hook = (relayed) => {
  const { surface } = relayed.object
  relayed.alsoAfterwards(([toplevel]) => {
    toplevel!.surface = surface
  })
  return giveFrame(relayed)
}

/** The compositor is told of the window with its frame, at the next commit. */
const setWindowGeometry: NumericHook = (session, xdg, words, first) => {
  const { surface } = xdg
  if (surface === undefined) return PASS
  const [x, y, width, height] = words.subarray(first, first + 4)
  if (width! <= 0 || height! <= 0) {
    return session.refuse(INVALID_SIZE, `a window of ${width} by ${height}`, 'W-PROTOCOL', xdg)
  }
  const geometry: Box = { x: x!, y: y!, width: width!, height: height! }
  surface.geometry = geometry
  surface.changed = true
  return surface.frame === undefined ? PASS : SWALLOW
}

/** A size of the window with its frame as one without; 0 leaves it to the client. */
function without(relayed: RelayedMessage, margins: { width: number; height: number }, first: number): void {
  const least = (whole: number, less: number) => (whole <= 0 ? whole : Math.max(1, whole - less))
  relayed.values[first] = { kind: 'int', value: least(relayed.number(first), margins.width) }
  relayed.values[first + 1] = { kind: 'int', value: least(relayed.number(first + 1), margins.height) }
}

const statesOf = (bytes: Uint8Array) => new Uint32Array(bytes.slice().buffer, 0, bytes.length >> 2)

const configure: Hook = (relayed) => {
  const { frame } = relayed.object.surface ?? {}
  if (frame === undefined) return PASS
  const states = statesOf(relayed.bytes(2) ?? new Uint8Array())
  const screen = { width: relayed.number(0), height: relayed.number(1) }
  frame.screen = states.includes(FULLSCREEN) && screen.width > 0 && screen.height > 0 ? screen : undefined
  // What fills the screen loses its shadow with the next commit.
  const margins = states.includes(MAXIMISED) ? LEAST_MARGINS : frame.margins
  without(relayed, states.includes(FULLSCREEN) ? coveringMargins(relayed.session) : margins, 0)
  if (relayed.object.version >= TILED_SINCE) {
    const bytes = new Uint8Array(Uint32Array.from(new Set([...states, ...TILED])).buffer)
    relayed.values[2] = { kind: 'array', bytes }
  }
  return PASS
}

const configureBounds: Hook = (relayed) => {
  without(relayed, marginsOf(relayed.object.surface), 0)
  return PASS
}

/** The least or the largest size that the client wants; 0 is none. */
const withFrame: NumericHook = (_session, { surface }, words, first) => {
  const { width, height } = marginsOf(surface)
  if (words[first]! > 0) words[first]! += width
  if (words[first + 1]! > 0) words[first + 1]! += height
  return PASS
}

/** A window's menu opens at a place in the window. */
const showWindowMenu: NumericHook = (_session, { surface }, words, first) => {
  const { x, y } = marginsOf(surface)
  words[first + 2]! += x
  words[first + 3]! += y
  return PASS
}

export const framedWindowHooks: Hooks = {
  requests: { 'xdg_wm_base.get_xdg_surface': getXdgSurface, 'xdg_surface.get_toplevel': getToplevel },
  events: { 'xdg_toplevel.configure': configure, 'xdg_toplevel.configure_bounds': configureBounds },
  numericEvents: {
    'xdg_surface.configure': (_session, { surface }, words, first) => {
      surface?.frame?.offered(words[first]!)
      return PASS
    },
  },
  numericRequests: {
    'xdg_surface.ack_configure': (_session, { surface }, words, first) =>
      surface?.frame?.answered(words[first]!) ?? PASS,
    'xdg_surface.set_window_geometry': setWindowGeometry,
    'xdg_toplevel.set_min_size': withFrame,
    'xdg_toplevel.set_max_size': withFrame,
    'xdg_toplevel.show_window_menu': showWindowMenu,
  },
}
