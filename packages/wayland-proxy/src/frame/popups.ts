import type { ProtocolObject } from '../objects/protocol-object.js'
import { type Hook, type Hooks, type NumericHook, PASS } from '../relay/hooks.js'
import type { Session } from '../relay/session.js'
import { LEAST_MARGINS, type Margins, NO_MARGINS } from './frame.js'
import { screensOf } from './screens.js'
import { int, uint } from './supply.js'
import type { SurfaceState } from './surface.js'
import { giveFrame, marginsOf } from './windows.js'

/** What a client said about a place for a popup: where in its parent, and how large. */
interface Wish {
  size?: readonly number[]
  anchor?: readonly number[]
  parentSize?: readonly number[]
  adjustment?: readonly number[]
}

/** xdg_positioner.constraint_adjustment: slide_x and slide_y. */
const SLIDE = 1 | 2

const wishes = new WeakMap<ProtocolObject, Wish>()
const parents = new WeakMap<ProtocolObject, SurfaceState>()

function remember(key: keyof Wish, count: number): NumericHook {
  return (_session, positioner, words, first) => {
    const wish = wishes.get(positioner) ?? {}
    wishes.set(positioner, wish)
    wish[key] = [...words.subarray(first, first + count)]
    return PASS
  }
}

/**
 * A positioner is made before it is known for whom: it is told the numbers of windows with frames when it is used.
 * What was never said, or is wrong, stays the compositor's to refuse.
 */
function translate(session: Session, positioner: ProtocolObject, parent: Margins, own: Margins): void {
  const { size, anchor, parentSize, adjustment } = wishes.get(positioner) ?? {}
  // Whatever the client would do about a place off the screen: its band must be seen.
  if (own !== NO_MARGINS) {
    session.request(positioner, 'set_constraint_adjustment', [uint(((adjustment?.[0] ?? 0) | SLIDE) >>> 0)])
  }
  if (size?.every((one) => one > 0)) {
    session.request(positioner, 'set_size', [int(size[0]! + own.width), int(size[1]! + own.height)])
  }
  if (anchor !== undefined) {
    const [x, y, width, height] = anchor
    session.request(positioner, 'set_anchor_rect', [x! + parent.x, y! + parent.y, width!, height!].map(int))
  }
  if (parentSize !== undefined) {
    const [width, height] = parentSize
    session.request(positioner, 'set_parent_size', [int(width! + parent.width), int(height! + parent.height)])
  }
}

const getPopup: Hook = (relayed) => {
  const { session, object: xdg } = relayed
  const parent = session.clientObjects.get(relayed.id(1))?.surface
  const positioner = session.clientObjects.get(relayed.id(2))
  const { surface } = xdg
  relayed.alsoAfterwards(([popup]) => {
    popup!.surface = surface
    if (parent !== undefined) parents.set(popup!, parent)
  })
  const outcome = giveFrame(relayed)
  const framed = session.unit.policy.identity.frame !== 'none'
  if (framed) screensOf(session).look()
  if (outcome === PASS && positioner !== undefined && (framed || parent?.frame !== undefined)) {
    translate(session, positioner, marginsOf(parent), framed ? LEAST_MARGINS : NO_MARGINS)
  }
  return outcome
}

const reposition: NumericHook = (session, popup, words, first) => {
  const positioner = session.clientObjects.get(words[first]! >>> 0)
  if (positioner?.alive && positioner.serverId !== 0 && positioner.type.name === 'xdg_positioner') {
    translate(session, positioner, marginsOf(parents.get(popup)), marginsOf(popup.surface))
  }
  return PASS
}

/** Where the compositor has put it, and how large it may be. */
const configure: Hook = (relayed) => {
  const own = marginsOf(relayed.object.surface)
  const parent = marginsOf(parents.get(relayed.object))
  const [x, y, width, height] = [0, 1, 2, 3].map((index) => relayed.number(index))
  relayed.values.splice(
    0,
    4,
    int(x! + own.x - parent.x),
    int(y! + own.y - parent.y),
    int(Math.max(1, width! - own.width)),
    int(Math.max(1, height! - own.height)),
  )
  return PASS
}

export const framedPopupHooks: Hooks = {
  requests: { 'xdg_surface.get_popup': getPopup },
  events: { 'xdg_popup.configure': configure },
  numericRequests: {
    'xdg_positioner.set_size': remember('size', 2),
    'xdg_positioner.set_anchor_rect': remember('anchor', 4),
    'xdg_positioner.set_parent_size': remember('parentSize', 2),
    'xdg_positioner.set_constraint_adjustment': remember('adjustment', 1),
    'xdg_popup.reposition': reposition,
  },
}
