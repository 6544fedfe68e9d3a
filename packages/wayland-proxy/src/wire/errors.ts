/**
 * Why bytes are no message, or a value cannot become one, by the protocol's wire format. `argument` is the name in the
 * protocol's XML; `offset` and `size` are bytes, `offset` from the start of the message, its header included.
 */
export type WireError =
  /** The header's size is below 8, above 4096 or no multiple of 4. */
  | { readonly kind: 'invalid-size'; readonly message: string; readonly size: number }
  /** The header's object is 0. */
  | { readonly kind: 'null-receiver'; readonly message: string }
  /** An argument goes on after the message has ended. */
  | {
      readonly kind: 'truncated-argument'
      readonly message: string
      readonly argument: string
      readonly offset: number
    }
  /** The last byte of a string is no NUL. */
  | {
      readonly kind: 'unterminated-string'
      readonly message: string
      readonly argument: string
      readonly offset: number
    }
  /** A string of length 0, or the id 0, where the XML has no `allow-null`. */
  | {
      readonly kind: 'null-not-allowed'
      readonly message: string
      readonly argument: string
      readonly offset: number
    }
  /** Bytes are left after the last argument. */
  | { readonly kind: 'trailing-bytes'; readonly message: string; readonly offset: number }
  /** Decoding only: the message takes more descriptors than the queue has. */
  | { readonly kind: 'missing-descriptor'; readonly message: string; readonly argument: string }
  /** Encoding only: the value is not one of the signature's. */
  | { readonly kind: 'invalid-value'; readonly message: string; readonly argument: string }
  /** Encoding only: `size` is above 4096, `MOST_MESSAGE_BYTES`. */
  | { readonly kind: 'message-too-long'; readonly message: string; readonly size: number }
