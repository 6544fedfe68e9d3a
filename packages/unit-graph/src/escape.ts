/** What a caller passed for a name, perhaps from a file: bounded, and without power over a terminal or a log. */
export function printable(value: unknown): string {
  return String(value)
    .slice(0, 64)
    .replace(unsafe, (character) => {
      const code = character.codePointAt(0)!
      const hex = code.toString(16)
      return code <= 0xff ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`
    })
}

// The other packages escape the same, in the same way; a test compares them.
const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Co}]/gu
