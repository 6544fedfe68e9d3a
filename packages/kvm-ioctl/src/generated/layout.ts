/** A number of `size` bytes at `offset` from the start of the structure that holds it. Little-endian. */
export interface NumberField<T extends NumberType = NumberType> {
  /** How it is read. */
  readonly type: T
  /** Bytes from the start of the structure that holds it. */
  readonly offset: number
  /** Bytes. */
  readonly size: number
}

/** How the bytes of a number are read, by C's names for it: `u8` to `u128` without a sign, `i8` to `i64` with one. */
export type NumberType = 'u8' | 'u16' | 'u32' | 'u64' | 'u128' | 'i8' | 'i16' | 'i32' | 'i64'

/** `width` bits of a number, the lowest of them at `shift`. */
export interface BitField {
  /** How it is read. */
  readonly type: 'bits'
  /** Bytes from the start of the structure that holds it. */
  readonly offset: number
  /** Bytes. */
  readonly size: number
  /** Of its lowest bit, from 0. */
  readonly shift: number
  /** Bits. */
  readonly width: number
}

/** `count` elements one after the other. `of` is the first; `size` is that of all. */
export interface ArrayField<F extends ElementField = ElementField> {
  /** How it is read. */
  readonly type: 'array'
  /** Bytes from the start of the structure that holds it. */
  readonly offset: number
  /** Bytes. */
  readonly size: number
  /** How many elements. */
  readonly count: number
  /** The first element. */
  readonly of: F
}

/** As many elements as follow the structure: none of them counts for its size. `of` is the first. */
export interface FlexibleField<F extends ElementField = ElementField> {
  /** How it is read. */
  readonly type: 'flexible'
  /** Bytes from the start of the structure that holds it. */
  readonly offset: number
  /** Bytes. */
  readonly size: 0
  /** The first element. */
  readonly of: F
}

/** A structure inside another; offsets in `structure` count from this field's. */
export interface NestedField<S extends Structure = Structure> {
  /** How it is read. */
  readonly type: 'structure'
  /** Bytes from the start of the structure that holds it. */
  readonly offset: number
  /** Bytes. */
  readonly size: number
  /** What lies there. */
  readonly structure: S
}

/** What an array may have for its elements. */
export type ElementField = NumberField | NestedField
/** What a structure may have for a field. */
export type StructureField = NumberField | BitField | ArrayField | FlexibleField | NestedField

/** Fields by the names that the kernel's header gives them. */
export type Fields = { readonly [name: string]: StructureField }

/** A structure of C. Fields in `either` share bytes with others of `either`: they come out of a union. */
export interface Structure<Own extends Fields = Fields, Either extends Fields = Fields> {
  /** Bytes. */
  readonly size: number
  /** By their names. */
  readonly fields: Own
  /** Those that share bytes with one another. */
  readonly either: Either
}

const number =
  <T extends NumberType>(type: T, size: number) =>
  (offset: number): NumberField<T> => ({ type, offset, size })

export const u8 = number('u8', 1)
export const u16 = number('u16', 2)
export const u32 = number('u32', 4)
export const u64 = number('u64', 8)
export const u128 = number('u128', 16)
export const i8 = number('i8', 1)
export const i16 = number('i16', 2)
export const i32 = number('i32', 4)
export const i64 = number('i64', 8)

export const bits = ({ offset, size }: NumberField, shift: number, width: number): BitField => ({
  type: 'bits',
  offset,
  size,
  shift,
  width,
})

export const array = <F extends ElementField>(of: F, count: number): ArrayField<F> => ({
  type: 'array',
  offset: of.offset,
  size: of.size * count,
  count,
  of,
})

export const flexible = <F extends ElementField>(of: F): FlexibleField<F> => ({
  type: 'flexible',
  offset: of.offset,
  size: 0,
  of,
})

export const at = <S extends Structure>(offset: number, structure: S): NestedField<S> => ({
  type: 'structure',
  offset,
  size: structure.size,
  structure,
})

/** No fields. */
// biome-ignore lint/complexity/noBannedTypes: no fields is what is meant
export type NoFields = {}

// Two signatures, because an inline call would infer fields of any name for an `either` that is not there.
export function structure<Own extends Fields>(size: number, fields: Own): Structure<Own, NoFields>
export function structure<Own extends Fields, Either extends Fields>(
  size: number,
  fields: Own,
  either: Either,
): Structure<Own, Either>
export function structure(size: number, fields: Fields, either: Fields = {}): Structure {
  return { size, fields, either }
}

export const union = <Either extends Fields>(size: number, either: Either): Structure<NoFields, Either> => ({
  size,
  fields: {},
  either,
})

/** `a.b` for each field in a field. Elements of arrays have no path of their own. */
type PathsIn<F extends Fields> = {
  [K in keyof F & string]: F[K] extends NestedField<infer S> ? K | `${K}.${Paths<S>}` : K
}[keyof F & string]
/** The paths of all fields of a structure: `a`, and `a.b` for what lies in it. */
export type Paths<S extends Structure> = PathsIn<S['fields']> | PathsIn<S['either']>

/** A structure with its fields by path, each at its offset from the start of the outermost. */
export interface FlatStructure<S extends Structure> {
  readonly size: number
  readonly fields: { readonly [P in Paths<S>]: StructureField }
}

export function flatten<T extends { readonly [name: string]: Structure }>(
  structures: T,
): { readonly [N in keyof T]: FlatStructure<T[N]> } {
  const flat = Object.entries(structures).map(([name, layout]) => {
    const fields = Object.fromEntries(pathsOf(layout, '', 0))
    return [name, { size: layout.size, fields }]
  })
  return Object.fromEntries(flat)
}

function* pathsOf(layout: Structure, prefix: string, base: number): Generator<[string, StructureField]> {
  for (const [name, field] of Object.entries({ ...layout.fields, ...layout.either })) {
    yield [prefix + name, moved(field, base)]
    if (field.type === 'structure') {
      yield* pathsOf(field.structure, `${prefix}${name}.`, base + field.offset)
    }
  }
}

function moved<F extends StructureField>(field: F, by: number): F {
  if (by === 0) return field
  const there = { ...field, offset: field.offset + by }
  return 'of' in there ? { ...there, of: moved(there.of, by) } : there
}
