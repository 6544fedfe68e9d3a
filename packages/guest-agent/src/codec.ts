import { Buffer } from 'node:buffer'
import { TextDecoder } from 'node:util'
import { type Field, type Frame, type FrameName, type FrameShape, frames, limits } from './frames.js'

/** The peer sent what the protocol does not allow. Internal: it becomes an error value at the API. */
export class ProtocolViolation extends Error {
  override readonly name = 'ProtocolViolation'
}

const byCode = new Map<number, readonly [FrameName, FrameShape]>(
  (Object.entries(frames) as [FrameName, FrameShape][]).map(([name, shape]) => [shape.code, [name, shape]]),
)

const headerBytes = 5
/** Node takes shorter buffers out of shared ones. */
const pooledBytes = 4_096

/**
 * Writes one frame: u32 LE length of what follows, u8 type, fields. Throws RangeError when a value does not
 * fit its field, so callers check what came from their users first.
 */
export function encodeFrame(frame: Frame): Buffer {
  const shape: FrameShape = frames[frame.type]
  const parts: Uint8Array[] = [Buffer.alloc(headerBytes)]
  for (const [name, field] of Object.entries(shape.fields)) {
    encodeField(parts, name, field, (frame as unknown as Record<string, unknown>)[name])
  }
  const bytes = Buffer.concat(parts)
  if (bytes.length > limits.frameBytes) throw new RangeError(`${frame.type}: longer than one frame`)
  bytes.writeUInt32LE(bytes.length - 4, 0)
  bytes.writeUInt8(shape.code, 4)
  return bytes
}

function encodeField(parts: Uint8Array[], name: string, field: Field, value: unknown): void {
  switch (field.is) {
    case 'u8':
    case 'u16':
    case 'u32':
      parts.push(number(value as number, integerBytes[field.is]))
      return
    case 'u64': {
      const bytes = Buffer.alloc(8)
      bytes.writeBigUInt64LE(BigInt(value as number))
      parts.push(bytes)
      return
    }
    case 'id':
      if (!isDeviceId(value as string)) throw new RangeError(`${name}: not 64 hexadecimal digits`)
      parts.push(Buffer.from(value as string, 'latin1'))
      return
    case 'text':
      pushText(parts, name, value as string, field.max)
      return
    case 'ids':
    case 'texts': {
      const list = value as readonly string[]
      if (list.length > field.maxCount) throw new RangeError(`${name}: more than ${field.maxCount}`)
      parts.push(number(list.length, 2))
      const item: Field = field.is === 'ids' ? { is: 'id' } : { is: 'text', max: field.max }
      for (const entry of list) encodeField(parts, name, item, entry)
      return
    }
    case 'rest': {
      const bytes = value as Uint8Array
      if (bytes.length === 0 || bytes.length > field.max) throw new RangeError(`${name}: length out of range`)
      parts.push(bytes)
    }
  }
}

const integerBytes = { u8: 1, u16: 2, u32: 4 } as const

const number = (value: number, size: 1 | 2 | 4): Buffer => {
  const bytes = Buffer.alloc(size)
  bytes.writeUIntLE(value, 0, size)
  return bytes
}

function pushText(parts: Uint8Array[], name: string, value: string, max: number): void {
  const bytes = Buffer.from(value, 'utf8')
  if (bytes.length > max) throw new RangeError(`${name}: longer than ${max} bytes`)
  if (bytes.includes(0)) throw new RangeError(`${name}: contains NUL`)
  parts.push(number(bytes.length, 2), bytes)
}

/** Whether this is the id of a device as trailers and metadata images carry it. */
export const isDeviceId = (value: string): boolean => /^[0-9a-f]{64}$/.test(value)

/**
 * Cuts a byte stream into frames that `from` may send. Holds at most one frame. Throws ProtocolViolation at
 * the first byte that cannot be right, with its offset in the stream.
 */
export class FrameDecoder {
  readonly #from: 'unit' | 'host'
  /** Bytes of the frame that is arriving, joined only once it is whole: tiny chunks cost no copies. */
  #parts: Uint8Array[] = []
  #held = 0
  #needed = 4
  /** Offset in the stream of the first held byte. */
  #offset = 0

  constructor(from: 'unit' | 'host') {
    this.#from = from
  }

