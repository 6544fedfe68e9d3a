import { err, ok, type Result } from 'neverthrow'
import type { WireError } from './errors.js'
import { type Frame, HEADER_BYTES } from './framing.js'
import type { Argument, ArgumentSignature, MessageSignature } from './signature.js'
import { LITTLE_ENDIAN, padded, viewOf, WORD } from './word.js'

/** A message whose arguments were read. */
export interface Decoded<Descriptor> {
  /** In the order of the signature. Bytes are views into the frame. */
  readonly arguments: readonly Argument<Descriptor>[]
  /** How many descriptors of the queue the message took; from its front. */
  readonly descriptorsTaken: number
}

/**
 * Reads the arguments of a message. All of them or an error: then no descriptor is taken, and the queue is the
 * caller's to close. What objects the ids stand for is not judged here.
 */
export function decodeArguments<Descriptor>(
  signature: MessageSignature,
  frame: Frame,
  queue: readonly Descriptor[],
): Result<Decoded<Descriptor>, WireError> {
  const reader = new Reader(frame.bytes)
  const decoded: Argument<Descriptor>[] = []
  let descriptorsTaken = 0
  for (const argument of signature.arguments) {
    if (argument.type.kind === 'fd') {
      if (descriptorsTaken >= queue.length) return err(missingDescriptor(signature, argument))
      decoded.push({ kind: 'fd', descriptor: queue[descriptorsTaken]! })
      descriptorsTaken += 1
      continue
    }
    const value = decodeArgument(reader, argument)
    if ('error' in value) return err(value.error)
    decoded.push(value)
  }
  if (reader.left > 0) {
    const message = `${signature.name}: ${reader.left} bytes are left after the last argument`
    return err({ kind: 'trailing-bytes', message, offset: reader.offset })
  }
  return ok({ arguments: decoded, descriptorsTaken })
}

type Plain = Exclude<Argument<never>, { kind: 'fd' }>
type Failed = { readonly error: WireError }

/** Walks the words of a message, never past its end. */
class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  offset = HEADER_BYTES

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = viewOf(bytes)
  }

  get left(): number {
    return this.#bytes.length - this.offset
  }

  int(): number | undefined {
    if (this.left < WORD) return undefined
    this.offset += WORD
    return this.#view.getInt32(this.offset - WORD, LITTLE_ENDIAN)
  }

  uint(): number | undefined {
    const word = this.int()
    return word === undefined ? undefined : word >>> 0
  }

  /** `length` bytes and their padding, whose content means nothing. */
  bytes(length: number): Uint8Array | undefined {
    if (this.left < padded(length)) return undefined
    const start = this.offset
    this.offset += padded(length)
    return this.#bytes.subarray(start, start + length)
  }
}

function decodeArgument(reader: Reader, argument: ArgumentSignature): Plain | Failed {
  const { type } = argument
  const start = reader.offset
  switch (type.kind) {
    case 'int': {
      const value = reader.int()
      return value === undefined ? truncated(argument, start) : { kind: 'int', value }
    }
    case 'fixed': {
      const value = reader.int()
      return value === undefined ? truncated(argument, start) : { kind: 'fixed', value: value / 256 }
    }
    case 'uint': {
      const value = reader.uint()
      return value === undefined ? truncated(argument, start) : { kind: 'uint', value }
    }
    case 'object': {
      const id = reader.uint()
      if (id === undefined) return truncated(argument, start)
      if (id === 0 && !type.nullable) return nullNotAllowed(argument, start)
      return { kind: 'object', id: id === 0 ? null : id }
    }
    case 'new-id': {
      const id = reader.uint()
      if (id === undefined) return truncated(argument, start)
      return id === 0 ? nullNotAllowed(argument, start) : { kind: 'new-id', id }
    }
    case 'untyped-new-id':
      return decodeUntypedNewId(reader, argument)
    case 'string':
      return decodeString(reader, argument, type.nullable)
    case 'array': {
      const length = reader.uint()
      const bytes = length === undefined ? undefined : reader.bytes(length)
      return bytes === undefined ? truncated(argument, start) : { kind: 'array', bytes }
    }
    case 'fd':
      throw new Error('descriptors are taken from the queue, not from the bytes')
  }
}

function decodeString(
  reader: Reader,
  argument: ArgumentSignature,
  nullable: boolean,
): { readonly kind: 'string'; readonly bytes: Uint8Array | null } | Failed {
  const start = reader.offset
  const length = reader.uint()
  if (length === undefined) return truncated(argument, start)
  if (length === 0) return nullable ? { kind: 'string', bytes: null } : nullNotAllowed(argument, start)
  const bytes = reader.bytes(length)
  if (bytes === undefined) return truncated(argument, start)
  // NULs before the last byte are let through: libwayland takes them, and forwarding must not change them.
  if (bytes[length - 1] !== 0) {
    const message = `${argument.name}: the string does not end with a NUL`
    return { error: { kind: 'unterminated-string', message, argument: argument.name, offset: start } }
  }
  return { kind: 'string', bytes: bytes.subarray(0, length - 1) }
}

function decodeUntypedNewId(reader: Reader, argument: ArgumentSignature): Plain | Failed {
  const name = decodeString(reader, argument, false)
  if ('error' in name) return name
  const start = reader.offset
  const version = reader.uint()
  const id = reader.uint()
  if (version === undefined || id === undefined) return truncated(argument, start)
  if (id === 0 || name.bytes === null) return nullNotAllowed(argument, start)
  return { kind: 'untyped-new-id', interface: name.bytes, version, id }
}

function truncated(argument: ArgumentSignature, offset: number): Failed {
  const message = `${argument.name}: the message ends within this argument`
  return { error: { kind: 'truncated-argument', message, argument: argument.name, offset } }
}

function nullNotAllowed(argument: ArgumentSignature, offset: number): Failed {
  const message = `${argument.name}: null is not allowed here`
  return { error: { kind: 'null-not-allowed', message, argument: argument.name, offset } }
}

function missingDescriptor(signature: MessageSignature, argument: ArgumentSignature): WireError {
  const message = `${signature.name}: the descriptor ${argument.name} did not arrive with or before the message`
  return { kind: 'missing-descriptor', message, argument: argument.name }
}
