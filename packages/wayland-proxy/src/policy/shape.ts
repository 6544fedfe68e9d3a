import { err, ok, type Result } from 'neverthrow'

/** A value that is none of its shape. `path` is a JSON pointer. */
export interface ShapeError {
  readonly path: string
  readonly message: string
}

/** What a value may be: reads it strictly, and says the same as a JSON schema. */
export interface Shape<Value> {
  readonly schema: Readonly<Record<string, unknown>>
  read(value: unknown, path: string): Result<Value, ShapeError>
}

function wrong<Value>(path: string, message: string): Result<Value, ShapeError> {
  return err({ path: path === '' ? '/' : path, message })
}

export function integer(least: number, most: number): Shape<number> {
  return {
    schema: { type: 'integer', minimum: least, maximum: most },
    read: (value, path) =>
      Number.isInteger(value) && (value as number) >= least && (value as number) <= most
        ? ok(value as number)
        : wrong(path, `must be a whole number from ${least} to ${most}`),
  }
}

export const boolean: Shape<boolean> = {
  schema: { type: 'boolean' },
  read: (value, path) => (typeof value === 'boolean' ? ok(value) : wrong(path, 'must be true or false')),
}

export function oneOf<const Word extends string>(...words: readonly Word[]): Shape<Word> {
  return {
    schema: { enum: words },
    read: (value, path) =>
      words.includes(value as Word) ? ok(value as Word) : wrong(path, `must be one of ${words.join(', ')}`),
  }
}

export function text(most: number, pattern: string, what: string): Shape<string> {
  const expression = new RegExp(pattern, 'u')
  return {
    schema: { type: 'string', maxLength: most, pattern },
    read: (value, path) =>
      typeof value === 'string' && [...value].length <= most && expression.test(value)
        ? ok(value)
        : wrong(path, `must be ${what}, of ${most} characters at most`),
  }
}

export function list<Item>(item: Shape<Item>, most: number): Shape<readonly Item[]> {
  return {
    schema: { type: 'array', items: item.schema, maxItems: most },
    read(value, path) {
      if (!Array.isArray(value) || value.length > most)
        return wrong(path, `must be a list of ${most} at most`)
      const items: Item[] = []
      for (const [index, one] of value.entries()) {
        const read = item.read(one, `${path}/${index}`)
        if (read.isErr()) return err(read.error)
        items.push(read.value)
      }
      return ok(items)
    },
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An object with any names that match, such as a table by interface. */
export function table<Value>(
  pattern: string,
  value: Shape<Value>,
  most: number,
): Shape<Readonly<Record<string, Value>>> {
  const expression = new RegExp(pattern, 'u')
  return {
    schema: {
      type: 'object',
      patternProperties: { [pattern]: value.schema },
      additionalProperties: false,
      maxProperties: most,
    },
    read(given, path) {
      if (!isObject(given)) return wrong(path, 'must be an object')
      const entries = Object.entries(given)
      if (entries.length > most) return wrong(path, `must have ${most} entries at most`)
      const found: [string, Value][] = []
      for (const [name, one] of entries) {
        if (!expression.test(name)) return wrong(path, `${JSON.stringify(name)} is no proper name`)
        const read = value.read(one, `${path}/${name}`)
        if (read.isErr()) return err(read.error)
        found.push([name, read.value])
      }
      return ok(Object.fromEntries(found))
    },
  }
}

export type Fields<Value> = { readonly [Key in keyof Value]: Shape<Value[Key]> }

/** An object of these fields and no others. What is not given is as in `defaults`. */
export function fields<Value extends object>(shapes: Fields<Value>, defaults: Value): Shape<Value> {
  const names = Object.keys(shapes) as (keyof Value & string)[]
  const properties = Object.fromEntries(
    names.map((name) => {
      const fallback = defaults[name]
      const simple = typeof fallback !== 'object' && fallback !== undefined
      return [name, simple ? { ...shapes[name].schema, default: fallback } : shapes[name].schema]
    }),
  )
  return {
    schema: { type: 'object', properties, additionalProperties: false },
    read(given, path) {
      if (!isObject(given)) return wrong(path, 'must be an object')
      const strange = Object.keys(given).find((name) => !Object.hasOwn(shapes, name))
      if (strange !== undefined) {
        return wrong(`${path}/${strange}`, `is not known; known are ${names.join(', ')}`)
      }
      const value = { ...defaults }
      for (const name of names) {
        if (!Object.hasOwn(given, name)) continue
        const read = shapes[name].read(given[name], `${path}/${name}`)
        if (read.isErr()) return err(read.error)
        value[name] = read.value
      }
      return ok(value)
    },
  }
}

export function either<A, B>(a: Shape<A>, b: Shape<B>, what: string): Shape<A | B> {
  return {
    schema: { anyOf: [a.schema, b.schema] },
    read(value, path) {
      const first = a.read(value, path)
      if (first.isOk()) return ok(first.value)
      const second = b.read(value, path)
      return second.isOk() ? ok(second.value) : wrong(path, `must be ${what}`)
    },
  }
}
