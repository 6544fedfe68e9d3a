/**
 * Text that somebody else chose, for an error, a log or a table: what would move a cursor, break a line, reorder its
 * neighbours or hide becomes `\x1b` or `\u{202e}`, as in every package here.
 */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Co}]/gu, (character) => {
    const code = character.codePointAt(0)!
    return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
  })
}
