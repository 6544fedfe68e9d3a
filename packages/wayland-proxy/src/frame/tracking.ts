import { type Hook, type Hooks, type NumericHook, type Outcome, PASS } from '../relay/hooks.js'
import type { Session } from '../relay/session.js'
import { type Size, SurfaceState } from './surface.js'

/** wl_subcompositor.error.bad_parent */
const BAD_PARENT = 1
/** A buffer whose size nobody told: too large for everything. */
const UNKNOWN: Size = { width: Number.POSITIVE_INFINITY, height: Number.POSITIVE_INFINITY }
const FIXED = 256

const createSurface: Hook = (relayed) => {
  relayed.alsoAfterwards(([surface]) => {
    const state = new SurfaceState(surface!)
    surface!.surface = state
    surface!.whenGone = () => state.end()
  })
  return PASS
}

/** The numbers at `width` and behind it are the size of the buffer that the message creates. */
function buffer(width: number): Hook {
  return (relayed) => {
    const size = { width: relayed.number(width), height: relayed.number(width + 1) }
    relayed.alsoAfterwards(([created]) => {
      created!.size = size
    })
    return PASS
  }
}

/** The buffer comes later, as an event. */
const rememberSize: Hook = (relayed) => {
  relayed.object.size = { width: relayed.number(0), height: relayed.number(1) }
  return PASS
}

const attach: NumericHook = (session, { surface }, words, first) => {
  if (surface === undefined) return PASS
  const id = words[first]!
  surface.buffer = id === 0 ? null : (session.clientObjects.get(id >>> 0)?.size ?? UNKNOWN)
  return staysWhereItIs(session, words, first + 1)
}

/**
 * A window that moves itself could have its band off the screen, and the pointer's image be anywhere: where a
 * surface lies, the compositor says, a subsurface's position, or the pointer's hotspot.
 */
function staysWhereItIs(session: Session, words: Int32Array, first: number): Outcome {
  if (!session.unit.policy.dryRun) words.fill(0, first, first + 2)
  return PASS
}

const offset: NumericHook = (session, _surface, words, first) => staysWhereItIs(session, words, first)

const commit: NumericHook = (session, { surface }) => {
  if (surface === undefined) return PASS
  surface.commit()
  if (surface.frame !== undefined) return surface.frame.commit()
  if (surface.isCursor) return checkCursor(session, surface)
  if (surface.parent === undefined) return PASS
  const { root } = surface
  if (root.isCursor) return checkCursor(session, root)
  return root.changed && !surface.waitsForParent ? (root.frame?.cover() ?? PASS) : PASS
}

/** No frame goes round the pointer, so it must be too small to be taken for anything else. */
function checkCursor(session: Session, root: SurfaceState) {
  if (!root.changed) return PASS
  root.changed = false
  const bounds = root.bounds()
  const most = session.unit.policy.limits.cursorPixels
  if (bounds === undefined || (bounds.width <= most && bounds.height <= most)) return PASS
  return session.forbid('W-CURSOR', `a pointer image larger than ${most} by ${most}`, 3)
}

/** The argument at `index` is a surface that becomes the pointer; behind it stands where in it the pointer is. */
function setCursor(index: number): Hook {
  return (relayed) => {
    const { session } = relayed
    const surface = session.clientObjects.get(relayed.id(index))?.surface
    if (surface === undefined) return PASS
    const { dryRun, limits } = session.unit.policy
    for (const place of dryRun ? [] : [index + 1, index + 2]) {
      // An image that does not touch the pointer's place could lie on somebody else's window.
      const hotspot = Math.max(0, Math.min(relayed.number(place), limits.cursorPixels))
      relayed.values[place] = { kind: 'int', value: hotspot }
    }
    surface.isCursor = true
    surface.changed = true
    return checkCursor(session, surface)
  }
}

