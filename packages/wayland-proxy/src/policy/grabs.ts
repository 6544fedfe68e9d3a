import type { SurfaceState } from '../frame/surface.js'
import type { ProtocolObject } from '../objects/protocol-object.js'
import { type Hook, type Hooks, type NumericHook, PASS } from '../relay/hooks.js'
import { isOfRecentInput } from './gestures.js'

/** In the tally of an xdg_popup. */
const GRABS = 1
/** The popups by the surfaces under them, and whose menus they were opened from. */
const popups = new WeakMap<SurfaceState, ProtocolObject>()
const parents = new WeakMap<ProtocolObject, ProtocolObject>()

/** Compositors differ in whether they look at the serial, the request's second argument; sway 1.7 does not. */
const needsInput =
  (what: string): NumericHook =>
  (session, _object, words, first) =>
    isOfRecentInput(session, words[first + 1]! >>> 0)
      ? PASS
      : session.leaveOut('W-GRAB', `a window wants to ${what}, and the user did nothing for it`)

const hold = needsInput('hold the input with a menu')

/** Menus open from menus when the pointer only passes: what holds the input already may go on. */
const grab: NumericHook = (session, popup, words, first) => {
  const parent = parents.get(popup)
  const outcome = parent?.alive && parent.tally === GRABS ? PASS : hold(session, popup, words, first)
  if (outcome === PASS) popup.tally = GRABS
  return outcome
}

const done: NumericHook = (_session, popup) => {
  popup.tally = 0
  return PASS
}

const getPopup: Hook = (relayed) => {
  const { surface } = relayed.object
  const above = relayed.session.clientObjects.get(relayed.id(1))?.surface
  relayed.alsoAfterwards(([popup]) => {
    if (surface !== undefined) popups.set(surface, popup!)
    const parent = above && popups.get(above)
    if (parent !== undefined) parents.set(popup!, parent)
  })
  return PASS
}

/** What takes the input away from others, or the window along with the pointer, is the user's to begin. */
export const grabHooks: Hooks = {
  requests: { 'xdg_surface.get_popup': getPopup },
  numericRequests: {
    'xdg_popup.grab': grab,
    'xdg_toplevel.move': needsInput('be moved'),
    'xdg_toplevel.resize': needsInput('be resized'),
    'xdg_toplevel.show_window_menu': needsInput('show its menu'),
  },
  numericEvents: { 'xdg_popup.popup_done': done },
}
