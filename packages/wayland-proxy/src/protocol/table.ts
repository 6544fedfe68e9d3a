import { ok, type Result } from 'neverthrow'
import type { Interface } from '../wire/signature.js'
import { type CompiledInterface, compileInterfaces } from './compile.js'
import type { ProtocolError } from './errors.js'
import { STANDARD_TABLES } from './generated.js'
import { mergeInterfaces } from './merge.js'
import { readTables } from './text.js'

/** Every interface that can be spoken. What is not in it is denied. */
export interface ProtocolTable {
  /** Each once; its `index` is its place here. */
  readonly interfaces: readonly CompiledInterface[]
  /** The interface of this name, or undefined: what is in no table is denied. */
  find(name: string): CompiledInterface | undefined
}

/** A table of exactly these interfaces; of what they name and it lacks, messages cannot be relayed. */
export function protocolTable(interfaces: readonly Interface[]): ProtocolTable {
  const compiled = compileInterfaces(interfaces)
  const byName = new Map(compiled.map((one) => [one.name, one]))
  return { interfaces: compiled, find: (name) => byName.get(name) }
}

let standard: readonly Interface[] | undefined

/** The interfaces that this package knows: Wayland itself, wayland-protocols, wlroots' and KDE's decoration. */
export function standardInterfaces(): readonly Interface[] {
  standard ??= readTables(STANDARD_TABLES)._unsafeUnwrap()
  return standard
}

/**
 * The standard table and what a user adds to it, such as a parsed file of their own. An interface that is known
 * already may bring a higher version. Errors: `not-a-protocol` when two of one name contradict each other.
 */
export function extendedTable(
  ...more: readonly (readonly Interface[])[]
): Result<ProtocolTable, ProtocolError> {
  if (more.length === 0) return ok(protocolTable(standardInterfaces()))
  return mergeInterfaces(standardInterfaces(), ...more).map(protocolTable)
}
