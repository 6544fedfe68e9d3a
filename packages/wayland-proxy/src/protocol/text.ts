import { err, ok, type Result } from 'neverthrow'
import type { ArgumentSignature, ArgumentType, Interface, MessageSignature } from '../wire/signature.js'
import type { ProtocolError } from './errors.js'

/*
 * The compact form of protocol tables: one line per interface and per message, so that a change of a protocol
 * is a change of a line.
 *
 *   wl_surface 6
 *   >destroy 1!
 *   >attach 1 buffer:@wl_buffer? x:i y:i
 *   <enter 1 output:@wl_output
 *
 * `>` is a request, `<` an event; the number is `since`, `!` ends the object. Types: i u f (int, uint, fixed),
 * s (string), a (array), h (descriptor), @wl_x (object), @* (object of any interface), +wl_x (new object), +*
 * (new object whose interface the sender names), each with ? where null is allowed.
 */

const NAME = '[A-Za-z_][A-Za-z0-9_]{0,127}'
const INTERFACE = new RegExp(`^(${NAME}) ([1-9][0-9]{0,8})$`)
const MESSAGE = new RegExp(`^([<>])(${NAME}) ([1-9][0-9]{0,8})(!?)((?: ${NAME}:[^ ]+)*)$`)
const ARGUMENT = new RegExp(`^(${NAME}):([+@]?)(\\*|${NAME})(\\??)$`)

const LETTERS = { i: 'int', u: 'uint', f: 'fixed', a: 'array', h: 'fd' } as const

/** The compact form. `readTables` gives the same interfaces back. */
export function printTables(interfaces: readonly Interface[]): string {
  return interfaces.map(printInterface).join('')
}

function printInterface({ name, version, requests, events }: Interface): string {
  const lines = [
    `${name} ${version}`,
    ...requests.map((request) => `>${printMessage(request)}`),
    ...events.map((event) => `<${printMessage(event)}`),
  ]
  return lines.map((line) => `${line}\n`).join('')
}

function printMessage(message: MessageSignature): string {
  const parts = message.arguments.map(({ name, type }) => `${name}:${printType(type)}`)
  return [`${message.name} ${message.since}${message.destructor ? '!' : ''}`, ...parts].join(' ')
}

function printType(type: ArgumentType): string {
  switch (type.kind) {
    case 'int':
      return 'i'
    case 'uint':
      return 'u'
    case 'fixed':
      return 'f'
    case 'array':
      return 'a'
    case 'fd':
      return 'h'
    case 'string':
      return type.nullable ? 's?' : 's'
    case 'object':
      return `@${type.interface ?? '*'}${type.nullable ? '?' : ''}`
    case 'new-id':
      return `+${type.interface}`
    case 'untyped-new-id':
      return '+*'
  }
}

/** Reads the compact form. A line that is not understood makes the whole text an error. */
export function readTables(text: string): Result<readonly Interface[], ProtocolError> {
  const interfaces: {
    name: string
    version: number
    requests: MessageSignature[]
    events: MessageSignature[]
  }[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '') continue
    const heading = INTERFACE.exec(line)
    if (heading) {
      interfaces.push({ name: heading[1]!, version: Number(heading[2]), requests: [], events: [] })
      continue
    }
    const message = readMessage(line)
    const last = interfaces.at(-1)
    if (message === undefined || last === undefined) {
      return err({ kind: 'not-a-protocol', message: `line ${index + 1} of the table is not understood` })
    }
    if (line.startsWith('>')) last.requests.push(message)
    else last.events.push(message)
  }
  return ok(interfaces)
}

function readMessage(line: string): MessageSignature | undefined {
  const found = MESSAGE.exec(line)
  if (!found) return undefined
  const list = found[5] === '' ? [] : found[5]!.slice(1).split(' ').map(readArgument)
  if (list.includes(undefined)) return undefined
  return {
    name: found[2]!,
    since: Number(found[3]),
    destructor: found[4] === '!',
    arguments: list as ArgumentSignature[],
  }
}

function readArgument(text: string): ArgumentSignature | undefined {
  const found = ARGUMENT.exec(text)
  if (!found) return undefined
  const type = readType(found[2]!, found[3]!, found[4] === '?')
  return type && { name: found[1]!, type }
}

function readType(mark: string, name: string, nullable: boolean): ArgumentType | undefined {
  if (mark === '+') {
    if (nullable) return undefined
    return name === '*' ? { kind: 'untyped-new-id' } : { kind: 'new-id', interface: name }
  }
  if (mark === '@')
    return name === '*' ? { kind: 'object', nullable } : { kind: 'object', nullable, interface: name }
  if (name === 's') return { kind: 'string', nullable }
  const kind = Object.hasOwn(LETTERS, name) ? LETTERS[name as keyof typeof LETTERS] : undefined
  return kind === undefined || nullable ? undefined : { kind }
}
