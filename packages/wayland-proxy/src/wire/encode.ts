import { err, ok, type Result } from 'neverthrow'
import type { WireError } from './errors.js'
import { HEADER_BYTES, MOST_MESSAGE_BYTES } from './framing.js'
import type { Argument, ArgumentSignature, MessageSignature } from './signature.js'
import { LITTLE_ENDIAN, padded, viewOf, WORD } from './word.js'

/** A message as it goes over the wire. */
export interface Encoded<Descriptor> {
  /** The whole message; fresh memory. */
  readonly bytes: Uint8Array
  /** To be sent with the first byte of the message or before, in this order. */
  readonly descriptors: readonly Descriptor[]
}

const MOST_UINT = 0xffff_ffff
const MOST_OPCODE = 0xffff

/**
 * Writes a message in its one canonical form: padding is zero, so no old memory leaks. Every value is checked
 * against the signature, so what decoded is what can be encoded, and nothing else. Errors: `invalid-value`
 * and `message-too-long`. Descriptors stay the caller's.
 */
export function encodeMessage<Descriptor>(
  signature: MessageSignature,
  objectId: number,
  opcode: number,
  values: readonly Argument<Descriptor>[],
): Result<Encoded<Descriptor>, WireError> {
  if (!isUint(objectId) || objectId === 0) return err(invalid('object', `${objectId} is no object id`))
  if (!isUint(opcode) || opcode > MOST_OPCODE) return err(invalid('opcode', `${opcode} is no opcode`))
  const expected = signature.arguments.length
  if (values.length !== expected) {
    return err(invalid(signature.name, `${values.length} arguments for a message that takes ${expected}`))
  }
  let size = HEADER_BYTES
  const descriptors: Descriptor[] = []
  for (const [index, argument] of signature.arguments.entries()) {
    const value = values[index]!
    const wrong = whatIsWrong(argument, value)
    if (wrong !== undefined) return err(invalid(argument.name, wrong))
    size += sizeOf(value)
    if (value.kind === 'fd') descriptors.push(value.descriptor)
  }
  if (size > MOST_MESSAGE_BYTES) {
    const message = `${signature.name} would be ${size} bytes long: at most ${MOST_MESSAGE_BYTES} fit`
    return err({ kind: 'message-too-long', message, size })
  }
  const writer = new Writer(size)
  writer.uint(objectId)
  writer.uint(((size << 16) | opcode) >>> 0)
  for (const value of values) writer.argument(value)
  return ok({ bytes: writer.bytes, descriptors })
}

function isUint(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= MOST_UINT
}

function isInt(value: number): boolean {
  return (value | 0) === value
}

/** Undefined when the value is one of the argument's. Types are no boundary: the kind is checked as well. */
function whatIsWrong(argument: ArgumentSignature, value: Argument<unknown>): string | undefined {
  const { type } = argument
  if (value.kind !== type.kind) return `a value of kind ${value.kind} where ${type.kind} belongs`
  switch (value.kind) {
    case 'int':
      return isInt(value.value) ? undefined : `${value.value} is no signed 32-bit number`
    case 'uint':
      return isUint(value.value) ? undefined : `${value.value} is no unsigned 32-bit number`
    case 'fixed':
      return isInt(value.value * 256) ? undefined : `${value.value} is no multiple of 1/256 in 24 signed bits`
    case 'string':
      return value.bytes === null && !(type.kind === 'string' && type.nullable)
        ? 'null is not allowed'
        : undefined
    case 'object':
      if (value.id === null)
        return type.kind === 'object' && type.nullable ? undefined : 'null is not allowed'
      return isUint(value.id) && value.id !== 0 ? undefined : `${value.id} is no object id`
    case 'new-id':
      return isUint(value.id) && value.id !== 0 ? undefined : `${value.id} is no object id`
    case 'untyped-new-id':
      if (!isUint(value.version)) return `${value.version} is no version`
      return isUint(value.id) && value.id !== 0 ? undefined : `${value.id} is no object id`
    default:
      return undefined
  }
}

function sizeOf(value: Argument<unknown>): number {
  switch (value.kind) {
    case 'fd':
      return 0
    case 'array':
      return WORD + padded(value.bytes.length)
    case 'string':
      return WORD + (value.bytes === null ? 0 : padded(value.bytes.length + 1))
    case 'untyped-new-id':
      return WORD + padded(value.interface.length + 1) + WORD + WORD
    default:
      return WORD
  }
}

type OneWord = Extract<Argument<unknown>, { kind: 'int' | 'uint' | 'fixed' | 'object' | 'new-id' }>

function wordOf(value: OneWord): number {
  switch (value.kind) {
    case 'int':
      return value.value >>> 0
    case 'uint':
      return value.value
    case 'fixed':
      return (value.value * 256) >>> 0
    case 'object':
    case 'new-id':
      return value.id ?? 0
  }
}

class Writer {
  readonly bytes: Uint8Array
  readonly #view: DataView
  #offset = 0

  constructor(size: number) {
    this.bytes = new Uint8Array(size)
    this.#view = viewOf(this.bytes)
  }

  uint(value: number): void {
    this.#view.setUint32(this.#offset, value, LITTLE_ENDIAN)
    this.#offset += WORD
  }

  argument(value: Argument<unknown>): void {
    switch (value.kind) {
      case 'string':
        if (value.bytes === null) this.uint(0)
        else this.#sized(value.bytes, 1)
        break
      case 'array':
        this.#sized(value.bytes, 0)
        break
      case 'untyped-new-id':
        this.#sized(value.interface, 1)
        this.uint(value.version)
        this.uint(value.id)
        break
      case 'fd':
        break
      default:
        this.uint(wordOf(value))
    }
  }

  /** A length, the bytes, and zeros up to the next word; `terminators` of them are part of the length. */
  #sized(bytes: Uint8Array, terminators: number): void {
    const length = bytes.length + terminators
    this.uint(length)
    this.bytes.set(bytes, this.#offset)
    this.#offset += padded(length)
  }
}

function invalid(argument: string, what: string): WireError {
  return { kind: 'invalid-value', message: `${argument}: ${what}`, argument }
}
