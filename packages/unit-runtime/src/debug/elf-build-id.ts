import { err, ok, type Result } from 'neverthrow'

/** A file that is read in pieces, at any offset. */
export interface RandomAccess {
  /** Bytes of the whole file. */
  readonly sizeBytes: number
  /** Exactly so many bytes from there on; less at the end of the file only. */
  read(offset: number, length: number): Promise<Uint8Array>
}

/** Why a file has no build id for us. `offset`: the byte of the file that is wrong. */
export type ElfRefusal =
  | { readonly kind: 'not-elf'; readonly message: string }
  | { readonly kind: 'unsupported'; readonly message: string }
  | { readonly kind: 'malformed'; readonly message: string; readonly offset: number }
  | { readonly kind: 'no-build-id'; readonly message: string }
  | { readonly kind: 'aborted'; readonly message: string }

const HEADER_BYTES = 64
const SECTION_BYTES = 64
const SEGMENT_BYTES = 56
const MOST_ENTRIES = 65_535
/** Linkers write a handful. */
const MOST_NOTE_RANGES = 256
/** Of all ranges together. No linker writes so much; notes of several megabytes are no notes. */
const MOST_NOTE_BYTES = 1 << 20
const SHT_NOTE = 7
const PT_NOTE = 4
const NT_GNU_BUILD_ID = 3
const LEAST_ID_BYTES = 2
const MOST_ID_BYTES = 64

/** Inside this file only. */
class Malformed extends Error {
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message)
  }
}

/** Inside this file only, too. */
class Aborted extends Error {}

/** Numbers of one file, in its byte order. */
class Fields {
  readonly #view: DataView

