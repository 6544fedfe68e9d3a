/** What a caller passed for a name, perhaps from a file: bounded, and without power over a terminal or a log. */
export function printable(value: unknown): string {
  return escaped(String(value).slice(0, 64))
}

/** Most UTF-16 code units of a text that are shown. */
const SHOWN = 256

/** The same for a text that means what it says: in quotes, and where it is cut, it says so. */
export function quotedText(text: string): string {
  const shown = text.slice(0, SHOWN).replace(/[\\"]/g, '\\$&')
  return `"${escaped(shown)}"${text.length > SHOWN ? ` (and ${text.length - SHOWN} more)` : ''}`
}

function escaped(text: string): string {
  return text.replace(unsafe, (character) => {
    const code = character.codePointAt(0)!
    const hex = code.toString(16)
    return code <= 0xff ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`
  })
}

// The other packages escape the same, in the same way; a test compares them.
const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Co}]/gu
