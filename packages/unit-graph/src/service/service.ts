import type { ArgumentSchema, StreamSchema } from './schema.js'
import { none } from './schema.js'

/** How a unit provides a service. The program always runs in the provider's own unit. */
export type Provider =
  /** Started for each call: standard input is the request, standard output the response. No shell. */
  | {
      readonly kind: 'command'
      /** An absolute path in the unit, and its arguments. */
      readonly argv: readonly string[]
    }
  /** A Unix stream socket on which a program of the unit listens already. */
  | {
      readonly kind: 'socket'
      /** Absolute path in the unit. */
      readonly path: string
    }

/** What a unit offers, before it knows which unit it is of. */
export interface Offer<S extends AnyService = AnyService> {
  readonly kind: 'offer'
  /** What is provided. */
  readonly service: S
  /** What carries a call out in the unit. */
  readonly by: Provider
}

/** A need that may stay unfulfilled, if the wiring says so by `absent`. */
export interface OptionalNeed<S extends AnyService = AnyService> {
  readonly kind: 'optional'
  /** What the unit calls, where it is wired to anything. */
  readonly service: S
}

/** A service of any argument and streams, where the types do not matter. */
// biome-ignore lint/suspicious/noExplicitAny: a service of whatever name and argument; `string` and `ArgumentSchema` are not covariant in the methods
export type AnyService = Service<any, any>

/** What units talk about: a name, the shape of the argument, and which way bytes flow. */
export class Service<const Name extends string, const Argument extends ArgumentSchema> {
  readonly kind = 'service'
  /** Global to a graph: `org.example.sign`. */
  readonly name: Name
  /** What a call carries; `none` where nothing. */
  readonly argument: Argument
  /** From consumer to provider; absent: closed from the start. */
  readonly request?: StreamSchema
  /** From provider to consumer; absent: closed from the start. */
  readonly response?: StreamSchema

  constructor(name: Name, argument: Argument, request?: StreamSchema, response?: StreamSchema) {
    this.name = name
    this.argument = argument
    if (request !== undefined) this.request = request
    if (response !== undefined) this.response = response
    Object.freeze(this)
  }

  /** Provided by a command that the unit starts for each call. */
  command(argv: readonly [string, ...string[]]): Offer<this> {
    const by = Object.freeze({ kind: 'command' as const, argv: Object.freeze([...argv]) })
    return Object.freeze({ kind: 'offer', service: this, by })
  }

  /** Provided by whatever listens on this absolute path in the unit. */
  socket(path: string): Offer<this> {
    return Object.freeze({
      kind: 'offer',
      service: this,
      by: Object.freeze({ kind: 'socket' as const, path }),
    })
  }

  /** A need that may be wired to `absent`. */
  optional(): OptionalNeed<this> {
    return Object.freeze({ kind: 'optional', service: this })
  }
}

/** What a service takes and gives. */
export interface ServiceOptions<Argument extends ArgumentSchema> {
  /** What a call carries; nothing by default. */
  readonly argument?: Argument | undefined
  /** From consumer to provider; closed from the start by default. */
  readonly request?: StreamSchema | undefined
  /** From provider to consumer; closed from the start by default. */
  readonly response?: StreamSchema | undefined
}

/**
 * Defines a service. The name is global to a graph, like `org.example.sign`: two services of one name with
 * different shapes do not fit each other, and composing them is refused.
 *
 * @example
 * ```ts
 * import { bytes, defineService, text } from '@spectrum/unit-graph'
 *
 * const Sign = defineService('org.example.sign', {
 *   argument: text({ max: 64 }), // the caller's first line, as JSON
 *   request: bytes({ max: 65_536 }),
 *   response: bytes({ max: 4_096 }),
 * })
 * ```
 */
export function defineService<
  const Name extends string,
  const Argument extends ArgumentSchema = { readonly kind: 'none' },
>(name: Name, options: ServiceOptions<Argument> = {}): Service<Name, Argument> {
  const { argument = none as unknown as Argument, request, response } = options
  return new Service(name, argument, request, response)
}
