import type { Fd, Inspection, UnixFdError } from '@spectrum/unix-fd'
import { err, ok, type Result } from 'neverthrow'
import type { Policy } from '../policy/policy.js'
import { CODE, type CompiledMessage } from '../protocol/compile.js'
import { NOT_SECRET_TEXTS } from './trace.js'

/** Lists whose content is the protocol's own; of all others only the length is kept. */
const NOT_SECRET_ARRAYS = new Set(['xdg_toplevel.configure', 'xdg_toplevel.wm_capabilities'])
/** Numbers that tell what the user types, by their places. That something was typed stays. */
const SECRET_NUMBERS: Readonly<Record<string, readonly number[]>> = {
  'wl_keyboard.key': [1, 2],
  'wl_keyboard.modifiers': [1, 2, 3, 4],
}
const FILLER = 0x78
const HEADER_WORDS = 2
const VERSION = 1

/** A message as it reached the proxy, without what it said. */
export interface CapturedMessage {
  /** The client's number in its proxy, counted from 1. */
  readonly session: number
  /** Who sent it: a request comes from the client, an event from the compositor. */
  readonly from: 'client' | 'compositor'
  /** For readers: `wl_surface.attach`. */
  readonly message: string
  /** In hexadecimal, header first. Texts, keys and lists are as long as they were, and filled. */
  readonly bytes: string
  /**
   * What each descriptor was, by fstat(2): `pipe`, `anonymous` …, or `file` and its bytes. Absent when it
   * brought none.
   */
  readonly descriptors?: readonly string[]
}

/** All that reached a proxy, as its capture has it. */
export interface Captured {
  /**
   * The policy that held when the capture began, as it was written down: not checked, `readPolicy` does that.
   */
  readonly policy: unknown
  /** In the order in which the proxy dealt with them. */
  readonly messages: readonly CapturedMessage[]
}

/** Why a capture cannot be read, with the line. */
export interface CaptureError {
  readonly kind: 'not-a-capture'
  readonly message: string
}

interface Arrived {
  readonly words: Int32Array
  readonly bytes: Uint8Array
  readonly fds: readonly Fd[]
}

/**
 * Writes down all that reaches the proxy, in the order in which it is dealt with, so that a test can let the same
 * happen again. No text, key, clipboard or picture is in it: descriptors are told by their kind.
 */
export class Capture {
  readonly #write: (line: string) => void
  readonly #inspect: (fd: Fd) => Result<Inspection, UnixFdError>

  constructor(
    write: (line: string) => void,
    policy: Policy,
    inspect: (fd: Fd) => Result<Inspection, UnixFdError>,
  ) {
    this.#write = write
    this.#inspect = inspect
    write(JSON.stringify({ capture: VERSION, policy }))
  }

  /** The message is whole: its first word is at `at`. */
  add(
    session: number,
    from: 'client' | 'compositor',
    message: CompiledMessage,
    { words, bytes, fds }: Arrived,
    at: number,
  ): void {
    const size = words[at + 1]! >>> 16
    const copy = bytes.slice(at * 4, at * 4 + size)
    withoutSecrets(message, copy)
    const descriptors = fds.slice(0, message.descriptors).map((fd) => this.#kindOf(fd))
    const one: CapturedMessage = {
      session,
      from,
      message: message.fullName,
      bytes: hexOf(copy),
      ...(descriptors.length > 0 && { descriptors }),
    }
    this.#write(JSON.stringify(one))
  }

  #kindOf(fd: Fd): string {
    const inspected = this.#inspect(fd)
    if (inspected.isErr()) return 'unknown'
    const { type, size } = inspected.value
    return type === 'file' ? `file ${size}` : type
  }
}

const hexOf = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

/** Fills texts, lists and keys in place. What cannot be read as the message that it claims to be is filled whole. */
function withoutSecrets(message: CompiledMessage, bytes: Uint8Array): void {
  const words = new Int32Array(bytes.buffer, 0, bytes.length >> 2)
  let at = HEADER_WORDS
  for (const [index, code] of message.codes.entries()) {
    if (code === CODE.fd) continue
    if (at >= words.length) break
    if (SECRET_NUMBERS[message.fullName]?.includes(index)) words[at] = 0
    const length = words[at]! >>> 0
    at += 1
    const isText = code === CODE.string || code === CODE.nullableString || code === CODE.untypedNewId
    if (!isText && code !== CODE.array) continue
    if (length > (words.length - at) * 4) {
      bytes.fill(0, HEADER_WORDS * 4)
      return
    }
    const kept = isText ? NOT_SECRET_TEXTS.has(message.fullName) : NOT_SECRET_ARRAYS.has(message.fullName)
    if (!kept) {
      const content = bytes.subarray(at * 4, at * 4 + length)
      content.fill(isText ? FILLER : 0)
      if (isText && length > 0) content[length - 1] = 0
    }
    at += (length + 3) >> 2
    if (code === CODE.untypedNewId) at += 2
  }
}

function isMessage(value: unknown): value is CapturedMessage {
  if (typeof value !== 'object' || value === null) return false
  const { session, from, message, bytes, descriptors } = value as Record<string, unknown>
  return (
    Number.isInteger(session) &&
    (from === 'client' || from === 'compositor') &&
    typeof message === 'string' &&
    typeof bytes === 'string' &&
    /^(?:[0-9a-f]{8}){2,}$/.test(bytes) &&
    (descriptors === undefined ||
      (Array.isArray(descriptors) && descriptors.every((one) => typeof one === 'string')))
  )
}

/**
 * Reads what `ProxyOptions.capture` was told: one JSON value a line, the first of which names version and
 * policy. Errors: `not-a-capture`, with the first line that is none.
 */
export function parseCapture(text: string): Result<Captured, CaptureError> {
  const wrong = (line: number, what: string) =>
    err<Captured, CaptureError>({ kind: 'not-a-capture', message: `line ${line}: ${what}` })
  const messages: CapturedMessage[] = []
  let policy: unknown
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '') continue
    let value: unknown
    try {
      value = JSON.parse(line)
    } catch {
      return wrong(index + 1, 'no JSON')
    }
    if (index === 0) {
      const head = value as { capture?: unknown; policy?: unknown } | null
      if (head?.capture !== VERSION) return wrong(1, `no capture of version ${VERSION}`)
      policy = head.policy
    } else if (isMessage(value)) messages.push(value)
    else return wrong(index + 1, 'no message')
  }
  if (policy === undefined) return wrong(1, `no capture of version ${VERSION}`)
  return ok({ policy, messages })
}
