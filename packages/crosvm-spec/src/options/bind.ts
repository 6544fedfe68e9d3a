import { refuse } from '../grammar/refusal.js'
import { printWhole, readWhole, type Shape } from '../grammar/shape.js'
import type { Draft } from '../machine.js'
import type { Option, OptionLimits } from './option.js'

/** The properties of a machine whose values have the type T. */
type Holding<T> = {
  [K in keyof Draft]-?: [Exclude<Draft[K], undefined>] extends [T]
    ? [T] extends [Exclude<Draft[K], undefined>]
      ? K
      : never
    : never
}[keyof Draft]

/** A property whose value is one option's value. */
export function one<T>(
  name: string,
  property: Holding<T> & string,
  shape: Shape<T>,
  limits: OptionLimits = {},
): Option<Draft> {
  return within(
    name,
    property,
    shape,
    (draft) => draft[property] as T | undefined,
    (draft, value) => {
      Object.assign(draft, { [property]: value })
    },
    limits,
  )
}

/** As {@link one}, where the command line says it with a record of one key. */
export function wrapped<K extends keyof Draft & string, W>(
  name: string,
  property: K,
  shape: Shape<W>,
  wrap: (value: Exclude<Draft[K], undefined>) => W,
  unwrap: (value: W) => Draft[K],
  limits: OptionLimits = {},
): Option<Draft> {
  return within<W>(
    name,
    property,
    shape,
    (draft) =>
      draft[property] === undefined ? undefined : wrap(draft[property] as Exclude<Draft[K], undefined>),
    (draft, value) => {
      const held = unwrap(value)
      if (held !== undefined) Object.assign(draft, { [property]: held })
    },
    limits,
  )
}

/** A property that is a list; each item is one option. */
export function many<T>(
  name: string,
  property: Holding<readonly T[]> & string,
  shape: Shape<T>,
  limits: OptionLimits = {},
): Option<Draft> {
  return {
    name,
    property,
    arity: 'many',
    ...limits,
    print: (draft) => {
      const values = (draft[property] ?? []) as readonly T[]
      if (!Array.isArray(values)) refuse('expected a list')
      if (values.length > 1024) refuse('more than 1024 of one kind')
      return values.map((value) => printWhole(shape, value))
    },
    read: (draft, text, context) => {
      const values = (draft[property] ?? []) as readonly T[]
      Object.assign(draft, { [property]: [...values, readWhole(shape, text, context)] })
    },
  }
}

/** A switch that a property turns on by holding `value`. */
export function toggle<K extends keyof Draft & string>(
  name: string,
  property: K,
  value: Exclude<Draft[K], undefined>,
  limits: OptionLimits = {},
): Option<Draft> {
  return switched(
    name,
    property,
    (draft) => {
      const held = draft[property]
      if (held !== undefined && held !== value) refuse(`must be ${String(value)} or absent`)
      return held === value
    },
    (draft) => {
      Object.assign(draft, { [property]: value })
    },
    limits,
  )
}

export function switched(
  name: string,
  property: string,
  get: (draft: Draft) => boolean,
  put: (draft: Draft) => void,
  limits: OptionLimits = {},
): Option<Draft> {
  return {
    name,
    property,
    arity: 'switch',
    ...limits,
    print: (draft) => (get(draft) ? [''] : []),
    read: (draft) => put(draft),
  }
}

export function within<T>(
  name: string,
  property: string,
  shape: Shape<T>,
  get: (draft: Draft) => T | undefined,
  put: (draft: Draft, value: T) => void,
  limits: OptionLimits = {},
): Option<Draft> {
  return {
    name,
    property,
    arity: 'one',
    ...limits,
    print: (draft) => {
      const value = get(draft)
      return value === undefined ? [] : [printWhole(shape, value)]
    },
    read: (draft, text, context) => put(draft, readWhole(shape, text, context)),
  }
}
