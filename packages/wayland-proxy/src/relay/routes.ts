import type { CompiledMessage } from '../protocol/compile.js'
import type { ProtocolTable } from '../protocol/table.js'
import type { Hook, Hooks, NumericHook } from './hooks.js'

/** A message and all who look at it, in order. */
export interface Route {
  readonly message: CompiledMessage
  readonly hooks: readonly Hook[]
  readonly numericHooks: readonly NumericHook[]
  /** Whether the message has to be decoded: somebody looks at its values, or it carries what must be looked at. */
  readonly decoded: boolean
  /** A motion that a later one of the same object makes worthless, or the frame that ends it. */
  readonly pointerMotion: boolean
  readonly pointerFrame: boolean
}

export interface Routes {
  readonly requests: readonly Route[]
  readonly events: readonly Route[]
}

/** The routes of every interface of the table, by its index. Names of messages that the table lacks are passed over. */
export function compileRoutes(table: ProtocolTable, parts: readonly Hooks[]): readonly Routes[] {
  return table.interfaces.map((type) => ({
    requests: type.requests.map((message) =>
      route(
        message,
        requestHooks(message, parts),
        parts.flatMap((part) => part.numericRequests?.[message.fullName] ?? []),
        message.newObjects > 1,
      ),
    ),
    events: type.events.map((message) =>
      route(
        message,
        parts.flatMap((part) => part.events?.[message.fullName] ?? []),
        parts.flatMap((part) => part.numericEvents?.[message.fullName] ?? []),
        message.newObjects > 0,
      ),
    ),
  }))
}

/** A message that carries descriptors, and that no part looks at, is looked at all the same. */
function requestHooks(message: CompiledMessage, parts: readonly Hooks[]): readonly Hook[] {
  const found = parts.flatMap((part) => part.requests?.[message.fullName] ?? [])
  if (found.length > 0 || message.descriptors === 0) return found
  return parts.flatMap((part) => part.otherDescriptors ?? [])
}

function route(
  message: CompiledMessage,
  hooks: readonly Hook[],
  numericHooks: readonly NumericHook[],
  createsObjects: boolean,
): Route {
  if (numericHooks.length > 0 && (message.bytes === 0 || message.descriptors > 0)) {
    throw new Error(`${message.fullName} is no message of a fixed length: look at it with a hook for values`)
  }
  const untyped = message.signature.arguments.some(({ type }) => type.kind === 'untyped-new-id')
  return {
    message,
    hooks,
    numericHooks,
    decoded: hooks.length > 0 || message.descriptors > 0 || untyped || createsObjects,
    pointerMotion: message.fullName === 'wl_pointer.motion',
    pointerFrame: message.fullName === 'wl_pointer.frame',
  }
}
