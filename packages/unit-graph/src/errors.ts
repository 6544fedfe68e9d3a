/** What every fault of a graph says, whatever its kind. */
export type GraphFault<Kind extends string, More = unknown> = {
  readonly kind: Kind
  /** Where the fault is and what to do about it. */
  readonly message: string
  /** Keys that lead to the fault, from the outermost on; empty for the whole. */
  readonly path: readonly string[]
} & More

/** Why units do not make a graph. `path` leads to the fault: `['left', 'memoryBytes']`. */
export type GraphError =
  | GraphFault<'no-units'>
  | GraphFault<'not-a-unit'>
  | GraphFault<'not-a-graph'>
  | GraphFault<
      'invalid-name',
      {
        /** What was given as a name. */
        readonly name: string
      }
    >
  /** `other`: the key that holds the name already. */
  | GraphFault<
      'duplicate-name',
      {
        /** The name of both units. */
        readonly name: string
        readonly other: string
      }
    >
  | GraphFault<'empty-closure'>
  | GraphFault<'invalid-value'>
  /** A required need without a wire, or an optional one that nobody decided about. */
  | GraphFault<
      'unbound-need',
      {
        /** Key of the unit. */
        readonly unit: string
        /** Key of the need. */
        readonly need: string
      }
    >
  | GraphFault<'wired-twice', { readonly unit: string; readonly need: string }>
  | GraphFault<'unknown-unit', { readonly unit: string }>
  | GraphFault<'unknown-need', { readonly unit: string; readonly need: string }>
  | GraphFault<
      'unknown-provision',
      {
        readonly unit: string
        /** Key that the unit's `provides` has not. */
        readonly provision: string
      }
    >
  | GraphFault<
      'wrong-service',
      {
        /** Name of the service that the need is of. */
        readonly wanted: string
        /** Name of the service that it was wired to. */
        readonly offered: string
      }
    >
  /** One name, two shapes. `other`: where the first one is. */
  | GraphFault<
      'service-clash',
      {
        /** Name of the service. */
        readonly service: string
        readonly other: readonly string[]
      }
    >
  /** Strong edges that lead back to where they began: `units` are keys, the first one again at the end. */
  | GraphFault<'cycle', { readonly units: readonly string[] }>
  /** A lazy unit that nobody can call would never start. */
  | GraphFault<
      'unreachable-unit',
      {
        /** Key of the unit. */
        readonly unit: string
      }
    >
