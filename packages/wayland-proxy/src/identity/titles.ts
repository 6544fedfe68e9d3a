import { type Hook, type Hooks, PASS } from '../relay/hooks.js'
import { harmless, labelled } from './text.js'

/** Titles and application ids never reach the compositor without their prefix. */
function label(which: 'titlePrefix' | 'appIdPrefix'): Hook {
  return (relayed) => {
    const { session } = relayed
    const given = relayed.bytes(0) ?? new Uint8Array()
    const text = harmless(given)
    const { identity } = session.unit.policy
    relayed.values[0] = { kind: 'string', bytes: labelled(identity[which], text) }
    return PASS
  }
}

/** A window that never sets a title has one all the same: from before it can be seen. */
const toplevelCreated: Hook = (relayed) => {
  relayed.afterwards = ([toplevel]) => {
    const { session } = relayed
    const { titlePrefix, appIdPrefix } = session.unit.policy.identity
    if (titlePrefix !== '') {
      session.request(toplevel!, 'set_title', [{ kind: 'string', bytes: labelled(titlePrefix, '') }])
    }
    if (appIdPrefix !== '') {
      session.request(toplevel!, 'set_app_id', [{ kind: 'string', bytes: labelled(appIdPrefix, '') }])
    }
  }
  return PASS
}

export const titleHooks: Hooks = {
  requests: {
    'xdg_surface.get_toplevel': toplevelCreated,
    'xdg_toplevel.set_title': label('titlePrefix'),
    'xdg_toplevel.set_app_id': label('appIdPrefix'),
  },
}
