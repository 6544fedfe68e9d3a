/**
 * Text from outside, safe to put into a message: control, line-breaking, bidirectional and invisible characters
 * are escaped and the length is bounded, so neither a terminal nor a log reader can be misled by a file name.
 */
export function quote(text: string, maxLength = 300): string {
  // Escaping only lengthens, so what lies beyond needs no look.
  const shown = text.slice(0, maxLength + 1).replace(UNSAFE, (character) => {
    const code = character.codePointAt(0)!
    const hex = code.toString(16)
    return code <= 0xff ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`
  })
  return shown.length > maxLength ? `${shown.slice(0, maxLength)}…` : shown
}

// The other packages escape the same, in the same way; a test compares them.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Co}]/gu

const utf8 = new TextDecoder()

/** The end of what a command said, because that is where it says why it failed. */
export function quoteOutput(bytes: Uint8Array, maxLength = 2000): string {
  const lines = utf8.decode(bytes.subarray(-maxLength)).trim().split('\n')
  return lines.map((line) => quote(line, maxLength)).join('\n')
}
