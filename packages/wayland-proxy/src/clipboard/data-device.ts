import { behave } from '../answers/behave.js'
import type { ProtocolObject } from '../objects/protocol-object.js'
import type { Answerer } from '../relay/globals.js'
import type { RelayedMessage } from '../relay/hooks.js'
import type { UnitContext } from '../relay/unit-context.js'
import { CLIPBOARD, type Dialect, PRIMARY } from './dialect.js'
import { Selection } from './selection.js'
import { Source } from './source.js'

/** The clipboard and the primary selection of a unit: the compositor's own are never passed on. */
export function dataDevices(unit: UnitContext): readonly Answerer[] {
  return [CLIPBOARD, PRIMARY].map((dialect) => dataDeviceManager(unit, dialect))
}

function dataDeviceManager(unit: UnitContext, dialect: Dialect): Answerer {
  const selection = new Selection(unit, dialect)
  const sources = new WeakMap<ProtocolObject, Source>()
  let current: Source | undefined

  const replace = (source: Source | undefined) => {
    const before = current
    if (before === source) return
    current = source
    selection.set(source)
    if (before !== undefined) {
      before.onGone = undefined
      before.cancel()
    }
    if (source !== undefined) source.onGone = () => replace(undefined)
  }

  const setSelection = (relayed: RelayedMessage) => {
    const { session } = relayed
    const object = session.clientObjects.get(relayed.id(0))
    const source = object && sources.get(object)
    const off =
      dialect.kind === 'clipboard'
        ? unit.policy.clipboard.mode === 'off'
        : unit.policy.primarySelection === 'off'
    if (!off) return replace(source)
    source?.cancel()
    unit.warn({ code: 'W-CLIPBOARD', session: session.number, message: `the ${dialect.kind} is off` })
  }

  return {
    interface: dialect.manager,
    bind(manager, session) {
      behave(manager, {
        [dialect.createSource]: ({ created: [object] }) => {
          sources.set(object!, new Source(session, object!))
        },
        [dialect.getDevice]: ({ created: [device] }) => {
          const remove = selection.addDevice(session, device!)
          behave(device!, { set_selection: setSelection, start_drag: refuseDrag(sources) }, remove)
        },
      })
    },
  }
}

/** A drag could carry files, and an icon, across other units' windows. */
function refuseDrag(sources: WeakMap<ProtocolObject, Source>) {
  return (relayed: RelayedMessage) => {
    const { session } = relayed
    const object = session.clientObjects.get(relayed.id(0))
    if (object !== undefined) sources.get(object)?.cancel()
    session.unit.warn({ code: 'W-DRAG', session: session.number, message: 'a window wants to start a drag' })
  }
}
