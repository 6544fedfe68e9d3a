import { CODE, type CompiledMessage } from '../protocol/compile.js'
import { escaped } from '../relay/endings.js'

/** Texts that are the protocol's own; all others may be the user's. */
export const NOT_SECRET_TEXTS = new Set([
  'wl_registry.global',
  'wl_registry.bind',
  'wl_seat.name',
  'wl_display.error',
])
/** Numbers that tell what the user types. */
const SECRET_NUMBERS = new Set(['wl_keyboard.key', 'wl_keyboard.modifiers'])

interface Words {
  readonly words: Int32Array
  readonly bytes: Uint8Array
}

/**
 * A message in the style of WAYLAND_DEBUG: `#1 -> wl_surface@5.attach(wl_buffer@7, 0, 0)`. Ids are those of the
 * side that sent it. Titles, clipboards, keys and the content of arrays are left out. Never reads beyond the message.
 */
export function traceLine(
  session: number,
  arrow: '->' | '<-',
  id: number,
  message: CompiledMessage,
  { words, bytes }: Words,
  at: number,
): string {
  const end = at + (words[at + 1]! >>> 18)
  const parts: string[] = []
  let from = at + 2
  for (const [index, { type }] of message.signature.arguments.entries()) {
    const code = message.codes[index]!
    if (code === CODE.fd) {
      parts.push('fd')
      continue
    }
    if (from >= end) {
      parts.push('…')
      break
    }
    const word = words[from]!
    from += 1
    if (code === CODE.word) {
      if (SECRET_NUMBERS.has(message.fullName)) parts.push('?')
      else if (type.kind === 'fixed') parts.push(String(word / 256))
      else parts.push(String(type.kind === 'uint' ? word >>> 0 : word))
      continue
    }
    if (code === CODE.object || code === CODE.nullableObject || code === CODE.newId) {
      const name = message.targets[index]?.name ?? 'object'
      const object = word === 0 ? 'nil' : `${name}@${word >>> 0}`
      parts.push(code === CODE.newId ? `new id ${object}` : object)
      continue
    }
    const length = word >>> 0
    const start = from * 4
    if (length > (end - from) * 4) {
      parts.push('…')
      break
    }
    if (code === CODE.array) parts.push(`array[${length}]`)
    else if (length === 0) parts.push('nil')
    else if (!NOT_SECRET_TEXTS.has(message.fullName)) parts.push(`text[${length - 1}]`)
    else parts.push(`"${escaped(new TextDecoder().decode(bytes.subarray(start, start + length - 1)))}"`)
    from += (length + 3) >> 2
    if (code !== CODE.untypedNewId || from + 1 >= end) continue
    parts.push(String(words[from]! >>> 0), `new id @${words[from + 1]! >>> 0}`)
    from += 2
  }
  const [type, name] = message.fullName.split('.')
  return `#${session} ${arrow} ${type}@${id}.${name}(${parts.join(', ')})`
}
