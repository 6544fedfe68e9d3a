/** Strict readers of data that somebody else wrote: what is not known, missing, of another kind or too long is a fault. */
export class ShapeFault extends Error {}

/** Gives the value that goes on being used; throws `ShapeFault` with the place of what is wrong. */
export type Reader<T> = (value: unknown, at: string) => T

const fault = (at: string, expected: string): never => {
  throw new ShapeFault(`${at === '' ? 'it' : at} must be ${expected}`)
}

const encoder = new TextEncoder()

/** Text without NUL, of so many bytes in UTF-8. */
export const text =
  (max: number, least = 0): Reader<string> =>
  (value, at) => {
    if (typeof value !== 'string' || value.includes('\0')) return fault(at, 'text without NUL')
    const { length } = value.length > max ? value : encoder.encode(value)
    return length >= least && length <= max ? value : fault(at, `text of ${least} to ${max} bytes`)
  }

export const integer =
  (least: number, most: number): Reader<number> =>
  (value, at) =>
    Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
      ? (value as number)
      : fault(at, `a whole number from ${least} to ${most}`)

export const flag: Reader<boolean> = (value, at) =>
  typeof value === 'boolean' ? value : fault(at, 'true or false')

export const oneOf =
  <const T extends string>(...values: readonly T[]): Reader<T> =>
  (value, at) =>
    values.find((known) => known === value) ?? fault(at, `one of ${values.join(', ')}`)

export const list =
  <T>(of: Reader<T>, max: number, least = 0): Reader<readonly T[]> =>
  (value, at) =>
    Array.isArray(value) && value.length >= least && value.length <= max
      ? value.map((one, index) => of(one, `${at}[${index}]`))
      : fault(at, `a list of ${least} to ${max}`)

/** Entries by name. Not an object's own fields alone: a name may be `__proto__`. */
export const entries =
  (name: Reader<string>, of: Reader<string>, max: number): Reader<Readonly<Record<string, string>>> =>
  (value, at) => {
    const found = Object.entries(plain(value, at))
    if (found.length > max) return fault(at, `at most ${max} entries`)
    return Object.fromEntries(found.map(([key, one]) => [name(key, `${at} name`), of(one, `${at}.${key}`)]))
  }

export const optional =
  <T>(of: Reader<T>): Reader<T | undefined> =>
  (value, at) =>
    value === undefined ? undefined : of(value, at)

type Fields = Readonly<Record<string, Reader<unknown>>>
type Read<F extends Fields> = { readonly [Key in keyof F]: ReturnType<F[Key]> }

/** Exactly these fields; those whose reader is `optional` may be absent. */
export const object =
  <F extends Fields>(fields: F): Reader<Read<F>> =>
  (value, at) => {
    const found = plain(value, at)
    const strange = Object.keys(found).find((key) => !Object.hasOwn(fields, key))
    if (strange !== undefined) return fault(at, `without a field ${JSON.stringify(strange.slice(0, 40))}`)
    const read = Object.entries(fields).map(([key, of]) => [
      key,
      of(Object.hasOwn(found, key) ? found[key] : undefined, at === '' ? key : `${at}.${key}`),
    ])
    return Object.fromEntries(read.filter(([, one]) => one !== undefined)) as Read<F>
  }

function plain(value: unknown, at: string): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : fault(at, 'an object')
}
