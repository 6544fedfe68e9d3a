import type { ProtocolObject } from '../objects/protocol-object.js'
import type { RelayedMessage } from '../relay/hooks.js'

/** What an object does, by the name of the request. What is not named is accepted and has no effect. */
export type Handlers = Readonly<Record<string, (relayed: RelayedMessage) => void>>

export function behave(object: ProtocolObject, handlers: Handlers, removed?: () => void): void {
  object.behaviour = {
    request: (relayed) => {
      const { name } = relayed.message
      if (Object.hasOwn(handlers, name)) handlers[name]!(relayed)
    },
    ...(removed && { removed }),
  }
}
