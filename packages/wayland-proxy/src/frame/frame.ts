import type { ProtocolObject } from '../objects/protocol-object.js'
import { type Outcome, PASS, SWALLOW } from '../relay/hooks.js'
import type { Session } from '../relay/session.js'
import { type Box, intersection, outset, reaching, sameBox, union } from './box.js'
import { fitsOn } from './covering.js'
import { bandPlace, INSETS, MOST_PIXELS, MOST_SCALE, solidPlace } from './picture.js'
import { screensOf } from './screens.js'
import { begins, int, named, type StripBuffer, type Supply, uint } from './supply.js'
import type { Size, SurfaceState } from './surface.js'

/** wl_display.error.implementation */
const IMPLEMENTATION = 3
const MOST_OFFERED = 64
/** Of both the width and the height: a long menu is as high as the screen, a wide one as wide. */
const MOST_OF_SCREEN = 0.9

type Side = 'top' | 'left' | 'right' | 'bottom'
/** xdg_toplevel.resize_edge; the top moves. */
const EDGES: Readonly<Record<Side, number>> = { top: 0, bottom: 2, left: 4, right: 8 }
const SIDES: readonly Side[] = ['top', 'left', 'right', 'bottom']

function placeOf(side: Side, { x, y, width, height }: Box): Box {
  const { left, top, right, bottom } = INSETS
  const whole = width + left + right
  switch (side) {
    case 'top':
      return { x: x - left, y: y - top, width: whole, height: top }
    case 'bottom':
      return { x: x - left, y: y + height, width: whole, height: bottom }
    case 'left':
      return { x: x - left, y, width: left, height }
    default:
      return { x: x + width, y, width: right, height }
  }
}

/** One side of a frame: a subsurface of the client's surface that the client does not know. */
class Strip {
  readonly side: Side
  readonly surface: ProtocolObject
  readonly subsurface: ProtocolObject
  readonly #supply: Supply
  #place: Box | undefined
  #scale = 1
  #buffer: StripBuffer | undefined

  constructor(side: Side, supply: Supply, window: SurfaceState) {
    const { session } = supply
    this.side = side
    this.#supply = supply
    this.surface = supply.surface()
    this.surface.surface = window
    this.subsurface = session.createOwn(session.unit.interfaceNamed('wl_subsurface'), 1)
    session.request(supply.subcompositor, 'get_subsurface', [
      begins(this.subsurface),
      named(this.surface),
      named(window.object),
    ])
  }

