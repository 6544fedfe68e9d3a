/**
 * Text that came from a unit (or from a file) made safe for a log or a terminal: control characters, escapes
 * and characters that reorder text become `\u{…}`, and the length is bounded.
 */
export function printable(text: string, maxCharacters = 300): string {
  const clipped = text.length > maxCharacters ? `${text.slice(0, maxCharacters)}…` : text
  return clipped.replace(unsafe, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}

// Controls (Cc), formats such as bidi overrides and zero-width characters (Cf), line and paragraph separators,
// and lone surrogates.
const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu
