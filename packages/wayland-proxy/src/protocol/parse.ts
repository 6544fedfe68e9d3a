import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { err, ok, type Result } from 'neverthrow'
import type { ArgumentSignature, ArgumentType, Interface, MessageSignature } from '../wire/signature.js'
import type { ProtocolError } from './errors.js'

/** One file of Wayland's XML. */
export interface Protocol {
  /** That of its `protocol` element: `xdg_shell`. */
  readonly name: string
  /** In the order of the file. */
  readonly interfaces: readonly Interface[]
}

const MOST_CHARACTERS = 4 * 1024 * 1024
/** WL_CLOSURE_MAX_ARGS of libwayland. */
const MOST_ARGUMENTS = 20
/** An opcode has 16 bits. */
const MOST_MESSAGES = 0x10000
/** Of what an XML error quotes. */
const MOST_QUOTED = 160
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/
const NUMBER = /^[1-9][0-9]{0,8}$/

/**
 * Reads a protocol as Wayland's XML files describe it: what a message carries and nothing else. Descriptions
 * and enumerations are passed over. Anything else that is not understood makes the whole file an error, because
 * a table that is half right would let half-checked messages through.
 */
export function parseProtocol(xml: string): Result<Protocol, ProtocolError> {
  if (xml.length > MOST_CHARACTERS) {
    return err({ kind: 'not-a-protocol', message: `the file is longer than ${MOST_CHARACTERS} characters` })
  }
  const valid = XMLValidator.validate(xml)
  if (valid !== true) {
    return err({ kind: 'not-xml', message: `line ${valid.err.line}: ${printable(valid.err.msg)}` })
  }
  try {
    return ok(readProtocol(parser().parse(xml)))
  } catch (failure) {
    if (failure instanceof NotAProtocol) return err({ kind: 'not-a-protocol', message: failure.message })
    const message = failure instanceof Error ? failure.message : String(failure)
    return err({ kind: 'not-xml', message: printable(message) })
  }
}

/** The XML library quotes the file in its messages, at any length: what reaches an error is short and plain. */
function printable(text: string): string {
  const short = text.length > MOST_QUOTED ? `${text.slice(0, MOST_QUOTED)}…` : text
  return short.replace(/[^\x20-\x7e…]/g, '?')
}

/** Carries what is wrong out of the middle of a file; never leaves this one. */
class NotAProtocol extends Error {}

type Element = { readonly [key: string]: unknown }

function parser(): XMLParser {
  return new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '@',
    parseTagValue: false,
    parseAttributeValue: false,
    // No entity is expanded: names have none, and everything else is passed over.
    processEntities: false,
    isArray: (name, _path, _leaf, isAttribute) => !isAttribute && !name.startsWith('?'),
  })
}

function childrenOf(element: Element, name: string): readonly Element[] {
  const children = element[name]
  if (children === undefined) return []
  // An element without attributes or children is read as its text.
  return (children as unknown[]).map((child) =>
    typeof child === 'object' && child !== null ? (child as Element) : {},
  )
}

/** What is not known may be a message under another name, and every opcode after it would be wrong. */
function expectOnly(element: Element, where: string, known: readonly string[]): void {
  const strange = Object.keys(element).find(
    (key) => !key.startsWith('@') && key !== '#text' && !known.includes(key),
  )
  if (strange !== undefined) throw new NotAProtocol(`${where} holds an unknown element`)
}

function attribute(element: Element, name: string): string | undefined {
  const value = element[`@${name}`]
  return typeof value === 'string' ? value : undefined
}

function nameOf(element: Element, where: string): string {
  const name = attribute(element, 'name')
  if (name === undefined || !NAME.test(name))
    throw new NotAProtocol(`${where} has no name, or not a proper one`)
  return name
}

function numberOf(element: Element, name: string, where: string): number | undefined {
  const text = attribute(element, name)
  if (text === undefined) return undefined
  if (!NUMBER.test(text)) throw new NotAProtocol(`${where}: ${name} is no number from 1`)
  return Number(text)
}

