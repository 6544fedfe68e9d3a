import { Provision } from './grant.js'
import type { AnyService, Offer, OptionalNeed } from './service/service.js'
import type { ClosureReference } from './store.js'

/** What a unit wants of others: a service, or one that it can do without. */
export type Needs = Readonly<Record<string, AnyService | OptionalNeed>>
/** What a unit provides, by its own names. */
export type Offers = Readonly<Record<string, Offer>>

/** What happens when a unit's command or its machine ends without being stopped. */
export interface RestartPolicy {
  /** `on-failure`: not when its command ended well. */
  readonly when: 'never' | 'on-failure' | 'always'
  /** Restarts in a row; after them the unit stays down. Default 5. */
  readonly most?: number | undefined
  /** Milliseconds before the first restart, doubled each time. Default 250. */
  readonly backoffMs?: number | undefined
}

/**
 * The most that the machine of a unit may take of its host. Whatever is absent is not limited. A host that cannot keep
 * them starts the unit all the same and says so.
 */
export interface ResourceLimits {
  /** Bytes of host memory for all of its processes: its guest memory, and what the monitor needs besides. */
  readonly memoryBytes?: number | undefined
  /** Its share of the processors where there are too few: 1 to 10000, and 100 where nothing is said. */
  readonly cpuWeight?: number | undefined
  /** Its share of the disks, in the same way. */
  readonly ioWeight?: number | undefined
  /** Processes and threads on the host. */
  readonly pids?: number | undefined
}

/** A disk of a unit that outlives its machines, and its host program: an ext4 file system, mounted in the unit. */
export interface VolumeDefinition {
  /** Where: absolute and canonical, not `/` or `/run`, nor below `/proc`, `/sys`, `/dev`, `/nix` and `/run/spectrum`. */
  readonly path: string
  /** Bytes, a multiple of 1 MiB from 16 MiB on. Taken on the host as they are written. A volume grows to it and never shrinks. */
  readonly sizeBytes: number
  /** Whether the unit may only read it; false by default. */
  readonly readOnly?: boolean | undefined
}

/** What a unit is made of. Whatever is absent is not granted, or left to the host's default. */
export interface UnitOptions<N extends Needs = Needs, O extends Offers = Offers> {
  /** The only store paths that the unit will see. */
  readonly store: ClosureReference
  /** Bytes of guest memory; a multiple of 1 MiB. The host's default when absent. */
  readonly memoryBytes?: number | undefined
  /** Virtual processors, 1 to 255; 1 when absent. */
  readonly vcpuCount?: number | undefined
  /** Devices that may be added while the unit runs; each injection takes one for its image and one per new blob. */
  readonly hotplugSlots?: number | undefined
  /** What its machine may take of the host; nothing is limited when absent. */
  readonly limits?: ResourceLimits | undefined
  /** Its own disks, by name (`[a-z][a-z0-9-]{0,14}`); at most 16. */
  readonly volumes?: Readonly<Record<string, VolumeDefinition>> | undefined
  /** Services it calls, under its own names for them. */
  readonly needs?: N | undefined
  /** Services it provides, under its own names for them. */
  readonly provides?: O | undefined
  /** The program that the unit runs once it is up. Without one, it waits to be used. */
  readonly command?: readonly string[] | undefined
  /** `lazy`: started by the first call. Default `eager`. */
  readonly start?: 'eager' | 'lazy' | undefined
  /** What happens when it ends by itself; it stays down when absent. */
  readonly restart?: RestartPolicy | undefined
  /** Names of units with whose end this one ends, too. */
  readonly diesWith?: readonly string[] | undefined
}

/** A service that a unit calls by a name of its own. */
export interface NeedDefinition<S extends AnyService = AnyService> {
  /** What it calls. */
  readonly service: S
  /** `optional`: it may be wired to `absent`. */
  readonly availability: 'required' | 'optional'
}

/** What a unit's needs become in its definition. */
export type NeedsOf<N extends Needs> = {
  readonly [Key in keyof N]: N[Key] extends OptionalNeed<infer S>
    ? { readonly service: S; readonly availability: 'optional' }
    : N[Key] extends AnyService
      ? { readonly service: N[Key]; readonly availability: 'required' }
      : never
}
/** What a unit's offers become in its definition. */
export type ProvisionsOf<O extends Offers> = {
  readonly [Key in keyof O]: O[Key] extends Offer<infer S> ? Provision<S> : never
}

