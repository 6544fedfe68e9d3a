/**
 * Text that a guest may have had a hand in, made safe for a terminal. Line breaks stay, because our own
 * messages have them; everything else that moves a cursor, rings, colours, reorders or hides is spelled out.
 */
export function escapeLines(text: string): string {
  return text
    .split('\n')
    .map((line) =>
      line.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Co}]/gu, (character) => {
        const code = character.codePointAt(0) ?? 0
        return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
      }),
    )
    .join('\n')
}
