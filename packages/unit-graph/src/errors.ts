type Fault<Kind extends string, More = unknown> = {
  readonly kind: Kind
  /** Where the fault is and what to do about it. */
  readonly message: string
  /** Keys that lead to the fault, from the outermost on; empty for the whole. */
  readonly path: readonly string[]
} & More

/** Why units do not make a graph. `path` leads to the fault: `['left', 'memoryBytes']`. */
export type GraphError =
  | Fault<'no-units'>
  | Fault<'not-a-unit'>
  | Fault<'not-a-graph'>
  | Fault<
      'invalid-name',
      {
        /** What was given as a name. */
        readonly name: string
      }
    >
  /** `other`: the key that holds the name already. */
  | Fault<
      'duplicate-name',
      {
        /** The name of both units. */
        readonly name: string
        readonly other: string
      }
    >
  | Fault<'empty-closure'>
  | Fault<'invalid-value'>
  /** A required need without a wire, or an optional one that nobody decided about. */
  | Fault<
      'unbound-need',
      {
        /** Key of the unit. */
        readonly unit: string
        /** Key of the need. */
        readonly need: string
      }
    >
  | Fault<'wired-twice', { readonly unit: string; readonly need: string }>
  | Fault<'unknown-unit', { readonly unit: string }>
  | Fault<'unknown-need', { readonly unit: string; readonly need: string }>
  | Fault<
      'unknown-provision',
      {
        readonly unit: string
        /** Key that the unit's `provides` has not. */
        readonly provision: string
      }
    >
  | Fault<
      'wrong-service',
      {
        /** Name of the service that the need is of. */
        readonly wanted: string
        /** Name of the service that it was wired to. */
        readonly offered: string
      }
    >
  /** One name, two shapes. `other`: where the first one is. */
  | Fault<
      'service-clash',
      {
        /** Name of the service. */
        readonly service: string
        readonly other: readonly string[]
      }
    >
  /** Strong edges that lead back to where they began: `units` are keys, the first one again at the end. */
  | Fault<'cycle', { readonly units: readonly string[] }>
  /** A lazy unit that nobody can call would never start. */
  | Fault<
      'unreachable-unit',
      {
        /** Key of the unit. */
        readonly unit: string
      }
    >
