/**
 * What a message carries, argument by argument, as the protocol's XML says. One word is 32 bits in the byte
 * order of the machine.
 */
export type ArgumentType =
  /** One word: signed, unsigned, or signed with 8 fractional bits. */
  | { readonly kind: 'int' | 'uint' | 'fixed' }
  /** A length that counts the final NUL, then the bytes, padded to a word. Length 0 is null. */
  | { readonly kind: 'string'; readonly nullable: boolean }
  /** A length, then the bytes, padded to a word. */
  | { readonly kind: 'array' }
  /** One word: the id of an object that exists. 0 is null. `interface` is absent in wl_display.error alone. */
  | { readonly kind: 'object'; readonly nullable: boolean; readonly interface?: string | undefined }
  /** One word: the id of an object that begins to exist. */
  | { readonly kind: 'new-id'; readonly interface: string }
  /** Interface (string), version and id: a new object whose interface the sender names, as wl_registry.bind does. */
  | { readonly kind: 'untyped-new-id' }
  /** No bytes: the next descriptor of the queue that runs beside the bytes. */
  | { readonly kind: 'fd' }

/** An argument of a message, as the protocol's XML has it. */
export interface ArgumentSignature {
  /** As in the XML: `surface`, `mime_type`. */
  readonly name: string
  /** What it is on the wire. */
  readonly type: ArgumentType
}

/** A message with its arguments, as the protocol's XML has it. */
export interface MessageSignature {
  /** Without its interface: `attach`. */
  readonly name: string
  /** The version of the interface that brought it. */
  readonly since: number
  /** Whether it ends its object. */
  readonly destructor: boolean
  /** In the order in which they stand on the wire. */
  readonly arguments: readonly ArgumentSignature[]
}

/** An interface, as the protocol's XML has it. The opcode of a message is its place in its list, from 0. */
export interface Interface {
  /** As in the XML: `wl_surface`. */
  readonly name: string
  /** The highest that is known; 1 or more. */
  readonly version: number
  /** Sent by the client. */
  readonly requests: readonly MessageSignature[]
  /** Sent to the client. */
  readonly events: readonly MessageSignature[]
}

/**
 * A decoded argument. Strings stay bytes, without the final NUL, because the wire promises no encoding and
 * forwarding must not change them. `Descriptor` is whatever the caller uses to own one.
 */
export type Argument<Descriptor> =
  /** -2147483648 to 2147483647. */
  | { readonly kind: 'int'; readonly value: number }
  /** 0 to 4294967295. */
  | { readonly kind: 'uint'; readonly value: number }
  /** Exact: a multiple of 1/256 from -8388608 to 8388607.99609375. */
  | { readonly kind: 'fixed'; readonly value: number }
  /** `null` is the null string, which is not the empty one. */
  | { readonly kind: 'string'; readonly bytes: Uint8Array | null }
  /** Without its padding; may be empty. */
  | { readonly kind: 'array'; readonly bytes: Uint8Array }
  /** `null` is the null object. */
  | { readonly kind: 'object'; readonly id: number | null }
  /** Never 0. */
  | { readonly kind: 'new-id'; readonly id: number }
  /** The interface's name as bytes without the final NUL, its version, and the id, never 0. */
  | {
      readonly kind: 'untyped-new-id'
      readonly interface: Uint8Array
      readonly version: number
      readonly id: number
    }
  /** One of the queue that the decoder was given. */
  | { readonly kind: 'fd'; readonly descriptor: Descriptor }
