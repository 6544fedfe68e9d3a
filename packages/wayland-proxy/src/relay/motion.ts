import type { ProtocolObject } from '../objects/protocol-object.js'
import type { Route } from './routes.js'
import type { Session } from './session.js'

/** The motion at the end of a client's queue: which pointer's, where it begins, and what follows it. */
interface LastMotion {
  pointer: ProtocolObject
  position: number
  end: number
  framed: boolean
}

const last = new WeakMap<Session, LastMotion>()

/**
 * For a client that is behind with reading: a pointer's motion takes the place of the one before, as long as
 * nothing else came in between, and so does its frame. The event is written behind the queue's end and not yet
 * committed. True when that is not needed any more.
 */
export function mergeMotion(
  session: Session,
  pointer: ProtocolObject,
  route: Route,
  at: number,
  size: number,
): boolean {
  const { output } = session.pump.client
  const before = last.get(session)
  const follows = before !== undefined && before.pointer === pointer && before.end === output.position
  // What the kernel has taken, were it only a part, cannot be changed any more.
  const place = follows ? output.wordIndexOf(before.position) : -1
  if (route.pointerFrame) {
    if (!follows || place < 0) return false
    if (before.framed) return true
    before.framed = true
    before.end += size
    return false
  }
  if (place < 0) {
    last.set(session, {
      pointer,
      position: output.position,
      end: output.position + size,
      framed: false,
    })
    return false
  }
  const { words } = output
  for (let index = 2; index < size >> 2; index++) words[place + index] = words[at + index]!
  return true
}