const getSubsurface: Hook = (relayed) => {
  const { session } = relayed
  const child = session.clientObjects.get(relayed.id(1))?.surface
  const parent = session.clientObjects.get(relayed.id(2))?.surface
  if (child === undefined || parent === undefined) return PASS
  const joined = child.join(parent)
  if (joined.isErr()) {
    const text = `a subsurface ${joined.error}`
    return session.refuse(
      BAD_PARENT,
      text,
      joined.error === 'too deep' ? 'W-LIMIT' : 'W-PROTOCOL',
      relayed.object,
    )
  }
  relayed.alsoAfterwards(([subsurface]) => {
    subsurface!.surface = child
    // It begins on top of all others.
    parent.frame?.raiseAbove(child.object)
  })
  return PASS
}

const desynchronise: NumericHook = (_session, { surface }) => {
  if (surface === undefined || !surface.synchronised) return PASS
  // What it committed meanwhile is seen at once, unless another one above it waits. The frame moves before that.
  const outcome = surface.parent?.waitsForParent ? PASS : (surface.root.frame?.cover() ?? PASS)
  surface.synchronised = false
  if (!surface.waitsForParent) surface.release()
  return outcome
}

const positive = (width: number, height: number): Size | null =>
  width > 0 && height > 0 ? { width, height } : null

/** Follows what each surface of the client is going to show, and where. */
export const trackingHooks: Hooks = {
  requests: {
    'wl_compositor.create_surface': createSurface,
    'wl_shm_pool.create_buffer': buffer(2),
    'zwp_linux_buffer_params_v1.create_immed': buffer(1),
    'zwp_linux_buffer_params_v1.create': rememberSize,
    'wl_drm.create_buffer': buffer(2),
    'wl_drm.create_planar_buffer': buffer(2),
    'wl_drm.create_prime_buffer': buffer(2),
    'wp_single_pixel_buffer_manager_v1.create_u32_rgba_buffer': (relayed) => {
      relayed.alsoAfterwards(([created]) => {
        created!.size = { width: 1, height: 1 }
      })
      return PASS
    },
    'wp_viewporter.get_viewport': (relayed) => {
      const surface = relayed.session.clientObjects.get(relayed.id(1))?.surface
      relayed.alsoAfterwards(([viewport]) => {
        viewport!.surface = surface
      })
      return PASS
    },
    'wl_subcompositor.get_subsurface': getSubsurface,
    'wl_pointer.set_cursor': setCursor(1),
    'zwp_tablet_tool_v2.set_cursor': setCursor(1),
  },
  events: {
    'zwp_linux_buffer_params_v1.created': (relayed) => {
      const { size } = relayed.object
      relayed.alsoAfterwards(([created]) => {
        created!.size = size
      })
      return PASS
    },
  },
  numericRequests: {
    'wl_surface.attach': attach,
    'wl_surface.offset': offset,
    'wl_surface.commit': commit,
    'wl_surface.set_buffer_scale': (_session, { surface }, words, first) => {
      if (surface !== undefined && words[first]! > 0) surface.scale = words[first]!
      return PASS
    },
    'wl_surface.set_buffer_transform': (_session, { surface }, words, first) => {
      if (surface !== undefined) surface.transform = words[first]!
      return PASS
    },
    'wp_viewport.set_destination': (_session, { surface }, words, first) => {
      if (surface !== undefined) surface.destination = positive(words[first]!, words[first + 1]!)
      return PASS
    },
    'wp_viewport.set_source': (_session, { surface }, words, first) => {
      if (surface === undefined) return PASS
      const [width, height] = [words[first + 2]!, words[first + 3]!]
      surface.source = positive(Math.ceil(width / FIXED), Math.ceil(height / FIXED))
      return PASS
    },
    'wp_viewport.destroy': (_session, { surface }) => {
      if (surface === undefined) return PASS
      surface.destination = null
      surface.source = null
      return PASS
    },
    'wl_subsurface.set_position': (_session, { surface }, words, first) => {
      surface?.moveTo(words[first]!, words[first + 1]!)
      return PASS
    },
    'wl_subsurface.set_sync': (_session, { surface }) => {
      if (surface !== undefined) surface.synchronised = true
      return PASS
    },
    'wl_subsurface.set_desync': desynchronise,
    'wl_subsurface.destroy': (_session, { surface }) => {
      surface?.leave()
      return PASS
    },
  },
}
