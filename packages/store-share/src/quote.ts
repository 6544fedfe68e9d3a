/**
 * Text from outside, safe to put into a message: control, line-breaking and bidirectional characters are
 * escaped and the length is bounded, so neither a terminal nor a log reader can be misled by a file name.
 */
export function quote(text: string, maxLength = 300): string {
  let shown = ''
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    shown += isDeceptive(code) ? `\\u{${code.toString(16)}}` : character
    if (shown.length > maxLength) return `${shown.slice(0, maxLength)}…`
  }
  return shown
}

function isDeceptive(code: number): boolean {
  return (
    code < 0x20 ||
    (code >= 0x7f && code < 0xa0) ||
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x2028 && code <= 0x202e) ||
    (code >= 0x2060 && code <= 0x206f) ||
    (code >= 0xd800 && code <= 0xdfff) ||
    code === 0x061c ||
    code === 0xfeff
  )
}

const utf8 = new TextDecoder()

/** The end of what a command said, because that is where it says why it failed. */
export function quoteOutput(bytes: Uint8Array, maxLength = 2000): string {
  const lines = utf8.decode(bytes.subarray(-maxLength)).trim().split('\n')
  return lines.map((line) => quote(line, maxLength)).join('\n')
}
