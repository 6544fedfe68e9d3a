/** Error codes of wl_display. */
export const DISPLAY_ERROR = { invalidObject: 0, invalidMethod: 1, noMemory: 2, implementation: 3 } as const

/** Why a client and its connection to the compositor are over. Texts from either side are escaped. */
export type Ending =
  /** The client closed its connection. */
  | { readonly kind: 'client-left'; readonly message: string }
  /** The client broke the protocol, a limit or a rule; it was told so. `code` is the protocol's, or W-… of a rule. */
  | { readonly kind: 'client-refused'; readonly message: string; readonly code: string }
  /** It does not read what the compositor sends. */
  | { readonly kind: 'client-too-slow'; readonly message: string }
  /** The compositor closed the connection. */
  | { readonly kind: 'compositor-left'; readonly message: string }
  /** The compositor refused a request; the client was told. */
  | { readonly kind: 'compositor-refused'; readonly message: string }
  /** What the compositor sent is no message, or none that fits; the message says which. */
  | { readonly kind: 'compositor-broke-protocol'; readonly message: string }
  /** The proxy was closed. */
  | { readonly kind: 'stopped'; readonly message: string }
  /** A system call on one of the sockets failed; the message names it. */
  | { readonly kind: 'system'; readonly message: string }

const MOST_CHARACTERS = 300
/** Controls, formats, surrogates, separators and private use: what changes how the text around it looks. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Co}]/gu

/** Text from a unit or a compositor as one short line that cannot play tricks on a terminal. */
export function escaped(text: string): string {
  const safe = text.slice(0, MOST_CHARACTERS + 1).replace(UNSAFE, (character) => {
    const hex = character.codePointAt(0)!.toString(16)
    return hex.length <= 2 ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`
  })
  return safe.length > MOST_CHARACTERS ? `${safe.slice(0, MOST_CHARACTERS - 1)}…` : safe
}