/** One unit as plain, frozen data. `Name` keeps the literal name in the type. */
export interface UnitDefinition<
  Name extends string = string,
  N extends Readonly<Record<string, NeedDefinition>> = Readonly<Record<string, NeedDefinition>>,
  P extends Readonly<Record<string, Provision>> = Readonly<Record<string, Provision>>,
> {
  readonly kind: 'unit'
  /** `[a-z][a-z0-9-]{0,31}`; checked by `compose`. */
  readonly name: Name
  /** The only store paths that the unit will see. */
  readonly store: ClosureReference
  /** Bytes of guest memory; a multiple of 1 MiB. */
  readonly memoryBytes?: number
  /** Virtual processors, 1 to 255; 1 when absent. */
  readonly vcpuCount?: number
  /** Devices that may be added while the unit runs. */
  readonly hotplugSlots?: number
  /** What its machine may take of the host. */
  readonly limits?: ResourceLimits
  /** Its own disks, by name. */
  readonly volumes?: Readonly<Record<string, VolumeDefinition>>
  /** Services it calls, by its own names for them. */
  readonly needs: N
  /** Services it provides, by its own names for them. */
  readonly provides: P
  /** The program that it runs: an absolute path in the unit, and its arguments. */
  readonly command?: readonly string[]
  /** `lazy`: started by the first call; `eager` when absent. */
  readonly start?: 'eager' | 'lazy'
  /** What happens when it ends by itself; it stays down when absent. */
  readonly restart?: RestartPolicy
  /** Names of units with whose end this one ends, too. */
  readonly diesWith?: readonly string[]
}

/**
 * Describes a unit. Starts nothing and checks nothing: `compose` does the checking, with the place of each fault.
 *
 * @example
 * ```ts
 * import { bytes, closure, defineService, defineUnit } from '@spectrum/unit-graph'
 *
 * const Sign = defineService('org.example.sign', { request: bytes(), response: bytes() })
 * const gnupg = '/nix/store/…-gnupg-2.4'
 * const vault = defineUnit('vault', {
 *   store: closure(gnupg),
 *   memoryBytes: 512 * 2 ** 20,
 *   provides: { sign: Sign.command([`${gnupg}/bin/gpg`, '--sign']) },
 * })
 * const mail = defineUnit('mail', { store: closure('/nix/store/…-aerc'), needs: { sign: Sign } })
 * ```
 */
export function defineUnit<
  const Name extends string,
  // biome-ignore lint/complexity/noBannedTypes: no needs at all is the empty record, not any record
  const N extends Needs = {},
  // biome-ignore lint/complexity/noBannedTypes: no provisions at all is the empty record, not any record
  const O extends Offers = {},
>(name: Name, options: UnitOptions<N, O>): UnitDefinition<Name, NeedsOf<N>, ProvisionsOf<O>> {
  const { store, needs = {} as N, provides = {} as O, ...rest } = options
  const present = Object.entries(rest).filter(([, value]) => value !== undefined)
  const plain = present.map(([key, value]) => [key, frozen(value)])
  return Object.freeze({
    kind: 'unit',
    name,
    store,
    needs: mapped(needs, (need) =>
      Object.freeze(
        need.kind === 'optional'
          ? { service: need.service, availability: 'optional' as const }
          : { service: need, availability: 'required' as const },
      ),
    ) as NeedsOf<N>,
    provides: mapped(provides, (offer, key) => new Provision(name, key, offer)) as ProvisionsOf<O>,
    ...Object.fromEntries(plain),
  })
}

function mapped<Value, To>(
  from: Readonly<Record<string, Value>>,
  to: (value: Value, key: string) => To,
): Readonly<Record<string, To>> {
  return Object.freeze(Object.fromEntries(Object.entries(from).map(([key, value]) => [key, to(value, key)])))
}

function frozen(value: unknown): unknown {
  if (Array.isArray(value)) return Object.freeze(value.map(frozen))
  if (typeof value !== 'object' || value === null) return value
  return Object.freeze(Object.fromEntries(Object.entries(value).map(([key, one]) => [key, frozen(one)])))
}
