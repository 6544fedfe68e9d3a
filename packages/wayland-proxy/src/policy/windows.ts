import { type Hook, type Hooks, PASS, SWALLOW } from '../relay/hooks.js'

/**
 * Set in the tally of an xdg_toplevel once the compositor has told it a size: before, it is not on the screen, and
 * the user has not seen the window that wants to cover everything.
 */
const SEEN = 1

const configured: Hook = ({ object }) => {
  object.tally = SEEN
  return PASS
}

const setFullscreen: Hook = (relayed) => {
  const { session, object } = relayed
  const { fullscreen } = session.unit.policy
  if (fullscreen === 'deny') return session.leaveOut('W-FULLSCREEN', 'a window wants the whole screen')
  if (object.tally !== SEEN) {
    return session.leaveOut('W-FULLSCREEN', 'a window wants the whole screen before it was seen')
  }
  if (fullscreen === 'allow') return PASS
  const output = session.clientObjects.get(relayed.id(0))
  session.unit.ask({ kind: 'fullscreen', session: session.number }, (granted) => {
    if (!granted || !object.alive || session.ending !== undefined) return
    const id = output?.alive && output.serverId !== 0 ? output.serverId : null
    session.request(object, 'set_fullscreen', [{ kind: 'object', id }])
  })
  return SWALLOW
}

export const windowHooks: Hooks = {
  requests: { 'xdg_toplevel.set_fullscreen': setFullscreen },
  events: { 'xdg_toplevel.configure': configured },
}