  /** Frames completed by these bytes. Lazily: the caller may stop after one of them, and is done with the stream then. */
  *push(chunk: Uint8Array): Generator<Frame> {
    let left = asBuffer(chunk)
    while (this.#held + left.length >= this.#needed) {
      const taken = this.#needed - this.#held
      // A frame that lies in the chunk as a whole is read where it is; only one that is cut is joined.
      const joined = this.#held > 0
      const head = joined
        ? Buffer.concat([...this.#parts, left.subarray(0, taken)], this.#needed)
        : left.subarray(0, taken)
      const length = head.readUInt32LE(0)
      if (length < 1 || length > limits.frameBytes - 4) this.#fail(`a frame of ${length} bytes`)
      // The type is checked as soon as it is here, so that nobody waits for the body of nonsense.
      const type = head[4]
      if (type !== undefined) this.#shape(type)
      const whole = type === undefined ? headerBytes : 4 + length
      if (head.length < whole) {
        this.#needed = whole
        if (joined) {
          this.#parts = [head]
          this.#held = head.length
          left = left.subarray(taken)
        }
        continue
      }
      const frame = this.#decode(type!, head.subarray(headerBytes), joined)
      this.#offset += whole
      this.#parts = []
      this.#held = 0
      this.#needed = 4
      left = left.subarray(taken)
      yield frame
    }
    if (left.length > 0) this.#parts.push(left)
    this.#held += left.length
  }

  /** Call when the stream has ended. Throws if it ended inside a frame. */
  end(): void {
    if (this.#held > 0) this.#fail('the end of the stream inside a frame')
  }

  #shape(code: number): readonly [FrameName, FrameShape] {
    const entry = byCode.get(code)
    if (entry === undefined) this.#fail(`unknown frame type 0x${code.toString(16)}`)
    if (entry[1].from !== this.#from) this.#fail(`frame ${entry[0]} from the wrong side`)
    return entry
  }

  /** `own`: nobody else holds the body's memory. */
  #decode(code: number, body: Buffer, own: boolean): Frame {
    const [type, shape] = this.#shape(code)
    const reader = new FieldReader(body, own, (what) => this.#fail(`${type}: ${what}`))
    const frame: Record<string, unknown> = { type }
    for (const [name, field] of Object.entries(shape.fields)) frame[name] = reader.read(name, field)
    reader.end()
    return frame as unknown as Frame
  }

  #fail(what: string): never {
    throw new ProtocolViolation(`${what}, at byte ${this.#offset} of the stream`)
  }
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

class FieldReader {
  readonly #body: Buffer
  readonly #own: boolean
  readonly #fail: (what: string) => never
  #at = 0

  constructor(body: Buffer, own: boolean, fail: (what: string) => never) {
    this.#body = body
    this.#own = own
    this.#fail = fail
  }

  read(name: string, field: Field): unknown {
    switch (field.is) {
      case 'u8':
        return this.#take(name, 1).readUInt8()
      case 'u16':
        return this.#take(name, 2).readUInt16LE()
      case 'u32':
        return this.#take(name, 4).readUInt32LE()
      case 'u64': {
        const value = this.#take(name, 8).readBigUInt64LE()
        if (value > BigInt(Number.MAX_SAFE_INTEGER)) this.#fail(`${name} is too large`)
        return Number(value)
      }
      case 'id': {
        const value = this.#take(name, 64).toString('latin1')
        if (!isDeviceId(value)) this.#fail(`${name} is not 64 hexadecimal digits`)
        return value
      }
      case 'text':
        return this.#text(name, field.max)
      case 'ids':
      case 'texts': {
        const count = this.#take(name, 2).readUInt16LE()
        if (count > field.maxCount) this.#fail(`${name}: ${count} entries`)
        const item: Field = field.is === 'ids' ? { is: 'id' } : { is: 'text', max: field.max }
        return Array.from({ length: count }, () => this.read(name, item))
      }
      case 'rest': {
        const bytes = this.#body.subarray(this.#at)
        if (bytes.length === 0 || bytes.length > field.max) this.#fail(`${name}: ${bytes.length} bytes`)
        this.#at = this.#body.length
        // The consumer keeps it, and must not keep a whole receive buffer with it, nor a pool of small ones.
        return this.#own && bytes.length >= pooledBytes
          ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
          : new Uint8Array(bytes)
      }
    }
  }

  end(): void {
    if (this.#at !== this.#body.length) this.#fail(`${this.#body.length - this.#at} bytes too many`)
  }

  #text(name: string, max: number): string {
    const length = this.#take(name, 2).readUInt16LE()
    if (length > max) this.#fail(`${name}: ${length} bytes of text`)
    const bytes = this.#take(name, length)
    if (bytes.includes(0)) this.#fail(`${name} contains NUL`)
    try {
      return strict.decode(bytes)
    } catch {
      return this.#fail(`${name} is not UTF-8`)
    }
  }

  #take(name: string, size: number): Buffer {
    if (this.#at + size > this.#body.length) this.#fail(`${name} is cut short`)
    this.#at += size
    return this.#body.subarray(this.#at - size, this.#at)
  }
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
