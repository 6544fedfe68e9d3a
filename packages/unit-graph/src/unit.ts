import type { ClosureReference } from './store.js'

/** What a unit is made of. Whatever is absent is not granted, or left to the host's default. */
export interface UnitOptions {
  /** The only store paths that the unit will see. */
  readonly store: ClosureReference
  /** Bytes of guest memory; a multiple of 1 MiB. The host's default when absent. */
  readonly memoryBytes?: number | undefined
  readonly vcpuCount?: number | undefined
  /** Devices that may be added while the unit runs; each injection takes one for its image and one per new blob. */
  readonly hotplugSlots?: number | undefined
}

/** One unit as plain, frozen data. `Name` keeps the literal name in the type. */
export interface UnitDefinition<Name extends string = string> extends UnitOptions {
  readonly kind: 'unit'
  /** `[a-z][a-z0-9-]{0,31}`; checked by `compose`. */
  readonly name: Name
}

/** Describes a unit. Starts nothing and checks nothing: `compose` does the checking, with the place of each fault. */
export function defineUnit<const Name extends string>(
  name: Name,
  options: UnitOptions,
): UnitDefinition<Name> {
  const { store, memoryBytes, vcpuCount, hotplugSlots } = options
  return Object.freeze({
    kind: 'unit',
    name,
    store,
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(vcpuCount === undefined ? {} : { vcpuCount }),
    ...(hotplugSlots === undefined ? {} : { hotplugSlots }),
  })
}
