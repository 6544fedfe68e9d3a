import { Buffer } from 'node:buffer'
import { err, ok, type Result } from 'neverthrow'
import type { RegionDescription } from '../memory/regions.js'

/** The messages that a front end may send here. Numbers: QEMU's docs/interop/vhost-user.rst. */
export const REQUEST = {
  1: 'get-features',
  2: 'set-features',
  3: 'set-owner',
  4: 'reset-owner',
  5: 'set-mem-table',
  8: 'set-vring-num',
  9: 'set-vring-addr',
  10: 'set-vring-base',
  11: 'get-vring-base',
  12: 'set-vring-kick',
  13: 'set-vring-call',
  14: 'set-vring-err',
  15: 'get-protocol-features',
  16: 'set-protocol-features',
  17: 'get-queue-num',
  18: 'set-vring-enable',
  24: 'get-config',
  36: 'get-max-mem-slots',
  37: 'add-mem-reg',
  38: 'rem-mem-reg',
} as const satisfies Readonly<Record<number, string>>

export type RequestName = (typeof REQUEST)[keyof typeof REQUEST]

export const HEADER_BYTES = 12
/** The longest payload that any of them has: eight regions, or a whole configuration space of 256 bytes. */
export const MOST_PAYLOAD_BYTES = 272
/** VHOST_MEMORY_BASELINE_NREGIONS: the most descriptors that one message carries. */
export const MOST_MESSAGE_FDS = 8

const VERSION_MASK = 0b11
const VERSION = 1
const FLAG_REPLY = 0b100
const FLAG_NEED_REPLY = 0b1000

export interface Header {
  readonly request: RequestName
  readonly number: number
  /** The front end asked for an answer also where the message has none of its own. */
  readonly needReply: boolean
  readonly payloadBytes: number
}

export interface VringState {
  readonly index: number
  readonly value: number
}

/** A message's payload, decoded. */
export type Payload =
  | { readonly kind: 'empty' }
  | { readonly kind: 'number'; readonly value: bigint }
  | { readonly kind: 'regions'; readonly regions: readonly RegionDescription[] }
  | { readonly kind: 'vring-state'; readonly state: VringState }
  | {
      readonly kind: 'vring-addresses'
      readonly index: number
      readonly flags: number
      readonly descriptors: bigint
      readonly used: bigint
      readonly available: bigint
    }
  /** An eventfd for a ring, or that there is none. */
  | { readonly kind: 'vring-file'; readonly index: number; readonly withFile: boolean }
  | { readonly kind: 'config'; readonly offset: number; readonly size: number }

type Shape = Payload['kind']

/** What each message carries: its shape and how many descriptors (`file`: one, where the payload says so). */
export const SHAPES: Readonly<
  Record<RequestName, { readonly shape: Shape; readonly fds: number | 'file' | 'regions' }>
> = {
  'get-features': { shape: 'empty', fds: 0 },
  'set-features': { shape: 'number', fds: 0 },
  'set-owner': { shape: 'empty', fds: 0 },
  'reset-owner': { shape: 'empty', fds: 0 },
  'set-mem-table': { shape: 'regions', fds: 'regions' },
  'set-vring-num': { shape: 'vring-state', fds: 0 },
  'set-vring-addr': { shape: 'vring-addresses', fds: 0 },
  'set-vring-base': { shape: 'vring-state', fds: 0 },
  'get-vring-base': { shape: 'vring-state', fds: 0 },
  'set-vring-kick': { shape: 'vring-file', fds: 'file' },
  'set-vring-call': { shape: 'vring-file', fds: 'file' },
  'set-vring-err': { shape: 'vring-file', fds: 'file' },
  'get-protocol-features': { shape: 'empty', fds: 0 },
  'set-protocol-features': { shape: 'number', fds: 0 },
  'get-queue-num': { shape: 'empty', fds: 0 },
  'set-vring-enable': { shape: 'vring-state', fds: 0 },
  'get-config': { shape: 'config', fds: 0 },
  'get-max-mem-slots': { shape: 'empty', fds: 0 },
  'add-mem-reg': { shape: 'regions', fds: 1 },
  // Some front ends send the region's descriptor along, which says nothing: it is closed.
  'rem-mem-reg': { shape: 'regions', fds: 'file' },
}

export function decodeHeader(bytes: Uint8Array): Result<Header, string> {
  const view = viewOf(bytes)
  const number = view.getUint32(0, true)
  const flags = view.getUint32(4, true)
  const payloadBytes = view.getUint32(8, true)
  const request = (REQUEST as Readonly<Record<number, RequestName>>)[number]
  if (request === undefined) return err(`message ${number}, which this device does not know or did not offer`)
  if ((flags & VERSION_MASK) !== VERSION) return err(`version ${flags & VERSION_MASK}; only 1 exists`)
  if ((flags & FLAG_REPLY) !== 0) return err('a reply, where a request is due')
  if (payloadBytes > MOST_PAYLOAD_BYTES) return err(`${payloadBytes} bytes of payload`)
  return ok({ request, number, needReply: (flags & FLAG_NEED_REPLY) !== 0, payloadBytes })
}

