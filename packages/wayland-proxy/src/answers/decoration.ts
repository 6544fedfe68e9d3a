import type { Answerer } from '../relay/globals.js'
import type { Session } from '../relay/session.js'
import { behave } from './behave.js'

/** zxdg_toplevel_decoration_v1.mode, and org_kde_kwin_server_decoration.mode, which has the same numbers. */
const CLIENT_SIDE = 1
const SERVER_SIDE = 2

/** Programs draw their own decoration where the proxy draws none. */
const mode = ({ unit }: Session) => (unit.policy.identity.frame === 'none' ? CLIENT_SIDE : SERVER_SIDE)

export const decoration: Answerer = {
  interface: 'zxdg_decoration_manager_v1',
  bind(manager) {
    behave(manager, {
      get_toplevel_decoration({ session, created: [one] }) {
        const say = () => session.event(one!, 'configure', [{ kind: 'uint', value: mode(session) }])
        behave(one!, { set_mode: say, unset_mode: say })
        say()
      },
    })
  },
}

/** The same in KDE's words, which GTK 3 speaks. */
export const kdeDecoration: Answerer = {
  interface: 'org_kde_kwin_server_decoration_manager',
  bind(manager, session) {
    session.event(manager, 'default_mode', [{ kind: 'uint', value: mode(session) }])
    behave(manager, {
      create({ created: [one] }) {
        const say = () => session.event(one!, 'mode', [{ kind: 'uint', value: mode(session) }])
        behave(one!, { request_mode: say })
        say()
      },
    })
  },
}
