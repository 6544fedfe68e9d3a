import type { ObjectTable } from '../objects/object-table.js'
import type { ProtocolObject } from '../objects/protocol-object.js'
import { CODE, type CompiledMessage } from '../protocol/compile.js'
import type { Output } from './output.js'

/** How the words of a message came through. */
export const TRANSLATION = {
  done: 0,
  /** An object is not known on the other side: the values have to be looked at. */
  needsValues: 1,
  truncated: 2,
  unterminated: 3,
  null: 4,
  unknownObject: 5,
  wrongInterface: 6,
  trailing: 7,
} as const

export type Translation = (typeof TRANSLATION)[keyof typeof TRANSLATION]

export const TRANSLATION_FAULTS: Readonly<Record<number, string>> = {
  [TRANSLATION.truncated]: 'an argument goes on after the end of the message',
  [TRANSLATION.unterminated]: 'a string does not end with a NUL',
  [TRANSLATION.null]: 'null where it is not allowed',
  [TRANSLATION.unknownObject]: 'an argument is an object that does not exist',
  [TRANSLATION.wrongInterface]: 'an argument is an object of another interface',
  [TRANSLATION.trailing]: 'bytes are left after the last argument',
}

/** What `translate` found: at most one new id, and the argument that was at fault. */
export interface Findings {
  /** The sender's id of the new object; 0 when the message makes none. */
  newId: number
  /** The word of the output where the other side's id belongs. */
  newIdWord: number
  argument: number
}

/**
 * Checks the arguments of a message that carries no descriptor and writes them, canonical, behind the header of
 * the message at word `to` of `output`. Nothing is allocated. Ids become the other side's; the place of a new id
 * is left to the caller.
 */
export function translate(
  message: CompiledMessage,
  words: Int32Array,
  bytes: Uint8Array,
  at: number,
  size: number,
  objects: ObjectTable,
  toServer: boolean,
  output: Output,
  to: number,
  findings: Findings,
): Translation {
  const { codes, targets } = message
  const out = output.words
  const end = at + (size >> 2)
  let from = at + 2
  let into = to + 2
  findings.newId = 0
  for (let index = 0; index < codes.length; index++) {
    findings.argument = index
    if (from >= end) return TRANSLATION.truncated
    const word = words[from]!
    switch (codes[index]) {
      case CODE.word:
        out[into] = word
        break
      case CODE.object:
      case CODE.nullableObject: {
        if (word === 0) {
          if (codes[index] === CODE.object) return TRANSLATION.null
          out[into] = 0
          break
        }
        const object: ProtocolObject | undefined = objects.get(word >>> 0)
        if (object === undefined || (toServer && !object.alive)) return TRANSLATION.unknownObject
        const target = targets[index]
        if (target !== undefined && object.type !== target) return TRANSLATION.wrongInterface
        const id = toServer ? object.serverId : object.clientId
        if (id === 0) return TRANSLATION.needsValues
        out[into] = id
        break
      }
      case CODE.newId:
        if (word === 0) return TRANSLATION.null
        findings.newId = word >>> 0
        findings.newIdWord = into
        break
      default: {
        const length = word >>> 0
        if (length > size) return TRANSLATION.truncated
        const content = (length + 3) >> 2
        if (from + 1 + content > end) return TRANSLATION.truncated
        if (codes[index] !== CODE.array) {
          if (length === 0) {
            if (codes[index] === CODE.string) return TRANSLATION.null
          } else if (bytes[(from + 1) * 4 + length - 1] !== 0) return TRANSLATION.unterminated
        }
        out[into] = word
        for (let k = 1; k <= content; k++) out[into + k] = words[from + k]!
        // Padding may be anything on the way in, and is zero on the way out.
        for (let k = length; k < content * 4; k++) output.bytes[(into + 1) * 4 + k] = 0
        from += content
        into += content
      }
    }
    from += 1
    into += 1
  }
  return from === end ? TRANSLATION.done : TRANSLATION.trailing
}
