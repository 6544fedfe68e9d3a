/**
 * Text that came from a unit (or from a file) made safe for a log or a terminal: control characters, escapes
 * and characters that reorder, hide or break text become `\x1b` or `\u{202e}`, and the length is bounded.
 */
export function printable(text: string, maxCharacters = 300): string {
  const clipped = text.length > maxCharacters ? `${text.slice(0, maxCharacters)}…` : text
  return clipped.replace(unsafe, (character) => {
    const code = character.codePointAt(0)!
    const hex = code.toString(16)
    return code <= 0xff ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`
  })
}

// Controls (Cc), formats such as bidi overrides and zero-width characters (Cf), line and paragraph separators,
// lone surrogates and private use. The other packages escape the same, in the same way; a test compares them.
const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Co}]/gu
