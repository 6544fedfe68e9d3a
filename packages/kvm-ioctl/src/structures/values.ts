import type {
  ArrayField,
  BitField,
  ElementField,
  Fields,
  FlexibleField,
  NestedField,
  NumberField,
  NumberType,
  Structure,
} from '../generated/layout.js'

/** Numbers of up to 32 bits are `number`, longer ones `bigint`: a double cannot hold them. */
type Scalar<T extends NumberType> = T extends 'u64' | 'i64' | 'u128' ? bigint : number

interface TypedArrays {
  readonly u8: Uint8Array
  readonly i8: Int8Array
  readonly u16: Uint16Array
  readonly i16: Int16Array
  readonly u32: Uint32Array
  readonly i32: Int32Array
  readonly u64: BigUint64Array
  readonly i64: BigInt64Array
}

/** Arrays of numbers are typed arrays over the same bytes; those of 128 bits are a copy. */
type Elements<F extends ElementField> =
  F extends NumberField<infer T>
    ? T extends keyof TypedArrays
      ? TypedArrays[T]
      : readonly bigint[]
    : F extends NestedField<infer S>
      ? readonly StructureValue<S>[]
      : never

type FieldValue<F> =
  F extends NumberField<infer T>
    ? Scalar<T>
    : F extends BitField
      ? number
      : F extends ArrayField<infer E>
        ? Elements<E>
        : F extends FlexibleField<infer E>
          ? Elements<E>
          : F extends NestedField<infer S>
            ? StructureValue<S>
            : never

/** Fields that hold one number can be assigned; those that hold several are assigned into. */
export type FieldsValue<F extends Fields> = {
  -readonly [K in keyof F as F[K] extends NumberField | BitField ? K : never]: FieldValue<F[K]>
} & {
  readonly [K in keyof F as F[K] extends NumberField | BitField ? never : K]: FieldValue<F[K]>
}

/**
 * A structure of the kernel, by the kernel's own names: an object over its bytes, host-endian. What is assigned is
 * written, and two members of a union show the same bytes. `bytesOf` gives the bytes themselves.
 */
export type StructureValue<S extends Structure> = FieldsValue<S['fields']> & FieldsValue<S['either']>

type Written<T> = T extends bigint ? bigint | number : T

type FieldInit<F> =
  F extends NumberField<infer T>
    ? Written<Scalar<T>>
    : F extends BitField
      ? number
      : F extends ArrayField<infer E> | FlexibleField<infer E>
        ? E extends NestedField<infer S>
          ? readonly StructureInit<S>[]
          : E extends NumberField<infer T>
            ? ArrayLike<Written<Scalar<T>>>
            : never
        : F extends NestedField<infer S>
          ? StructureInit<S>
          : never

/** What fields are made from, by their names. */
export type FieldsInit<F extends Fields> = { readonly [K in keyof F]?: FieldInit<F[K]> | undefined }

/** What a structure is made from: the fields by name. What is left out is zero, as the kernel wants it. */
export type StructureInit<S extends Structure> = FieldsInit<S['fields']> & FieldsInit<S['either']>