  constructor(
    readonly bytes: Uint8Array,
    /** Where in the file they lie. */
    readonly at: number,
    private readonly little: boolean,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  u16(offset: number): number {
    return this.#view.getUint16(offset, this.little)
  }

  u32(offset: number): number {
    return this.#view.getUint32(offset, this.little)
  }

  /** A place or a size in a file: what no number holds cannot be one. */
  u64(offset: number): number {
    const value = this.#view.getBigUint64(offset, this.little)
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw new Malformed('a number is too large', this.at + offset)
    return Number(value)
  }
}

interface NoteRange {
  readonly offset: number
  readonly size: number
  readonly alignment: number
}

/**
 * The GNU build id of a 64-bit ELF file, in hexadecimal: of a program, a library, or what `objcopy --only-keep-debug`
 * has left of one, where only sections can be believed. Reads headers and notes, never the whole file, and nothing
 * more once the signal is aborted.
 *
 * Sources: the System V ABI (gABI, chapters 4 and 5), and elf(5) for `NT_GNU_BUILD_ID`.
 */
export async function readBuildId(
  whole: RandomAccess,
  signal?: AbortSignal,
): Promise<Result<string, ElfRefusal>> {
  const file: RandomAccess = {
    sizeBytes: whole.sizeBytes,
    read(offset, length) {
      if (signal?.aborted) throw new Aborted()
      return whole.read(offset, length)
    },
  }
  try {
    const header = await take(file, 0, Math.min(HEADER_BYTES, file.sizeBytes))
    if (header.length < HEADER_BYTES || !isElf(header))
      return err({ kind: 'not-elf', message: 'It is no ELF file.' })
    const [kind, order, version] = header.subarray(4)
    if (kind !== 2 || (order !== 1 && order !== 2) || version !== 1)
      return err({ kind: 'unsupported', message: 'Only 64-bit ELF files of version 1 are read.' })
    const little = order === 1
    const ids = new Set<string>()
    for (const range of await noteRanges(file, new Fields(header, 0, little), little))
      for (const id of await idsIn(file, range, little)) ids.add(id)
    const [id, ...others] = ids
    if (id === undefined)
      return err({ kind: 'no-build-id', message: 'It has no build id: link with --build-id.' })
    if (others.length > 0) throw new Malformed('it has several build ids', 0)
    return ok(id)
  } catch (cause) {
    if (cause instanceof Aborted)
      return err({ kind: 'aborted', message: 'Reading the ELF file was aborted.' })
    if (!(cause instanceof Malformed)) throw cause
    const { message, offset } = cause
    return err({
      kind: 'malformed',
      message: `The ELF file is malformed at byte ${offset}: ${message}.`,
      offset,
    })
  }
}

function isElf(header: Uint8Array): boolean {
  return header[0] === 0x7f && header[1] === 0x45 && header[2] === 0x4c && header[3] === 0x46
}

/** Where notes are: by the sections, or by the segments of a file that has no sections. */
async function noteRanges(file: RandomAccess, header: Fields, little: boolean): Promise<NoteRange[]> {
  const sections = { at: header.u64(40), size: header.u16(58), count: header.u16(60), field: 58 }
  if (sections.at !== 0 && sections.count === 0) throw new Malformed('it has more sections than are read', 60)
  if (sections.count > 0) {
    const table = await tableOf(file, sections, SECTION_BYTES, little)
    const notes = table.filter((entry) => entry.u32(4) === SHT_NOTE)
    return checkRanges(file, notes, { offset: 24, size: 32, alignment: 48 })
  }
  const segments = { at: header.u64(32), size: header.u16(54), count: header.u16(56), field: 54 }
  if (segments.count === 0) return []
  const table = await tableOf(file, segments, SEGMENT_BYTES, little)
  const notes = table.filter((entry) => entry.u32(0) === PT_NOTE)
  return checkRanges(file, notes, { offset: 8, size: 32, alignment: 48 })
}

async function tableOf(
  file: RandomAccess,
  table: { readonly at: number; readonly size: number; readonly count: number; readonly field: number },
  entryBytes: number,
  little: boolean,
): Promise<Fields[]> {
  if (table.size !== entryBytes) throw new Malformed(`table entries of ${table.size} bytes`, table.field)
  if (table.count > MOST_ENTRIES) throw new Malformed('more entries than a table may have', table.field)
  const bytes = await take(file, table.at, table.count * entryBytes)
  return Array.from({ length: table.count }, (_, index) => {
    const at = index * entryBytes
    return new Fields(bytes.subarray(at, at + entryBytes), table.at + at, little)
  })
}

/** `field`: where in an entry of the table each number is. */
function checkRanges(
  file: RandomAccess,
  entries: readonly Fields[],
  field: Readonly<NoteRange>,
): NoteRange[] {
  let total = 0
  return entries.map((entry, index) => {
    const offset = entry.u64(field.offset)
    const size = entry.u64(field.size)
    total += size
    if (index >= MOST_NOTE_RANGES)
      throw new Malformed(`more than ${MOST_NOTE_RANGES} ranges of notes`, entry.at)
    if (total > MOST_NOTE_BYTES) throw new Malformed(`more than ${MOST_NOTE_BYTES} bytes of notes`, entry.at)
    if (offset > file.sizeBytes - size) throw new Malformed('notes behind the end of the file', entry.at)
    return { offset, size, alignment: entry.u64(field.alignment) }
  })
}

/** A note: lengths of name and description, a type, then both, each padded to 4 bytes (8 where so aligned). */
async function idsIn(file: RandomAccess, range: NoteRange, little: boolean): Promise<string[]> {
  const notes = new Fields(await take(file, range.offset, range.size), range.offset, little)
  const pad = (length: number) => (range.alignment === 8 ? (length + 7) & ~7 : (length + 3) & ~3)
  const ids: string[] = []
  for (let at = 0; at < range.size; ) {
    if (range.size - at < 12) throw new Malformed('a note is cut short', range.offset + at)
    const [nameBytes, descriptionBytes, type] = [notes.u32(at), notes.u32(at + 4), notes.u32(at + 8)]
    // Padded from the beginning of the note; the last description need not be.
    const description = pad(12 + nameBytes)
    const end = description + descriptionBytes
    if (nameBytes > range.size || descriptionBytes > range.size || at + end > range.size)
      throw new Malformed('a note is longer than where it lies', range.offset + at)
    if (type === NT_GNU_BUILD_ID && nameIs(notes.bytes, at + 12, nameBytes, 'GNU\0')) {
      if (descriptionBytes < LEAST_ID_BYTES || descriptionBytes > MOST_ID_BYTES)
        throw new Malformed(`a build id of ${descriptionBytes} bytes`, range.offset + at)
      ids.push(hex(notes.bytes.subarray(at + description, at + end)))
    }
    at += pad(end)
  }
  return ids
}

function nameIs(bytes: Uint8Array, at: number, length: number, name: string): boolean {
  return (
    length === name.length &&
    [...name].every((character, index) => bytes[at + index] === character.charCodeAt(0))
  )
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

async function take(file: RandomAccess, offset: number, length: number): Promise<Uint8Array> {
  if (offset > file.sizeBytes - length)
    throw new Malformed('something lies behind the end of the file', offset)
  const bytes = await file.read(offset, length)
  if (bytes.length !== length) throw new Malformed('the file became shorter', offset)
  return bytes
}
