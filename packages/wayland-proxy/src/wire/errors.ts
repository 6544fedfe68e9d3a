/**
 * Why bytes are no message, or a value cannot become one. `argument` is the name in the protocol; `offset`
 * counts bytes from the start of the message.
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
  | {
      readonly kind: 'unterminated-string'
      readonly message: string
      readonly argument: string
      readonly offset: number
    }
  | {
      readonly kind: 'null-not-allowed'
      readonly message: string
      readonly argument: string
      readonly offset: number
    }
  /** Bytes are left after the last argument. */
  | { readonly kind: 'trailing-bytes'; readonly message: string; readonly offset: number }
  | { readonly kind: 'missing-descriptor'; readonly message: string; readonly argument: string }
  /** Encoding only: the value is not one of the signature's. */
  | { readonly kind: 'invalid-value'; readonly message: string; readonly argument: string }
  /** Encoding only. */
  | { readonly kind: 'message-too-long'; readonly message: string; readonly size: number }
