import { err, ok, type Result } from 'neverthrow'
import type { Interface, MessageSignature } from '../wire/signature.js'
import type { ProtocolError } from './errors.js'

/**
 * Interfaces of several sources as one list, sorted by name. Of an interface that is there twice the higher
 * version stays. Wayland's interfaces only ever grow at the end: two versions that differ in what they share are
 * two protocols under one name, and an error.
 */
export function mergeInterfaces(
  ...sources: readonly (readonly Interface[])[]
): Result<readonly Interface[], ProtocolError> {
  const merged = new Map<string, Interface>()
  for (const one of sources.flat()) {
    const other = merged.get(one.name)
    if (other === undefined) {
      merged.set(one.name, one)
      continue
    }
    const [older, newer] = one.version < other.version ? [one, other] : [other, one]
    const clash = clashOf(older, newer)
    if (clash !== undefined) {
      return err({
        kind: 'not-a-protocol',
        message: `two different interfaces are called ${one.name}: ${clash}`,
      })
    }
    merged.set(one.name, newer)
  }
  return ok([...merged.values()].sort((a, b) => (a.name < b.name ? -1 : 1)))
}

function clashOf(older: Interface, newer: Interface): string | undefined {
  for (const kind of ['requests', 'events'] as const) {
    for (const [opcode, message] of older[kind].entries()) {
      const later = newer[kind][opcode]
      if (later === undefined) return `${message.name} is not in version ${newer.version}`
      if (!same(message, later)) return `${message.name} is not the same in version ${newer.version}`
    }
    const extra = newer[kind].slice(older[kind].length).find(({ since }) => since <= older.version)
    if (extra !== undefined) return `${extra.name} is missing in version ${older.version}`
  }
  return undefined
}

/** Names of arguments may change, and so may what is null; what the bytes mean may not. */
function same(a: MessageSignature, b: MessageSignature): boolean {
  if (a.name !== b.name || a.since !== b.since || a.destructor !== b.destructor) return false
  if (a.arguments.length !== b.arguments.length) return false
  return a.arguments.every(({ type }, index) => {
    const other = b.arguments[index]!.type
    if (type.kind !== other.kind) return false
    return ('interface' in type ? type.interface : '') === ('interface' in other ? other.interface : '')
  })
}
