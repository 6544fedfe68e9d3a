import { err, ok, type Result } from 'neverthrow'
import { faultOfUnits } from './check/units.js'
import { faultOfWires } from './check/wires.js'
import type { GraphError } from './errors.js'
import { type Absent, Grant, Provision } from './grant.js'
import type { NeedDefinition, UnitDefinition } from './unit.js'
import type { Wire, WireEnd } from './wire.js'

/** Units by the keys under which they are wired. */
export type UnitMap = Readonly<Record<string, UnitDefinition>>

/**
 * Units and who may reach whom among them. Frozen plain data: two graphs compare by their JSON, and that JSON is
 * what {@link parseGraph} reads. The keys are the program's own names for the units; `units.mail` stays typed
 * from `compose({ mail })`.
 */
export interface Graph<Units extends UnitMap = UnitMap> {
  readonly kind: 'graph'
  /** By the keys that were given to `compose`, in their order. */
  readonly units: Units
  /** One for each need of each unit, in the order of the units' keys and of their needs. */
  readonly wires: readonly Wire[]
}

/** What one need can be wired to: something that gives its service, or nothing where it is optional. */
export type WireFor<Need extends NeedDefinition> =
  | Grant<Need['service']>
  | Provision<Need['service']>
  | (Need['availability'] extends 'optional' ? Absent : never)

/** Units whose needs the compiler does not know, from a file or a loop, have none to it: they are checked at run time. */
export type KeysWithNeeds<Units extends UnitMap> = {
  [Key in keyof Units]: string extends keyof Units[Key]['needs']
    ? never
    : keyof Units[Key]['needs'] extends never
      ? never
      : Key
}[keyof Units]

/** What `wire` takes: every need of every unit that has one, and nothing else. */
export type Wiring<Units extends UnitMap> = {
  readonly [Key in KeysWithNeeds<Units>]: {
    readonly [Need in keyof Units[Key]['needs']]: WireFor<Units[Key]['needs'][Need]>
  }
}

/** Lets nothing through that `Shape` does not have: a wire of a need that there is not does not compile. */
export type NoExcess<Actual, Shape> = {
  readonly [Key in keyof Actual]: Key extends keyof Shape
    ? { readonly [Need in keyof Actual[Key]]: Need extends keyof Shape[Key] ? Actual[Key][Need] : never }
    : never
}

/** Units that are together and whose needs are not bound yet. */
export interface Wirable<Units extends UnitMap> {
  /**
   * Binds every need. A need that is missing, of another service, or not there at all does not compile; from
   * JavaScript it is refused with the same words as a graph from a file.
   */
  wire<const W extends Wiring<Units>>(
    wiring: W & NoExcess<W, Wiring<Units>>,
  ): Result<Graph<Units>, GraphError>
}

/** Without needs the units are a graph already; with needs they become one by `wire`. */
export type Composition<Units extends UnitMap> = [KeysWithNeeds<Units>] extends [never]
  ? Result<Graph<Units>, GraphError> & Wirable<Units>
  : Wirable<Units>

/**
 * Checks units together. Nothing is started or looked up. The first fault in the order of the keys is returned:
 * of each unit, then of the wires, then of the whole.
 *
 * @example
 * ```ts
 * import { absent, bytes, closure, compose, defineService, defineUnit } from '@spectrum/unit-graph'
 *
 * const Uplink = defineService('org.example.uplink', { request: bytes(), response: bytes() })
 * const web = defineUnit('web', {
 *   store: closure('/nix/store/…-web'),
 *   needs: { uplink: Uplink.optional() },
 * })
 * const graph = compose({ web }).wire({ web: { uplink: absent } }) // without the wire it does not compile
 * if (graph.isErr()) throw new Error(`${graph.error.path.join('.')}: ${graph.error.message}`)
 * ```
 */
export function compose<const Units extends UnitMap>(units: Units): Composition<Units> {
  const wirable: Wirable<Units> = {
    wire: (wiring) => graphOf(units, wiresOf(wiring)),
  }
  return Object.assign(graphOf(units, []), wirable) as unknown as Composition<Units>
}

/** A graph of units and a list of wires, as a file has them. */
export function graphOf<Units extends UnitMap>(
  units: Units,
  wires: readonly Wire[],
): Result<Graph<Units>, GraphError> {
  const fault = faultOfUnits(units) ?? faultOfWires(units, wires)
  if (fault !== undefined) return err(fault)
  return ok(
    Object.freeze({ kind: 'graph', units: Object.freeze({ ...units }), wires: inOrder(units, wires) }),
  )
}

function wiresOf(wiring: object): readonly Wire[] {
  return Object.entries(wiring).flatMap(([unit, needs]) =>
    Object.entries(needs as object).map(([need, end]): Wire => ({ unit, need, to: endOf(end) })),
  )
}

function endOf(value: unknown): WireEnd {
  if (value instanceof Provision) return value.grant()
  if (value instanceof Grant) return value
  return value as WireEnd
}

/** The order of a program's literals says nothing, so equal graphs have equal JSON. */
function inOrder(units: UnitMap, wires: readonly Wire[]): readonly Wire[] {
  const found = new Map(wires.map((wire) => [JSON.stringify([wire.unit, wire.need]), wire]))
  return Object.freeze(
    Object.entries(units).flatMap(([unit, { needs }]) =>
      Object.keys(needs).map((need) => Object.freeze(found.get(JSON.stringify([unit, need]))!)),
    ),
  )
}
