const MOST_CODE_POINTS = 255
const MOST_BYTES = 1_024

/**
 * What can change how the text around it reads: controls, all format characters (zero-width, bidirectional,
 * soft hyphen, tags), line and paragraph separators, private use, surrogates, and what is drawn as nothing.
 */
const DECEIVING =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]|[\u115f\u1160\u3164\uffa0]|\u034f|[\u17b4\u17b5]|\p{Variation_Selector}/gu
/** More marks on one letter than any language needs climb over the lines above. */
const STACKED_MARKS = /(\p{M}{4})\p{M}+/gu

/** A text of the guest as it may stand behind a prefix, in the same place as the host's own texts. */
export function harmless(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  const text = new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end))
  return text.replace(DECEIVING, '').replace(STACKED_MARKS, '$1')
}

/** The prefix and the text, cut between code points so that both fit what every compositor takes. */
export function labelled(prefix: string, text: string): Uint8Array {
  const encoder = new TextEncoder()
  let bytes = 0
  let kept = ''
  let points = 0
  for (const point of prefix + text) {
    bytes += encoder.encode(point).length
    points += 1
    if (points > MOST_CODE_POINTS || bytes > MOST_BYTES) break
    kept += point
  }
  return encoder.encode(kept)
}
