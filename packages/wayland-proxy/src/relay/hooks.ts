import type { Fd } from '@spectrum/unix-fd'
import type { ProtocolObject } from '../objects/protocol-object.js'
import type { CompiledMessage } from '../protocol/compile.js'
import type { Argument } from '../wire/signature.js'
import type { Session } from './session.js'

/** What becomes of a message after a hook has seen it. */
export const PASS = 0
/** It goes no further. What it would have created is inert; its descriptors are closed. */
export const SWALLOW = 1
/** The hook has called `session.refuse`, which ended the pair. */
export const REFUSED = 2

export type Outcome = typeof PASS | typeof SWALLOW | typeof REFUSED

/** A valid message with its values, for those that look into it. */
export class RelayedMessage {
  readonly session: Session
  readonly object: ProtocolObject
  readonly message: CompiledMessage
  /** In the order of the signature. Ids are the sender's. A hook may put other values in their place. */
  readonly values: Argument<Fd>[]
  /** Called when the message was passed on, with the objects that it created, in order. */
  afterwards: ((created: readonly ProtocolObject[]) => void) | undefined
  /** For behaviours: the new objects of the message, already registered and inert. */
  created: readonly ProtocolObject[] = []
  #kept: Set<Fd> | undefined

  constructor(session: Session, object: ProtocolObject, message: CompiledMessage, values: Argument<Fd>[]) {
    this.session = session
    this.object = object
    this.message = message
    this.values = values
  }

  /** Adds to what others do once the message was passed on. */
  alsoAfterwards(act: (created: readonly ProtocolObject[]) => void): void {
    const { afterwards } = this
    this.afterwards = (created) => {
      afterwards?.(created)
      act(created)
    }
  }

  /** The caller closes this descriptor from now on. */
  keep(fd: Fd): void {
    this.#kept ??= new Set()
    this.#kept.add(fd)
  }

  closeDescriptors(): void {
    for (const value of this.values) {
      if (value.kind === 'fd' && !this.#kept?.has(value.descriptor)) value.descriptor.close()
    }
  }

  number(index: number): number {
    const value = this.values[index]!
    return value.kind === 'int' || value.kind === 'uint' || value.kind === 'fixed' ? value.value : 0
  }

  /** The bytes of a string, without its NUL; `null` for the null string. */
  bytes(index: number): Uint8Array | null {
    const value = this.values[index]!
    return value.kind === 'string' || value.kind === 'array' ? value.bytes : null
  }

  /** The id of an object, in the sender's numbers; 0 for null. */
  id(index: number): number {
    const value = this.values[index]!
    return value.kind === 'object' || value.kind === 'new-id' ? (value.id ?? 0) : 0
  }

  descriptor(index: number): Fd {
    const value = this.values[index]!
    if (value.kind !== 'fd') throw new Error(`${this.message.fullName}: argument ${index} is no descriptor`)
    return value.descriptor
  }
}

/** Looks at a message and may change its values. */
export type Hook = (relayed: RelayedMessage) => Outcome

/**
 * Looks at the words of a message whose length is fixed and which carries no descriptor, before anything is made
 * of it: for rules on messages that come by the thousand. `words[first]` is the first argument.
 */
export type NumericHook = (
  session: Session,
  object: ProtocolObject,
  words: Int32Array,
  first: number,
) => Outcome

/** The hooks of one part of the proxy, by the full name of the message: `wl_surface.commit`. */
export interface Hooks {
  readonly requests?: Readonly<Record<string, Hook>>
  readonly events?: Readonly<Record<string, Hook>>
  /** For requests that carry descriptors and that no part looks at. */
  readonly otherDescriptors?: Hook
  readonly numericRequests?: Readonly<Record<string, NumericHook>>
  /** The same for events. A swallowed one is nobody's. */
  readonly numericEvents?: Readonly<Record<string, NumericHook>>
}
