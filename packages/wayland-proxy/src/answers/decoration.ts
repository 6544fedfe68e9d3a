import type { Answerer } from '../relay/globals.js'
import { behave } from './behave.js'

/** zxdg_toplevel_decoration_v1.mode. */
const CLIENT_SIDE = 1
/** org_kde_kwin_server_decoration.mode. */
const KDE_CLIENT_SIDE = 1

/** Programs draw their own decoration, as long as the proxy draws none. */
export const decoration: Answerer = {
  interface: 'zxdg_decoration_manager_v1',
  bind(manager) {
    behave(manager, {
      get_toplevel_decoration({ session, created: [one] }) {
        const say = () => session.event(one!, 'configure', [{ kind: 'uint', value: CLIENT_SIDE }])
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
    session.event(manager, 'default_mode', [{ kind: 'uint', value: KDE_CLIENT_SIDE }])
    behave(manager, {
      create({ created: [one] }) {
        const say = () => session.event(one!, 'mode', [{ kind: 'uint', value: KDE_CLIENT_SIDE }])
        behave(one!, { request_mode: say })
        say()
      },
    })
  },
}
