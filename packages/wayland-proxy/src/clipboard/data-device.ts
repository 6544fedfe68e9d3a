import { behave } from '../answers/behave.js'
import type { ProtocolObject } from '../objects/protocol-object.js'
import type { Answerer } from '../relay/globals.js'
import type { RelayedMessage } from '../relay/hooks.js'
import type { Session } from '../relay/session.js'
import type { UnitContext } from '../relay/unit-context.js'
import { CLIPBOARD, type Dialect, PRIMARY } from './dialect.js'
import { HostClipboard, mayCopy, mayPaste } from './host-clipboard.js'
import { Selection } from './selection.js'
import { Source } from './source.js'

/** The clipboard and the primary selection of a unit: the compositor's own are never passed on. */
export function dataDevices(unit: UnitContext): readonly Answerer[] {
  return [CLIPBOARD, PRIMARY].map((dialect) => dataDeviceManager(unit, dialect))
}

function dataDeviceManager(unit: UnitContext, dialect: Dialect): Answerer {
  const selection = new Selection(unit, dialect)
  const sources = new WeakMap<ProtocolObject, Source>()
  const hosts = new WeakMap<Session, HostClipboard>()
  let current: { readonly source: Source; readonly host: HostClipboard | undefined } | undefined

  const replace = (source: Source | undefined, host?: HostClipboard) => {
    const before = current
    if (before?.source === source) return
    current = source && { source, host }
    selection.set(source)
    if (before !== undefined) {
      before.source.onGone = undefined
      before.host?.withdraw()
      before.source.cancel()
    }
    if (source !== undefined) source.onGone = () => replace(undefined)
  }

  const hostOf = (session: Session): HostClipboard => {
    const known = hosts.get(session)
    if (known !== undefined) return known
    const host = new HostClipboard(session, (content) => selection.setFor(session, content))
    host.onMirrorCancelled = () => {
      // Somebody at the desktop copied something. Where the unit may paste that, it replaces the unit's own.
      if (current?.host === host && mayPaste(unit.policy.clipboard)) replace(undefined)
    }
    hosts.set(session, host)
    return host
  }

  const setSelection = (relayed: RelayedMessage, seat: ProtocolObject | undefined) => {
    const { session } = relayed
    const object = session.clientObjects.get(relayed.id(0))
    const source = object && sources.get(object)
    const warn = (message: string) => unit.warn({ code: 'W-CLIPBOARD', session: session.number, message })
    const off =
      dialect.kind === 'clipboard'
        ? unit.policy.clipboard.mode === 'off'
        : unit.policy.primarySelection === 'off'
    if (off) {
      source?.cancel()
      warn(`the ${dialect.kind} is off`)
      return
    }
    const host = dialect.kind === 'clipboard' && seat?.alive ? hosts.get(session) : undefined
    replace(source, host)
    if (source === undefined || host === undefined || !mayCopy(unit.policy.clipboard)) return
    if (!host.copy(source, seat!, relayed.number(1))) {
      warn('what was copied stays in the unit: no gesture of the user, or no type that may leave')
    }
  }

  return {
    interface: dialect.manager,
    policyChanged: (session) => hosts.get(session)?.policyChanged(),
    bind(manager, session) {
      behave(manager, {
        [dialect.createSource]: ({ created: [object] }) => {
          sources.set(object!, new Source(session, object!))
        },
        [dialect.getDevice]: (relayed) => {
          const device = relayed.created[0]!
          const seat = session.clientObjects.get(relayed.id(1))
          const remove = selection.addDevice(session, device)
          if (dialect.kind === 'clipboard' && seat !== undefined) hostOf(session).attach(seat)
          const handlers = {
            set_selection: (message: RelayedMessage) => setSelection(message, seat),
            start_drag: refuseDrag(sources),
          }
          behave(device, handlers, remove)
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
