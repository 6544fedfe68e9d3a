/** A 64-bit ELF file of nothing but notes, for tests. */
export interface TinyElf {
  readonly notes?: readonly Uint8Array[] | undefined
  readonly bigEndian?: boolean | undefined
  /** Only segments, as of a program that was stripped of its sections. */
  readonly bySegments?: boolean | undefined
  readonly alignment?: number | undefined
}

export function note(
  name: string,
  type: number,
  description: Uint8Array,
  { bigEndian = false, alignment = 4 }: Pick<TinyElf, 'bigEndian' | 'alignment'> = {},
): Uint8Array {
  const pad = (length: number) => Math.ceil(length / alignment) * alignment
  const start = pad(12 + name.length)
  const bytes = Buffer.alloc(pad(start + description.length))
  const put = (value: number, at: number) =>
    bigEndian ? bytes.writeUInt32BE(value, at) : bytes.writeUInt32LE(value, at)
  put(name.length, 0)
  put(description.length, 4)
  put(type, 8)
  bytes.write(name, 12, 'latin1')
  bytes.set(description, start)
  return bytes
}

export const buildIdNote = (id: string, options?: Parameters<typeof note>[3]) =>
  note('GNU\0', 3, Buffer.from(id, 'hex'), options)

export function tinyElf({
  notes = [],
  bigEndian = false,
  bySegments = false,
  alignment = 4,
}: TinyElf): Buffer {
  const content = Buffer.concat(notes)
  const entry = bySegments ? 56 : 64
  const bytes = Buffer.alloc(64 + entry + content.length)
  const u16 = (value: number, at: number) =>
    bigEndian ? bytes.writeUInt16BE(value, at) : bytes.writeUInt16LE(value, at)
  const u32 = (value: number, at: number) =>
    bigEndian ? bytes.writeUInt32BE(value, at) : bytes.writeUInt32LE(value, at)
  const u64 = (value: number, at: number) =>
    bigEndian ? bytes.writeBigUInt64BE(BigInt(value), at) : bytes.writeBigUInt64LE(BigInt(value), at)
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, bigEndian ? 2 : 1, 1])
  u64(64, bySegments ? 32 : 40)
  u16(56, 54)
  u16(64, 58)
  u16(1, bySegments ? 56 : 60)
  u32(bySegments ? 4 : 7, bySegments ? 64 : 68)
  u64(64 + entry, bySegments ? 72 : 88)
  u64(content.length, 96)
  u64(alignment, 112)
  bytes.set(content, 64 + entry)
  return bytes
}

/** The file with its one section `times` times in the table, which is at its end. */
export function sameNotesOften(elf: Buffer, times: number): Buffer {
  const section = elf.subarray(64, 128)
  const bytes = Buffer.concat([elf, ...Array.from({ length: times }, () => section)])
  bytes.writeBigUInt64LE(BigInt(elf.length), 40)
  bytes.writeUInt16LE(times, 60)
  return bytes
}
