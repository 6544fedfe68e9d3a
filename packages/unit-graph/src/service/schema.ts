/**
 * What a call may carry, as plain data: the same value gives the TypeScript type, the check at run time and
 * the JSON form of a graph.
 */
export type ArgumentSchema =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'text'
      /** Most bytes of the text in UTF-8. */
      readonly maxBytes: number
    }
  | {
      readonly kind: 'integer'
      /** The least that fits. */
      readonly min: number
      /** The most that fits. */
      readonly max: number
    }
  | {
      readonly kind: 'choice'
      /** The texts that fit. */
      readonly of: readonly string[]
    }
  | {
      readonly kind: 'record'
      /** By name; every one must be there, and no other. */
      readonly fields: Readonly<Record<string, ArgumentSchema>>
    }

/** A stream of bytes between consumer and provider. Without `max` it ends when its sender ends it. */
export interface StreamSchema {
  readonly kind: 'bytes'
  /** Most bytes in one call; one more refuses the call. */
  readonly max?: number | undefined
}

/** The TypeScript type of an argument that conforms to a schema. */
export type ArgumentOf<Schema extends ArgumentSchema> = Schema extends { readonly kind: 'none' }
  ? undefined
  : Schema extends { readonly kind: 'text' }
    ? string
    : Schema extends { readonly kind: 'integer' }
      ? number
      : Schema extends { readonly kind: 'choice'; readonly of: readonly (infer Choice)[] }
        ? Choice
        : Schema extends { readonly kind: 'record'; readonly fields: infer Fields }
          ? {
              readonly [Key in keyof Fields]: Fields[Key] extends ArgumentSchema
                ? ArgumentOf<Fields[Key]>
                : never
            }
          : never

/** Bounds of a schema itself: a graph may come from a file. */
export const SCHEMA_LIMITS = {
  depth: 8,
  fields: 64,
  choices: 256,
  textBytes: 1 << 20,
  nameBytes: 64,
} as const

/** A stream of bytes, of at most `max` where given. */
export const bytes = (
  limits: {
    /** Bytes of the whole stream: more ends the call. No bound where absent. */
    readonly max?: number
  } = {},
): StreamSchema => Object.freeze({ kind: 'bytes', ...(limits.max === undefined ? {} : { max: limits.max }) })

/** No stream in this direction. */
export const none = Object.freeze({ kind: 'none' } as const)

/** Unicode text of at most `max` bytes in UTF-8. */
export const text = (limits: { readonly max: number }) =>
  Object.freeze({ kind: 'text', maxBytes: limits.max } as const)

/** A whole number from `min` to `max`. */
export const integer = (limits: { readonly min: number; readonly max: number }) =>
  Object.freeze({ kind: 'integer', min: limits.min, max: limits.max } as const)

/** One of these texts. */
export const choice = <const Of extends readonly [string, ...string[]]>(...of: Of) =>
  Object.freeze({ kind: 'choice', of: Object.freeze(of) } as const)

/** An object with exactly these fields. */
export const record = <const Fields extends Readonly<Record<string, ArgumentSchema>>>(fields: Fields) =>
  Object.freeze({ kind: 'record', fields: Object.freeze({ ...fields }) } as const)

export type Conformed =
  | { readonly conforms: true; readonly value: unknown }
  | { readonly conforms: false; readonly path: readonly string[]; readonly because: string }

/**
 * The argument as the schema has it: a new, frozen value with nothing in it that the schema does not name, so
 * that what is decided on is what is passed on.
 */
export function conform(schema: ArgumentSchema, value: unknown, path: readonly string[] = []): Conformed {
  const fails = (because: string): Conformed => ({ conforms: false, path, because })
  switch (schema.kind) {
    case 'none':
      return value === undefined ? { conforms: true, value } : fails('takes no argument')
    case 'text':
      if (typeof value !== 'string') return fails('must be text')
      if (/\p{Cs}/u.test(value)) return fails('must be well-formed Unicode')
      return Buffer.byteLength(value) <= schema.maxBytes
        ? { conforms: true, value }
        : fails(`must be at most ${schema.maxBytes} bytes long`)
    case 'integer':
      return Number.isSafeInteger(value) && Number(value) >= schema.min && Number(value) <= schema.max
        ? { conforms: true, value }
        : fails(`must be a whole number from ${schema.min} to ${schema.max}`)
    case 'choice':
      return typeof value === 'string' && schema.of.includes(value)
        ? { conforms: true, value }
        : fails(`must be one of ${schema.of.join(', ')}`)
    case 'record':
      return conformRecord(schema.fields, value, path)
  }
}

function conformRecord(
  fields: Readonly<Record<string, ArgumentSchema>>,
  value: unknown,
  path: readonly string[],
): Conformed {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { conforms: false, path, because: 'must be a record' }
  }
  const unknown = Object.keys(value).find((key) => !Object.hasOwn(fields, key))
  if (unknown !== undefined) return { conforms: false, path: [...path, unknown], because: 'is not a field' }
  const entries: [string, unknown][] = []
  for (const [key, schema] of Object.entries(fields)) {
    const own = Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined
    const field = conform(schema, own, [...path, key])
    if (!field.conforms) return field
    if (field.value !== undefined) entries.push([key, field.value])
  }
  return { conforms: true, value: Object.freeze(Object.fromEntries(entries)) }
}
