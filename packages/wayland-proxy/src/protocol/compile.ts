import { HEADER_BYTES } from '../wire/framing.js'
import type { Interface, MessageSignature } from '../wire/signature.js'
import { WORD } from '../wire/word.js'

/** What an argument is on the wire, as a small number for the relay's loop. */
export const CODE = {
  word: 0,
  string: 1,
  nullableString: 2,
  array: 3,
  object: 4,
  nullableObject: 5,
  newId: 6,
  untypedNewId: 7,
  fd: 8,
} as const

/** A message with all that the relay needs to know of it worked out once. */
export interface CompiledMessage {
  /** Its place among the requests, or the events, of its interface, from 0. */
  readonly opcode: number
  /** Without its interface: `attach`. */
  readonly name: string
  /** `wl_surface.attach`, for messages to people. */
  readonly fullName: string
  /** The version of the interface that brought it; 1 or more. */
  readonly since: number
  /** Whether it ends its object. */
  readonly destructor: boolean
  /** What it was made from. */
  readonly signature: MessageSignature
  /** How each argument lies on the wire, one small number for each: the relay's own. */
  readonly codes: Uint8Array
  /** Of each argument that is an object or a new one: its interface. */
  readonly targets: readonly (CompiledInterface | undefined)[]
  /** The interface of its one new object, as far as it is known. */
  readonly creates: CompiledInterface | undefined
  /** How many new objects it brings. */
  readonly newObjects: number
  /** Bytes of the whole message, when every message of this kind is equally long; else 0. */
  readonly bytes: number
  /** Whether all arguments are numbers: then the words are passed on as they are. */
  readonly numeric: boolean
  /** How many descriptors it brings. */
  readonly descriptors: number
  /** Whether it names an interface that is not in the table, so that it cannot be relayed. */
  readonly incomplete: boolean
}

/** An interface with all that the relay needs to know of its messages worked out once. */
export interface CompiledInterface {
  /** As in the protocol's XML: `wl_surface`. */
  readonly name: string
  /** The highest that is known. */
  readonly version: number
  /** Its place in the table. */
  readonly index: number
  /** By their opcodes. */
  readonly requests: readonly CompiledMessage[]
  /** By their opcodes. */
  readonly events: readonly CompiledMessage[]
}

/** Makes of each interface what the relay's loop wants to know, with references instead of names. */
export function compileInterfaces(interfaces: readonly Interface[]): readonly CompiledInterface[] {
  const byName = new Map<string, CompiledInterface>()
  const filling: { from: Interface; requests: CompiledMessage[]; events: CompiledMessage[] }[] = []
  for (const [index, from] of interfaces.entries()) {
    const requests: CompiledMessage[] = []
    const events: CompiledMessage[] = []
    byName.set(from.name, { name: from.name, version: from.version, index, requests, events })
    filling.push({ from, requests, events })
  }
  for (const { from, requests, events } of filling) {
    from.requests.forEach((message, opcode) => {
      requests.push(compileMessage(from.name, message, opcode, byName))
    })
    from.events.forEach((message, opcode) => {
      events.push(compileMessage(from.name, message, opcode, byName))
    })
  }
  return [...byName.values()]
}

function compileMessage(
  parent: string,
  signature: MessageSignature,
  opcode: number,
  interfaces: ReadonlyMap<string, CompiledInterface>,
): CompiledMessage {
  const codes = Uint8Array.from(signature.arguments, ({ type }) => {
    switch (type.kind) {
      case 'string':
        return type.nullable ? CODE.nullableString : CODE.string
      case 'array':
        return CODE.array
      case 'object':
        return type.nullable ? CODE.nullableObject : CODE.object
      case 'new-id':
        return CODE.newId
      case 'untyped-new-id':
        return CODE.untypedNewId
      case 'fd':
        return CODE.fd
      default:
        return CODE.word
    }
  })
  const named = signature.arguments.map(({ type }) => ('interface' in type ? type.interface : undefined))
  const varies = codes.some(
    (code) =>
      code === CODE.string ||
      code === CODE.nullableString ||
      code === CODE.array ||
      code === CODE.untypedNewId,
  )
  const descriptors = codes.filter((code) => code === CODE.fd).length
  const targets = named.map((name) => (name === undefined ? undefined : interfaces.get(name)))
  return {
    opcode,
    name: signature.name,
    fullName: `${parent}.${signature.name}`,
    since: signature.since,
    destructor: signature.destructor,
    signature,
    codes,
    targets,
    creates: targets[codes.indexOf(CODE.newId)],
    newObjects: codes.filter((code) => code === CODE.newId).length,
    bytes: varies ? 0 : HEADER_BYTES + WORD * (codes.length - descriptors),
    numeric: codes.every((code) => code === CODE.word),
    descriptors,
    incomplete: named.some((name) => name !== undefined && !interfaces.has(name)),
  }
}
