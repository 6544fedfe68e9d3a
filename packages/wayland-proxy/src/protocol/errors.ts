/** Why a text is no protocol. The message names the place. */
export type ProtocolError =
  | { readonly kind: 'not-xml'; readonly message: string }
  | { readonly kind: 'not-a-protocol'; readonly message: string }