/** Decodes a whole payload; what does not have exactly its message's size and descriptors is refused. */
export function decodePayload(
  request: RequestName,
  bytes: Uint8Array,
  fdCount: number,
): Result<Payload, string> {
  const payload = decodeShape(request, bytes)
  if (payload === undefined) return err(`${bytes.length} bytes are no ${request}`)
  const { fds } = SHAPES[request]
  const wanted =
    typeof fds === 'number'
      ? [fds]
      : fds === 'regions' && payload.kind === 'regions'
        ? [payload.regions.length]
        : payload.kind === 'vring-file'
          ? [payload.withFile ? 1 : 0]
          : [0, 1]
  if (!wanted.includes(fdCount)) return err(`${fdCount} descriptors do not belong to ${request}`)
  return ok(payload)
}

const REGION_BYTES = 32
/** The bits of a ring's file message: its index, and that no descriptor comes along. */
const INDEX_MASK = 0xffn
const NO_FILE = 0x100n

function decodeShape(request: RequestName, bytes: Uint8Array): Payload | undefined {
  const view = viewOf(bytes)
  const { length } = bytes
  switch (SHAPES[request].shape) {
    case 'empty':
      return length === 0 ? { kind: 'empty' } : undefined
    case 'number':
      return length === 8 ? { kind: 'number', value: view.getBigUint64(0, true) } : undefined
    case 'regions':
      return decodeRegions(request, view)
    case 'vring-state':
      if (length !== 8) return undefined
      return {
        kind: 'vring-state',
        state: { index: view.getUint32(0, true), value: view.getUint32(4, true) },
      }
    case 'vring-addresses':
      if (length !== 40) return undefined
      return {
        kind: 'vring-addresses',
        index: view.getUint32(0, true),
        flags: view.getUint32(4, true),
        descriptors: view.getBigUint64(8, true),
        used: view.getBigUint64(16, true),
        available: view.getBigUint64(24, true),
      }
    case 'vring-file': {
      if (length !== 8) return undefined
      const value = view.getBigUint64(0, true)
      if ((value & ~(INDEX_MASK | NO_FILE)) !== 0n) return undefined
      return { kind: 'vring-file', index: Number(value & INDEX_MASK), withFile: (value & NO_FILE) === 0n }
    }
    case 'config': {
      if (length < 12) return undefined
      const size = view.getUint32(4, true)
      return length === 12 + size ? { kind: 'config', offset: view.getUint32(0, true), size } : undefined
    }
  }
}

function decodeRegions(request: RequestName, view: DataView): Payload | undefined {
  // A table begins with their number; a single one with padding that has no meaning.
  const count = request === 'set-mem-table' ? (view.byteLength >= 8 ? view.getUint32(0, true) : -1) : 1
  if (count < 0 || count > MOST_MESSAGE_FDS || view.byteLength !== 8 + count * REGION_BYTES) return undefined
  const regions = Array.from({ length: count }, (_, i): RegionDescription => {
    const at = 8 + i * REGION_BYTES
    return {
      guestAddress: view.getBigUint64(at, true),
      size: view.getBigUint64(at + 8, true),
      userAddress: view.getBigUint64(at + 16, true),
      fileOffset: view.getBigUint64(at + 24, true),
    }
  })
  return { kind: 'regions', regions }
}

export const numberPayload = (value: bigint): Uint8Array => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes
}

export const statePayload = ({ index, value }: VringState): Uint8Array => {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32LE(index, 0)
  bytes.writeUInt32LE(value, 4)
  return bytes
}

/** A part of the configuration space; without bytes it says that there is none such. */
export const configPayload = (offset: number, part: Uint8Array): Uint8Array => {
  const bytes = Buffer.alloc(12 + part.length)
  bytes.writeUInt32LE(offset, 0)
  bytes.writeUInt32LE(part.length, 4)
  bytes.set(part, 12)
  return bytes
}

/** A whole reply to the message with that number. */
export function encodeReply(number: number, payload: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(HEADER_BYTES + payload.length)
  bytes.writeUInt32LE(number, 0)
  bytes.writeUInt32LE(VERSION | FLAG_REPLY, 4)
  bytes.writeUInt32LE(payload.length, 8)
  bytes.set(payload, HEADER_BYTES)
  return bytes
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
