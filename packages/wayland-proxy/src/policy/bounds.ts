import { type Hooks, type NumericHook, PASS, SWALLOW } from '../relay/hooks.js'

/** wl_surface.error.invalid_scale. */
const INVALID_SCALE = 0
const MOST_SCALE = 8
const WHOLE = 0x7fff_ffff

/** Brings numbers of the message into bounds: sizes that no screen has crash compositors, or spin them. */
function clamp(where: readonly number[], least: (most: number) => number): NumericHook {
  return (session, _object, words, first) => {
    const most = session.unit.policy.limits.pixels
    if (session.unit.policy.dryRun) return PASS
    for (let index = 0; index < where.length; index++) {
      const at = first + where[index]!
      const value = words[at]!
      if (value > most) words[at] = most
      else if (value < least(most)) words[at] = least(most)
    }
    return PASS
  }
}

/** A position may be negative. Of sizes those below the least are the compositor's to refuse. */
const position = (most: number) => -most
const size = () => -WHOLE - 1

const countDamage: NumericHook = (session, surface) => {
  if (surface.tally > session.unit.policy.limits.damageRectangles) return SWALLOW
  surface.tally += 1
  return PASS
}

/** What was left out of the damage is made up for before the commit. */
const commit: NumericHook = (session, surface) => {
  if (surface.tally > session.unit.policy.limits.damageRectangles) {
    const whole = [0, 0, WHOLE, WHOLE].map((value) => ({ kind: 'int', value }) as const)
    session.request(surface, 'damage', whole)
  }
  surface.tally = 0
  return PASS
}

const countRectangle: NumericHook = (session, region) => {
  region.tally += 1
  const most = session.unit.policy.limits.rectanglesPerRegion
  if (region.tally <= most) return PASS
  return session.forbid('W-LIMIT', `more than ${most} rectangles in a region`, 2)
}

/** Numbers that a compositor should not have to survive. */
export const boundHooks: Hooks = {
  numericRequests: {
    'wl_surface.damage': countDamage,
    'wl_surface.damage_buffer': countDamage,
    'wl_surface.commit': commit,
    'wl_surface.set_buffer_scale': (session, surface, words, first) => {
      const scale = words[first]!
      if (scale >= 1 && scale <= MOST_SCALE) return PASS
      return session.forbid('W-NUMBER', `a buffer scale of ${scale}`, INVALID_SCALE, surface)
    },
    'wl_region.add': countRectangle,
    'wl_region.subtract': countRectangle,
    'wl_subsurface.set_position': clamp([0, 1], position),
    'wp_viewport.set_destination': clamp([0, 1], size),
    'xdg_surface.set_window_geometry': (session, object, words, first) => {
      clamp([0, 1], position)(session, object, words, first)
      return clamp([2, 3], size)(session, object, words, first)
    },
    'xdg_toplevel.set_min_size': clamp([0, 1], size),
    'xdg_toplevel.set_max_size': clamp([0, 1], size),
    'xdg_positioner.set_size': clamp([0, 1], size),
    'xdg_positioner.set_anchor_rect': (session, object, words, first) => {
      clamp([0, 1], position)(session, object, words, first)
      return clamp([2, 3], size)(session, object, words, first)
    },
    'xdg_positioner.set_offset': clamp([0, 1], position),
    'xdg_positioner.set_parent_size': clamp([0, 1], size),
  },
}
