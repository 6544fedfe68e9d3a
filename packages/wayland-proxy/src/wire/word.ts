/** The wire is in the machine's byte order, and so are typed arrays. */
export const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

export const WORD = 4

/** Rounds up to whole words. Exact for every 32-bit length: JavaScript's numbers do not overflow there. */
export function padded(length: number): number {
  return Math.ceil(length / WORD) * WORD
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