function readProtocol(document: unknown): Protocol {
  expectOnly(document as Element, 'the file', ['?xml', 'protocol'])
  const roots = childrenOf(document as Element, 'protocol')
  const [root] = roots
  if (root === undefined || roots.length !== 1) throw new NotAProtocol('the file holds no single <protocol>')
  const name = nameOf(root, 'the protocol')
  expectOnly(root, name, ['copyright', 'description', 'interface'])
  const interfaces = childrenOf(root, 'interface').map(readInterface)
  refuseDuplicates(interfaces, name)
  return { name, interfaces }
}

function readInterface(element: Element): Interface {
  const name = nameOf(element, 'an interface')
  const version = numberOf(element, 'version', name)
  if (version === undefined) throw new NotAProtocol(`${name} has no version`)
  expectOnly(element, name, ['description', 'request', 'event', 'enum'])
  const messages = (kind: 'request' | 'event') => {
    const list = childrenOf(element, kind).map((message) => readMessage(message, name, version))
    if (list.length > MOST_MESSAGES)
      throw new NotAProtocol(`${name} has more than ${MOST_MESSAGES} of ${kind}`)
    refuseDuplicates(list, name)
    return list
  }
  return { name, version, requests: messages('request'), events: messages('event') }
}

function readMessage(element: Element, parent: string, version: number): MessageSignature {
  const name = nameOf(element, `a message of ${parent}`)
  const where = `${parent}.${name}`
  expectOnly(element, where, ['description', 'arg'])
  const since = numberOf(element, 'since', where) ?? 1
  if (since > version) throw new NotAProtocol(`${where} is since version ${since} of ${version}`)
  const type = attribute(element, 'type')
  if (type !== undefined && type !== 'destructor') throw new NotAProtocol(`${where} has an unknown type`)
  const list = childrenOf(element, 'arg').map((argument) => readArgument(argument, where))
  if (list.length > MOST_ARGUMENTS)
    throw new NotAProtocol(`${where} has more than ${MOST_ARGUMENTS} arguments`)
  refuseDuplicates(list, where)
  return { name, since, destructor: type === 'destructor', arguments: list }
}

function readArgument(element: Element, parent: string): ArgumentSignature {
  const name = nameOf(element, `an argument of ${parent}`)
  const where = `${parent}.${name}`
  expectOnly(element, where, ['description'])
  const allowNull = attribute(element, 'allow-null')
  if (allowNull !== undefined && allowNull !== 'true' && allowNull !== 'false') {
    throw new NotAProtocol(`${where}: allow-null is neither true nor false`)
  }
  const type = readType(element, where, allowNull === 'true')
  if (allowNull === 'true' && type.kind !== 'string' && type.kind !== 'object') {
    throw new NotAProtocol(`${where}: a ${type.kind} cannot be null`)
  }
  return { name, type }
}

function readType(element: Element, where: string, nullable: boolean): ArgumentType {
  const target = attribute(element, 'interface')
  if (target !== undefined && !NAME.test(target)) throw new NotAProtocol(`${where} names no proper interface`)
  const kind = attribute(element, 'type')
  switch (kind) {
    case 'int':
    case 'uint':
    case 'fixed':
    case 'array':
    case 'fd':
      return { kind }
    case 'string':
      return { kind, nullable }
    case 'object':
      return target === undefined ? { kind, nullable } : { kind, nullable, interface: target }
    case 'new_id':
      return target === undefined ? { kind: 'untyped-new-id' } : { kind: 'new-id', interface: target }
    default:
      throw new NotAProtocol(`${where} has an unknown type`)
  }
}

function refuseDuplicates(list: readonly { readonly name: string }[], where: string): void {
  const seen = new Set<string>()
  for (const { name } of list) {
    if (seen.has(name)) throw new NotAProtocol(`${where} has ${name} twice`)
    seen.add(name)
  }
}
