import { err, ok, type Result } from 'neverthrow'
import type { WireError } from './errors.js'
import { LITTLE_ENDIAN, viewOf, WORD } from './word.js'

/** Object id, size and opcode, before every message. */
export const HEADER_BYTES = 8
/** The portable maximum of libwayland; only its newer compositors take more. */
export const MOST_MESSAGE_BYTES = 4096

/** One message, not decoded yet. */
export interface Frame {
  /** The object that the message is sent to (request) or comes from (event). */
  readonly objectId: number
  /** Which request or event of the object's interface it is, counted from 0 in the order of its XML. */
  readonly opcode: number
  /** The whole message with its header: a view into the given bytes, not a copy. */
  readonly bytes: Uint8Array
}

/**
 * The message at the start of `bytes`, or `undefined` while it is not whole. Stricter than libwayland, which
 * takes sizes that are no multiple of 4: two sides that round differently would disagree on where the next
 * message begins. The size is judged as soon as it is there, so nobody waits for a message that cannot be.
 */
export function nextFrame(bytes: Uint8Array): Result<Frame | undefined, WireError> {
  if (bytes.length < HEADER_BYTES) return ok(undefined)
  const view = viewOf(bytes)
  const objectId = view.getUint32(0, LITTLE_ENDIAN)
  const second = view.getUint32(4, LITTLE_ENDIAN)
  const size = second >>> 16
  const opcode = second & 0xffff
  if (size < HEADER_BYTES || size > MOST_MESSAGE_BYTES || size % WORD !== 0) {
    const message = `a message of ${size} bytes: it must have ${HEADER_BYTES} to ${MOST_MESSAGE_BYTES}, in words`
    return err({ kind: 'invalid-size', message, size })
  }
  if (objectId === 0) return err({ kind: 'null-receiver', message: 'a message to object 0, which is null' })
  if (bytes.length < size) return ok(undefined)
  return ok({ objectId, opcode, bytes: bytes.subarray(0, size) })
}
