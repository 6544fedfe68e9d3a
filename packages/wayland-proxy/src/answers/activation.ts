import type { Answerer } from '../relay/globals.js'
import { behave } from './behave.js'

/** Tokens are handed out and good for nothing: what comes to the front, the user decides. */
export function activation(): Answerer {
  let tokens = 0
  return {
    interface: 'xdg_activation_v1',
    bind(manager, session) {
      behave(manager, {
        get_activation_token({ created: [token] }) {
          behave(token!, {
            commit() {
              tokens += 1
              const bytes = new TextEncoder().encode(`unit-${tokens}`)
              session.event(token!, 'done', [{ kind: 'string', bytes }])
            },
          })
        },
        activate() {
          const message = 'a window wants to come to the front'
          session.unit.warn({ code: 'W-ACTIVATION', session: session.number, message })
        },
      })
    },
  }
}
