import type { Session } from '../relay/session.js'
import type { Box } from './box.js'
import { INSETS } from './picture.js'
import type { Size } from './surface.js'

/**
 * weston shows what covers the screen as if it began at the surface's origin: what lies left of and above that is
 * pushed half off the screen by what it measures too much (center_on_output of its shells; seen with 10.0). Its own
 * interfaces tell it from others.
 */
function forgetsWhatLiesBeforeTheOrigin(session: Session): boolean {
  return session.globals.hasUpstream((name) => name.startsWith('weston_'))
}

/** How much larger than a client's window the screen is that the window covers with its frame, and no shadow. */
export function coveringMargins(session: Session): Size {
  const { left, top, right, bottom } = INSETS
  const [before, above] = forgetsWhatLiesBeforeTheOrigin(session) ? [left, top] : [0, 0]
  return { width: before + left + right, height: above + top + bottom }
}

/** Whether a window of this outline, which covers the screen, has all of its frame on it. */
export function fitsOn(session: Session, screen: Size, { x, y, width, height }: Box): boolean {
  const lost = forgetsWhatLiesBeforeTheOrigin(session)
  const [before, above] = lost ? [Math.max(0, -x), Math.max(0, -y)] : [0, 0]
  return width + before <= screen.width && height + above <= screen.height
}
