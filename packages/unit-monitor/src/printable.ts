/**
 * Text from a guest or a monitor, made safe for a log, an error or a terminal.
 *
 * Control characters (C0 with ESC, DEL, C1), line and paragraph separators, bidirectional and invisible
 * formatting characters, and lone surrogates become `\x1b` or `\u{202e}`; bytes that are no UTF-8 have
 * become U+FFFD in decoding. What is left cannot move a cursor, end a line or reorder its neighbours.
 */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0) ?? 0
    const hex = code.toString(16)
    return code <= 0xff ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`
  })
}

/** `escapeText`, cut to `length` characters with an ellipsis that says so. */
export function escapeAndCut(text: string, length: number): string {
  // Cut before escaping as well: escaping multiplies by up to eight, and the input may be huge.
  const escaped = escapeText(text.length > length ? text.slice(0, length + 1) : text)
  return escaped.length > length ? `${escaped.slice(0, length - 1)}…` : escaped
}

const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Co}]/gu
