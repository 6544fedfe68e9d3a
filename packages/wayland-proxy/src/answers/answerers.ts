import { dataDevices } from '../clipboard/data-device.js'
import type { Answerer } from '../relay/globals.js'
import type { UnitContext } from '../relay/unit-context.js'
import { activation } from './activation.js'
import { decoration, kdeDecoration } from './decoration.js'

/** Accepted and not passed on: the screen locks, the bell stays silent, whatever the unit would like. */
const inert = (name: string): Answerer => ({ interface: name, bind: () => undefined })

/** wl_fixes exists to destroy registries, and those are the proxy's own. */
const fixes: Answerer = {
  interface: 'wl_fixes',
  bind(object) {
    object.behaviour = {
      request(relayed) {
        if (relayed.message.name !== 'destroy_registry') return
        const registry = relayed.session.clientObjects.get(relayed.id(0))
        if (registry?.alive) relayed.session.destroyedHere(registry)
      },
    }
  },
}

/** What the proxy answers in the compositor's place, for one unit. */
export function createAnswerers(unit: UnitContext): readonly Answerer[] {
  const all = [
    ...dataDevices(unit),
    decoration,
    kdeDecoration,
    activation(),
    inert('zwp_idle_inhibit_manager_v1'),
    inert('xdg_system_bell_v1'),
    fixes,
  ]
  return all.filter((one) => unit.table.find(one.interface) !== undefined)
}
