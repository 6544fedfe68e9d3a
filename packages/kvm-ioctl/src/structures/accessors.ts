import type { ElementField, NumberType, Structure, StructureField } from '../generated/layout.js'
import type { StructureInit, StructureValue } from './values.js'

/** All the architectures that have tables are little-endian as Linux uses them. */
const LITTLE_ENDIAN = true

/** What a value holds besides its fields; no field of the kernel has a symbol for its name. */
const BYTES = Symbol('bytes')
const VIEW = Symbol('view')

interface Bound {
  readonly [BYTES]: Uint8Array
  readonly [VIEW]: DataView
}

type Get = (value: Bound) => unknown
type Set = (value: Bound, to: unknown) => void
interface Accessor {
  readonly get: Get
  readonly set: Set
}

const RANGES: Readonly<Record<NumberType, readonly [bigint, bigint]>> = {
  u8: [0n, 0xffn],
  u16: [0n, 0xffffn],
  u32: [0n, 0xffff_ffffn],
  u64: [0n, (1n << 64n) - 1n],
  u128: [0n, (1n << 128n) - 1n],
  i8: [-0x80n, 0x7fn],
  i16: [-0x8000n, 0x7fffn],
  i32: [-0x8000_0000n, 0x7fff_ffffn],
  i64: [-(1n << 63n), (1n << 63n) - 1n],
}

/** A value that its field cannot hold is the caller's mistake, never cut to fit. */
export class FieldRangeError extends RangeError {}

function whole(type: NumberType, name: string, value: unknown): bigint {
  const [least, most] = RANGES[type]
  const exact =
    typeof value === 'bigint' ? value : Number.isSafeInteger(value) ? BigInt(value as number) : undefined
  if (exact === undefined || exact < least || exact > most) {
    throw new FieldRangeError(`${name} holds whole numbers from ${least} to ${most}, not ${shown(value)}`)
  }
  return exact
}

const shown = (value: unknown) =>
  typeof value === 'number' || typeof value === 'bigint' ? `${value}` : `a ${typeof value}`

function readNumber(view: DataView, type: NumberType, at: number): number | bigint {
  switch (type) {
    case 'u8':
      return view.getUint8(at)
    case 'u16':
      return view.getUint16(at, LITTLE_ENDIAN)
    case 'u32':
      return view.getUint32(at, LITTLE_ENDIAN)
    case 'u64':
      return view.getBigUint64(at, LITTLE_ENDIAN)
    case 'u128':
      return (view.getBigUint64(at + 8, LITTLE_ENDIAN) << 64n) | view.getBigUint64(at, LITTLE_ENDIAN)
    case 'i8':
      return view.getInt8(at)
    case 'i16':
      return view.getInt16(at, LITTLE_ENDIAN)
    case 'i32':
      return view.getInt32(at, LITTLE_ENDIAN)
    case 'i64':
      return view.getBigInt64(at, LITTLE_ENDIAN)
  }
}

function writeNumber(view: DataView, type: NumberType, at: number, value: bigint): void {
  const size = type === 'u128' ? 16 : Number(type.slice(1)) / 8
  let rest = BigInt.asUintN(size * 8, value)
  for (let offset = 0; offset < size; offset += 4) {
    const part = rest & 0xffff_ffffn
    if (size === 1) view.setUint8(at, Number(part))
    else if (size === 2) view.setUint16(at, Number(part), LITTLE_ENDIAN)
    else view.setUint32(at + offset, Number(part), LITTLE_ENDIAN)
    rest >>= 32n
  }
}

const TYPED_ARRAYS = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  u64: BigUint64Array,
  i64: BigInt64Array,
} as const

function readElements(value: Bound, of: ElementField, count: number): unknown {
  const bytes = value[BYTES]
  if (of.type === 'structure') {
    return Array.from({ length: count }, (_, index) => {
      const at = of.offset + index * of.size
      return overBytes(of.structure, bytes.subarray(at, at + of.size))
    })
  }
  if (of.type === 'u128') {
    return Array.from({ length: count }, (_, index) =>
      readNumber(value[VIEW], of.type, of.offset + index * of.size),
    )
  }
  const type = TYPED_ARRAYS[of.type]
  const start = bytes.byteOffset + of.offset
  if (start % of.size === 0) return new type(bytes.buffer as ArrayBuffer, start, count)
  // A packed structure whose numbers lie across words: a copy, because no typed array can lie there.
  return new type(new Uint8Array(bytes.subarray(of.offset, of.offset + count * of.size)).buffer)
}

function writeElements(value: Bound, name: string, of: ElementField, count: number, from: unknown): void {
  const list = from as ArrayLike<unknown>
  if (typeof list !== 'object' || list === null || !Number.isSafeInteger(list.length)) {
    throw new FieldRangeError(`${name} is a list, not ${shown(from)}`)
  }
  if (list.length > count) throw new FieldRangeError(`${name} has room for ${count}, not ${list.length}`)
  for (let index = 0; index < list.length; index += 1) {
    const at = of.offset + index * of.size
    if (of.type === 'structure') {
      assign(overBytes(of.structure, value[BYTES].subarray(at, at + of.size)), list[index])
    } else {
      writeNumber(value[VIEW], of.type, at, whole(of.type, `${name}[${index}]`, list[index]))
    }
  }
}

