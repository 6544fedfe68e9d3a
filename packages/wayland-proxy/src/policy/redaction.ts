import { type Hook, type Hooks, PASS } from '../relay/hooks.js'
import type { UnitContext } from '../relay/unit-context.js'

const encode = (text: string) => new TextEncoder().encode(text)
const UNKNOWN = encode('unknown')

/** The names that units are shown in place of the compositor's: the same for every client of a unit. */
const names = new WeakMap<UnitContext, Map<string, string>>()
/** Of monitors that came and went. */
const MOST_NAMES = 256

function nameFor(unit: UnitContext, real: string): string {
  const known = names.get(unit) ?? new Map<string, string>()
  names.set(unit, known)
  let name = known.get(real)
  if (name === undefined) {
    name = `output-${known.size + 1}`
    if (known.size < MOST_NAMES) known.set(real, name)
  }
  return name
}

function hide(...places: readonly number[]): Hook {
  return (relayed) => {
    if (relayed.session.unit.policy.outputIdentity === 'shown') return PASS
    for (const index of places) relayed.values[index] = { kind: 'string', bytes: UNKNOWN }
    return PASS
  }
}

const rename: Hook = (relayed) => {
  const { unit } = relayed.session
  if (unit.policy.outputIdentity === 'shown') return PASS
  const real = new TextDecoder().decode(relayed.bytes(0) ?? new Uint8Array())
  relayed.values[0] = { kind: 'string', bytes: encode(nameFor(unit, real)) }
  return PASS
}

/** Monitors and seats without what tells one machine from another. */
export const redactionHooks: Hooks = {
  events: {
    'wl_output.geometry': hide(5, 6),
    'wl_output.name': rename,
    'wl_output.description': hide(0),
    'zxdg_output_v1.name': rename,
    'zxdg_output_v1.description': hide(0),
    'wl_seat.name': (relayed) => {
      relayed.values[0] = { kind: 'string', bytes: encode(relayed.session.unit.policy.seatName) }
      return PASS
    },
  },
}
