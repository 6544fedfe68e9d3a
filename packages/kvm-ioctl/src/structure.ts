/** Where a field lies in a structure of the kernel; from the generated layouts. */
export interface Field {
  readonly offset: number
  readonly size: number
}

/** The generated tables are for little-endian machines, and so are these accesses. */
const LITTLE_ENDIAN = true

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Reads an unsigned field of 1, 2, 4 or 8 bytes. */
export function readField(bytes: Uint8Array, field: Field): bigint {
  const view = viewOf(bytes)
  switch (field.size) {
    case 1:
      return BigInt(view.getUint8(field.offset))
    case 2:
      return BigInt(view.getUint16(field.offset, LITTLE_ENDIAN))
    case 4:
      return BigInt(view.getUint32(field.offset, LITTLE_ENDIAN))
    case 8:
      return view.getBigUint64(field.offset, LITTLE_ENDIAN)
    default:
      throw new RangeError(`a field of ${field.size} bytes is no number`)
  }
}

/** Writes an unsigned field of 1, 2, 4 or 8 bytes; a value that does not fit throws. */
export function writeField(bytes: Uint8Array, field: Field, value: bigint): void {
  const view = viewOf(bytes)
  if (value < 0n || value >= 1n << BigInt(field.size * 8)) {
    throw new RangeError(`${value} does not fit ${field.size} bytes`)
  }
  switch (field.size) {
    case 1:
      view.setUint8(field.offset, Number(value))
      return
    case 2:
      view.setUint16(field.offset, Number(value), LITTLE_ENDIAN)
      return
    case 4:
      view.setUint32(field.offset, Number(value), LITTLE_ENDIAN)
      return
    case 8:
      view.setBigUint64(field.offset, value, LITTLE_ENDIAN)
      return
    default:
      throw new RangeError(`a field of ${field.size} bytes is no number`)
  }
}