  /** From the parent's next commit on. `dense`: how many pixels its picture should have for one of the window's. */
  moveTo(place: Box, dense: number): void {
    const { session } = this.#supply
    const before = this.#place
    this.#place = place
    if (before?.x !== place.x || before.y !== place.y) {
      session.request(this.subsurface, 'set_position', [int(place.x), int(place.y)])
    }
    const { width, height } = place
    const scale = this.#supply.scaleFor(dense)
    if (before?.width === width && before.height === height && scale === this.#scale) return
    this.#buffer?.retire()
    const look = this.side === 'top' ? bandPlace(scale) : solidPlace(width, scale)
    this.#buffer = this.#supply.buffer(scale, look, width * scale, height * scale)
    if (scale !== this.#scale) session.request(this.surface, 'set_buffer_scale', [int(scale)])
    this.#scale = scale
    session.request(this.surface, 'attach', [named(this.#buffer.object), int(0), int(0)])
    session.request(this.surface, 'damage', [0, 0, width, height].map(int))
    session.request(this.surface, 'commit', [])
  }

  /** To the top, as far as siblings of now go. */
  raiseAbove(sibling: ProtocolObject): void {
    this.#supply.session.request(this.subsurface, 'place_above', [named(sibling)])
  }

  remove(): void {
    const { session } = this.#supply
    this.#buffer?.retire()
    session.request(this.subsurface, 'destroy', [])
    session.request(this.surface, 'destroy', [])
  }
}

/** How the client's window lies in the one that the compositor knows: the frame, and what reaches out of it. */
export interface Margins {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export const NO_MARGINS: Margins = { x: 0, y: 0, width: 0, height: 0 }
export const LEAST_MARGINS: Margins = {
  x: INSETS.left,
  y: INSETS.top,
  width: INSETS.left + INSETS.right,
  height: INSETS.top + INSETS.bottom,
}

/**
 * The frame round a window or a popup. It goes round everything that the client shows there, so that no pixel of
 * the client lies outside of it, and its strips are always the topmost subsurfaces.
 */
export class Frame {
  readonly #session: Session
  readonly #state: SurfaceState
  readonly #strips: readonly Strip[]
  /** The xdg_toplevel or xdg_popup: without one, nothing is shown. */
  #role: ProtocolObject
  /** The xdg_surface, whose window geometry includes the frame. */
  #xdg: ProtocolObject
  /** What the frame goes round; undefined while nothing is shown. */
  #inside: Box | undefined
  /** As dense as the window's own content was when it was last fitted. */
  #scale = 1
  margins = LEAST_MARGINS
  /** What the compositor says of the window next: the size of the screen that it is to cover, if it is. */
  screen: Size | undefined
  /** The same by the serials that the client has not answered. */
  readonly #offered: { readonly serial: number; readonly screen: Size | undefined }[] = []
  /** The same as the client has answered last. */
  #covers: Size | undefined
  /** Whether the compositor has heard an answer: without one there is no window. */
  #hasAnswered = false
  /** The answer that it hears with the next commit, if it is to hear it. */
  #unheard: number | undefined

  constructor(supply: Supply, state: SurfaceState, xdg: ProtocolObject, role: ProtocolObject) {
    this.#session = supply.session
    this.#state = state
    this.#xdg = xdg
    this.#role = role
    this.#strips = SIDES.map((side) => new Strip(side, supply, state))
  }

  /** The surface is a window anew. */
  reset(xdg: ProtocolObject, role: ProtocolObject): void {
    this.#xdg = xdg
    this.#role = role
    this.#hide()
  }

  /** The compositor has said all, and waits for an answer with this serial. */
  offered(serial: number): void {
    this.#offered.push({ serial, screen: this.screen })
    if (this.#offered.length > MOST_OFFERED) this.#offered.shift()
  }

  /**
   * Whether the compositor hears it now. Who has agreed to cover the screen and is larger is cut off by weston, so what
   * the client makes of it is seen first.
   */
  answered(serial: number): Outcome {
    const at = this.#offered.findIndex((one) => one.serial === serial)
    if (at < 0) return PASS
    this.#covers = this.#offered[at]!.screen
    this.#offered.splice(0, at + 1)
    const waits = this.#covers !== undefined && this.#hasAnswered
    this.#hasAnswered = true
    this.#unheard = waits ? serial : undefined
    return waits ? SWALLOW : PASS
  }

  #answer(): void {
    const serial = this.#unheard
    this.#unheard = undefined
    if (serial !== undefined) this.#session.request(this.#xdg, 'ack_configure', [uint(serial)])
  }

  /** A window larger than the screen that it covers would have its frame outside of it. */
  #staysOnScreen(outside: Box): void {
    const screen = this.#covers
    if (screen === undefined || fitsOn(this.#session, screen, outside)) {
      this.#answer()
      return
    }
    this.#covers = undefined
    const { width, height } = outside
    const size = `${width} by ${height} on a screen of ${screen.width} by ${screen.height}`
    const left = this.#session.leaveOut('W-FULLSCREEN', `a window's frame would be off the screen: ${size}`)
    if (left === PASS) this.#answer()
    else {
      this.#unheard = undefined
      this.#session.request(this.#role, 'unset_fullscreen', [])
    }
  }

  /** The user has pressed a button on one of its strips: as on any window's border. Ids are the compositor's. */
  grip(surface: ProtocolObject, seat: ProtocolObject, serial: number): void {
    const strip = this.#strips.find((one) => one.surface === surface)
    if (strip === undefined || !this.#role.alive || this.#role.type.name !== 'xdg_toplevel') return
    const edge = EDGES[strip.side]
    if (edge === 0) this.#session.request(this.#role, 'move', [named(seat), uint(serial)])
    else this.#session.request(this.#role, 'resize', [named(seat), uint(serial), uint(edge)])
  }

  /** Above a subsurface of the client that has just been put on top. */
  raiseAbove(sibling: ProtocolObject): void {
    for (const strip of this.#strips) strip.raiseAbove(sibling)
  }

  remove(): void {
    for (const strip of this.#strips) strip.remove()
  }

  /** A client may destroy both in any order, however wrong, before the compositor says so. */
  get #isWindow(): boolean {
    return this.#role.alive && this.#xdg.alive
  }

  #hide(): void {
    this.#inside = undefined
    this.#state.geometry = undefined
    this.#state.changed = true
    this.margins = LEAST_MARGINS
    this.screen = undefined
    this.#covers = undefined
    this.#hasAnswered = false
    this.#unheard = undefined
    this.#offered.length = 0
  }

  /** Before the surface's commit is passed on: fits the frame to what it will show. */
  commit(): Outcome {
    const state = this.#state
    if (state.width === 0 || !this.#isWindow) {
      // What is unmapped begins again, with no geometry.
      if (this.#inside !== undefined) this.#hide()
      return PASS
    }
    if (!state.changed && this.#scale === this.#dense) {
      if (this.#inside !== undefined) this.#staysOnScreen(outset(this.#inside, INSETS))
      return PASS
    }
    const wanted = this.#wanted()
    if (wanted === undefined) return this.#impossible()
    if (this.#isScreenful(wanted)) return this.#dismiss()
    state.changed = false
    this.#goRound(wanted)
    this.#staysOnScreen(outset(wanted, INSETS))
    return PASS
  }

  /** Before a subsurface shows something by itself: when that reaches out of the frame, the frame goes first. */
  cover(): Outcome {
    const state = this.#state
    if (this.#inside === undefined || !state.changed || !this.#isWindow) return PASS
    const wanted = this.#wanted()
    if (wanted === undefined) return this.#impossible()
    if (this.#isScreenful(wanted)) return this.#dismiss()
    if (sameBox(this.#inside, union(this.#inside, wanted))) return PASS
    // The frame moves with the window's own commit, and what the client meant for its next one comes with it.
    state.commit()
    if (state.width === 0) this.#hide()
    else {
      const now = this.#wanted()
      if (now === undefined) return this.#impossible()
      this.#goRound(union(union(this.#inside, wanted), now))
    }
    this.#session.request(state.object, 'commit', [])
    return PASS
  }

  get #dense(): number {
    return Math.min(this.#state.scale, MOST_SCALE)
  }

  #impossible(): Outcome {
    return this.#session.forbid('W-FRAME', 'a window too large for a frame', IMPLEMENTATION)
  }

  /** What covers nearly all of the screen is no menu, and could be taken for the desktop. */
  #isScreenful(inside: Box): boolean {
    if (this.#role.type.name !== 'xdg_popup') return false
    const screen = screensOf(this.#session).largest
    const { width, height } = outset(inside, INSETS)
    return (
      screen !== undefined && width > screen.width * MOST_OF_SCREEN && height > screen.height * MOST_OF_SCREEN
    )
  }

  /** As when the user has pressed elsewhere. */
  #dismiss(): Outcome {
    const outcome = this.#session.leaveOut('W-POPUP', 'a menu covers the screen')
    if (outcome === SWALLOW) this.#session.event(this.#role, 'popup_done', [])
    return outcome
  }

  /** What the client calls its window, as far as it shows it. */
  #window(bounds: Box): Box {
    const { geometry } = this.#state
    return (geometry && intersection(geometry, bounds)) ?? bounds
  }

  #wanted(): Box | undefined {
    const bounds = this.#state.bounds()!
    const inside = reaching(this.#window(bounds), bounds, INSETS)
    const { width, height } = outset(inside, INSETS)
    return width <= MOST_PIXELS && height <= MOST_PIXELS ? inside : undefined
  }

  #goRound(inside: Box): void {
    const window = this.#window(this.#state.bounds()!)
    const outside = outset(inside, INSETS)
    this.margins = {
      x: window.x - outside.x,
      y: window.y - outside.y,
      width: outside.width - window.width,
      height: outside.height - window.height,
    }
    const scale = this.#dense
    const same = sameBox(this.#inside, inside)
    if (same && scale === this.#scale) return
    this.#inside = inside
    this.#scale = scale
    for (const strip of this.#strips) strip.moveTo(placeOf(strip.side, inside), scale)
    if (same) return
    const { x, y, width, height } = outside
    this.#session.request(this.#xdg, 'set_window_geometry', [x, y, width, height].map(int))
  }
}
