import type { Answerer } from '../relay/globals.js'
import type { RelayedMessage } from '../relay/hooks.js'
import type { Session } from '../relay/session.js'
import { behave } from './behave.js'

/** zxdg_toplevel_decoration_v1.mode, and org_kde_kwin_server_decoration.mode, which has the same numbers. */
const CLIENT_SIDE = 1
const SERVER_SIDE = 2

const isFramed = ({ unit }: Session) => unit.policy.identity.frame !== 'none'

/** Programs draw their own decoration where the proxy draws none. */
const usual = (session: Session) => (isFramed(session) ? SERVER_SIDE : CLIENT_SIDE)

/** Who wants to draw a decoration inside of the frame may. */
const wished = (relayed: RelayedMessage) =>
  isFramed(relayed.session) ? relayed.number(0) : usual(relayed.session)

export const decoration: Answerer = {
  interface: 'zxdg_decoration_manager_v1',
  bind(manager) {
    behave(manager, {
      get_toplevel_decoration({ session, created: [one] }) {
        const say = (mode: number) => session.event(one!, 'configure', [{ kind: 'uint', value: mode }])
        behave(one!, { set_mode: (relayed) => say(wished(relayed)), unset_mode: () => say(usual(session)) })
        say(usual(session))
      },
    })
  },
}

/** The same in KDE's words, which GTK 3 speaks. It asks again as long as it hears something else than it wants. */
export const kdeDecoration: Answerer = {
  interface: 'org_kde_kwin_server_decoration_manager',
  bind(manager, session) {
    session.event(manager, 'default_mode', [{ kind: 'uint', value: usual(session) }])
    behave(manager, {
      create({ created: [one] }) {
        let said: number | undefined
        const say = (mode: number) => {
          if (mode === said) return
          said = mode
          session.event(one!, 'mode', [{ kind: 'uint', value: mode }])
        }
        behave(one!, { request_mode: (relayed) => say(wished(relayed)) })
        say(usual(session))
      },
    })
  },
}