function accessorOf(name: string, field: StructureField): Accessor {
  switch (field.type) {
    case 'bits': {
      const mask = (1n << BigInt(field.width)) - 1n
      const shift = BigInt(field.shift)
      const type = `u${field.size * 8}` as NumberType
      const read = (value: Bound) => BigInt(readNumber(value[VIEW], type, field.offset))
      return {
        get: (value) => Number((read(value) >> shift) & mask),
        set: (value, to) => {
          if (!Number.isSafeInteger(to) || BigInt(to as number) < 0n || BigInt(to as number) > mask)
            throw new FieldRangeError(`${name} holds ${field.width} bits, not ${shown(to)}`)
          const others = read(value) & ~(mask << shift)
          writeNumber(value[VIEW], type, field.offset, others | (BigInt(to as number) << shift))
        },
      }
    }
    case 'array':
      return {
        get: (value) => readElements(value, field.of, field.count),
        set: (value, to) => writeElements(value, name, field.of, field.count, to),
      }
    case 'flexible': {
      const count = (value: Bound) => Math.floor((value[BYTES].length - field.of.offset) / field.of.size)
      return {
        get: (value) => readElements(value, field.of, count(value)),
        set: (value, to) => writeElements(value, name, field.of, count(value), to),
      }
    }
    case 'structure': {
      // A tail of a flexible member lies beyond the structure's own size: so the rest of the bytes is passed on.
      const part = (value: Bound) => overBytes(field.structure, value[BYTES].subarray(field.offset))
      return { get: part, set: (value, to) => assign(part(value), to) }
    }
    default:
      return {
        get: (value) => readNumber(value[VIEW], field.type, field.offset),
        set: (value, to) => writeNumber(value[VIEW], field.type, field.offset, whole(field.type, name, to)),
      }
  }
}

type Constructor = new (bytes: Uint8Array) => object

const constructors = new WeakMap<Structure, Constructor>()

/** One class per structure, with an accessor per field: what engines make fast. */
function constructorOf(structure: Structure): Constructor {
  const known = constructors.get(structure)
  if (known) return known
  class Value implements Bound {
    readonly [BYTES]: Uint8Array
    readonly [VIEW]: DataView

    constructor(bytes: Uint8Array) {
      this[BYTES] = bytes
      this[VIEW] = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }

    /** The fields as a plain object, for printing and comparing; members of unions only where nothing else is. */
    toJSON(): object {
      const own = Object.keys(structure.fields)
      const names = own.length > 0 ? own : Object.keys(structure.either)
      return Object.fromEntries(names.map((name) => [name, plain((this as Record<string, unknown>)[name])]))
    }
  }
  for (const [name, field] of Object.entries({ ...structure.fields, ...structure.either })) {
    const { get, set } = accessorOf(name, field)
    Object.defineProperty(Value.prototype, name, {
      enumerable: true,
      get(this: Bound) {
        return get(this)
      },
      set(this: Bound, to: unknown) {
        set(this, to)
      },
    })
  }
  constructors.set(structure, Value)
  return Value
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (ArrayBuffer.isView(value)) return [...(value as unknown as Iterable<unknown>)]
  return isValue(value) ? (value as unknown as { toJSON(): object }).toJSON() : value
}

function isValue(value: unknown): value is Bound {
  return typeof value === 'object' && value !== null && BYTES in value
}

/** The structure that lies in `bytes`, which it shows and changes. */
export function overBytes<S extends Structure>(structure: S, bytes: Uint8Array): StructureValue<S> {
  return new (constructorOf(structure))(bytes) as StructureValue<S>
}

/** The bytes that a structure lies in: shared with it, not copied. */
export function bytesOf(value: object): Uint8Array {
  if (!isValue(value)) throw new TypeError('this is no structure of the kernel')
  return value[BYTES]
}

function assign(value: object, from: unknown): void {
  if (typeof from !== 'object' || from === null)
    throw new FieldRangeError('a structure is made from an object')
  // Also of `{ ...regs, rip: 0n }`: a spread takes the bytes along, and what it names comes on top.
  if (isValue(from)) bytesOf(value).set(from[BYTES].subarray(0, bytesOf(value).length))
  for (const [name, to] of Object.entries(from)) {
    if (to === undefined) continue
    if (!(name in value)) throw new FieldRangeError(`there is no field ${name}`)
    ;(value as Record<string, unknown>)[name] = to
  }
}

/** A structure of its own: zero but for what `init` names, with room for `elements` of its flexible member. */
export function makeStructure<S extends Structure>(
  structure: S,
  init: StructureInit<S> | StructureValue<S> = {},
  elements = 0,
): StructureValue<S> {
  const tail = flexibleElementSize(structure) * elements
  const value = overBytes(structure, new Uint8Array(structure.size + tail))
  assign(value as object, init)
  return value
}

function flexibleElementSize(structure: Structure): number {
  for (const field of Object.values({ ...structure.fields, ...structure.either })) {
    if (field.type === 'flexible') return field.of.size
  }
  return 0
}
