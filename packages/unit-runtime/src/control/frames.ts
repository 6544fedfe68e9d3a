/**
 * The control protocol, version 1, as data: every frame, who may send it, what it carries, and the most of it. A frame
 * is a u32 (the bytes that follow), a u8 (its code), a u32 (the request that it belongs to), and its tail; big-endian.
 * Both sides, the documentation's table and the tests read this one table.
 */
export const CONTROL_VERSION = 1

/** Bounds of what the two ends of a host's control socket accept of each other. */
export const controlLimits = {
  /** Bytes of JSON in one request: an argument vector may be long. */
  requestBytes: 262_144,
  /** Bytes of JSON in one answer. */
  answerBytes: 4_194_304,
  /** Bytes of JSON of anything else. */
  noteBytes: 8_192,
  /** Bytes of data in one frame. */
  chunkBytes: 32_768,
  /** Bytes that may be under way on one stream. */
  window: 262_144,
  /** Requests of one client that are not answered yet. */
  openRequests: 32,
  clients: 64,
  /** Frames that one client is heard with in a second; after them it waits. */
  framesPerSecond: 20_000,
  /** How long a client may take to say which version it speaks. */
  helloMs: 10_000,
} as const

export type Tail = 'json' | 'bytes' | 'count' | 'nothing'

interface FrameShape {
  readonly code: number
  readonly from: 'client' | 'host'
  /** When the sender may send it. What refers to a request that was answered already is passed over. */
  readonly when: 'first' | 'any' | 'open' | 'running'
  /** Whether it begins with a u8: 0 for standard output or the log, 1 for standard error. */
  readonly stream?: true
  readonly tail: Tail
  /** The most bytes of the tail. */
  readonly max: number
}

const { requestBytes, answerBytes, noteBytes, chunkBytes } = controlLimits

/** The kinds of frames on a host's control socket, by name. */
export const controlFrames = {
  /** Which versions the client speaks. */
  hello: { code: 0x01, from: 'client', when: 'first', tail: 'json', max: noteBytes },
  /** What is asked for; its number is the client's choice. */
  request: { code: 0x02, from: 'client', when: 'any', tail: 'json', max: requestBytes },
  /** Bytes for the command's standard input, as far as there is credit. */
  input: { code: 0x03, from: 'client', when: 'running', tail: 'bytes', max: chunkBytes },
  /** The command's standard input ends. */
  'input-end': { code: 0x04, from: 'client', when: 'running', tail: 'nothing', max: 0 },
  /** How many more bytes of a stream the host may send. */
  'output-credit': { code: 0x05, from: 'client', when: 'running', stream: true, tail: 'count', max: 4 },
  /** A signal, another size of the terminal, or its end. */
  act: { code: 0x06, from: 'client', when: 'running', tail: 'json', max: noteBytes },
  /** The client does not want the answer any more; a command of it is ended. */
  cancel: { code: 0x07, from: 'client', when: 'open', tail: 'nothing', max: 0 },
  /** Which version is spoken, and whose host this is. */
  welcome: { code: 0x81, from: 'host', when: 'first', tail: 'json', max: noteBytes },
  /** The last frame of a connection: what the client did wrong. */
  refused: { code: 0x82, from: 'host', when: 'any', tail: 'json', max: noteBytes },
  /** The command runs, or the log begins. */
  started: { code: 0x83, from: 'host', when: 'open', tail: 'nothing', max: 0 },
  /** Bytes of standard output or error, or lines of a log, as far as there is credit. */
  output: { code: 0x84, from: 'host', when: 'running', stream: true, tail: 'bytes', max: chunkBytes },
  /** That stream ends. */
  'output-end': { code: 0x85, from: 'host', when: 'running', stream: true, tail: 'nothing', max: 0 },
  /** How many more bytes of input the client may send. */
  'input-credit': { code: 0x86, from: 'host', when: 'running', tail: 'count', max: 4 },
  /** How the command ended; its output may go on. */
  outcome: { code: 0x87, from: 'host', when: 'running', tail: 'json', max: noteBytes },
  /** The last frame of a request. */
  answer: { code: 0x88, from: 'host', when: 'open', tail: 'json', max: answerBytes },
} as const satisfies Readonly<Record<string, FrameShape>>

export type FrameName = keyof typeof controlFrames
export type StreamNumber = 0 | 1

type TailOf<T extends Tail> = T extends 'json'
  ? { readonly value: unknown }
  : T extends 'bytes'
    ? { readonly bytes: Uint8Array }
    : T extends 'count'
      ? { readonly count: number }
      : unknown

type FrameOf<Name extends FrameName> = {
  readonly kind: Name
  /** 0 for what concerns the whole connection. */
  readonly id: number
} & TailOf<(typeof controlFrames)[Name]['tail']> &
  ((typeof controlFrames)[Name] extends { readonly stream: true }
    ? { readonly stream: StreamNumber }
    : unknown)

export type Frame = { readonly [Name in FrameName]: FrameOf<Name> }[FrameName]
export type FrameFrom<Side extends 'client' | 'host'> = {
  readonly [Name in FrameName]: (typeof controlFrames)[Name]['from'] extends Side ? FrameOf<Name> : never
}[FrameName]

/** Bytes before the tail: the length, the code and the request. */
export const HEAD_BYTES = 9
const LENGTH_BYTES = 4
const MOST_ID = 0xffff_ffff

const names = Object.keys(controlFrames) as readonly FrameName[]
const byCode: ReadonlyMap<number, FrameName> = new Map(names.map((name) => [controlFrames[name].code, name]))
const shapeOf = (name: FrameName): FrameShape => controlFrames[name]

const encoder = new TextEncoder()

/** The bytes of a frame. Throws when it has more than its kind may: whoever builds it bounds it. */
export function encodeFrame(frame: Frame): Uint8Array {
  const shape = shapeOf(frame.kind)
  const tail = tailBytes(frame)
  if (tail.length > shape.max)
    throw new RangeError(`a frame ${frame.kind} of ${tail.length} bytes: ${shape.max} at most`)
  if (!Number.isInteger(frame.id) || frame.id < 0 || frame.id > MOST_ID)
    throw new RangeError(`${frame.id} is no request`)
  const before = HEAD_BYTES + (shape.stream ? 1 : 0)
  const bytes = new Uint8Array(before + tail.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, bytes.length - LENGTH_BYTES)
  view.setUint8(4, shape.code)
  view.setUint32(5, frame.id)
  if ('stream' in frame) view.setUint8(9, frame.stream)
  bytes.set(tail, before)
  return bytes
}

function tailBytes(frame: Frame): Uint8Array {
  if ('bytes' in frame) return frame.bytes
  if ('value' in frame) return encoder.encode(JSON.stringify(frame.value))
  if (!('count' in frame)) return new Uint8Array(0)
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, frame.count)
  return bytes
}

/**
 * Reads frames of one side out of bytes as they come. Holds at most one frame that is not whole. After a fault nothing
 * more is read: where the next frame begins is not known.
 */
export class FrameReader<Side extends 'client' | 'host'> {
  readonly #from: Side
  /** Pieces of the frame that is not whole yet, and how many bytes it takes to know more. */
  #pieces: Uint8Array[] = []
  #held = 0
  #wanted = 0
  #fault: string | undefined

  constructor(from: Side) {
    this.#from = from
  }

  /** What was wrong with the bytes; undefined as long as nothing is. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** The frames that these bytes complete. Look at `fault` afterwards. */
  *take(bytes: Uint8Array): Generator<FrameFrom<Side>, void, undefined> {
    if (this.#fault !== undefined) return
    // A copy: the sender of `bytes` may use them again. Joined once for each frame, however small the pieces are.
    this.#pieces.push(new Uint8Array(bytes))
    this.#held += bytes.length
    if (this.#held < this.#wanted) return
    let rest = joined(this.#pieces, this.#held)
    for (;;) {
      const found = this.#next(rest)
      if (typeof found === 'string') {
        this.#fault = found
        this.#pieces = []
        return
      }
      if (typeof found === 'number') {
        this.#wanted = found
        break
      }
      rest = rest.subarray(found.length)
      yield found.frame as FrameFrom<Side>
    }
    this.#pieces = rest.length === 0 ? [] : [rest]
    this.#held = rest.length
  }

  /** A frame, how many bytes it takes to know more, or what is wrong. */
  #next(bytes: Uint8Array): { readonly frame: Frame; readonly length: number } | string | number {
    if (bytes.length < LENGTH_BYTES + 1) return LENGTH_BYTES + 1
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const name = byCode.get(view.getUint8(4))
    if (name === undefined || shapeOf(name).from !== this.#from)
      return `there is no frame 0x${view.getUint8(4).toString(16).padStart(2, '0')} from a ${this.#from}`
    const shape = shapeOf(name)
    const before = HEAD_BYTES + (shape.stream ? 1 : 0)
    const length = view.getUint32(0) + LENGTH_BYTES
    const least = before + (shape.tail === 'nothing' ? 0 : shape.tail === 'count' ? 4 : 1)
    if (length < least || length > before + shape.max)
      return `a frame ${name} of ${length} bytes: ${least} to ${before + shape.max} are allowed`
    if (bytes.length < length) return length
    const stream = shape.stream ? view.getUint8(9) : 0
    if (stream > 1) return `a frame ${name} for stream ${stream}: there are 0 and 1`
    const tail = bytes.subarray(before, length)
    const value = fieldsOf(shape.tail, tail, name)
    if (typeof value === 'string') return value
    const frame = {
      kind: name,
      id: view.getUint32(5),
      ...(shape.stream ? { stream } : {}),
      ...value,
    } as Frame
    return { frame, length }
  }
}

function fieldsOf(tail: Tail, bytes: Uint8Array, name: FrameName): object | string {
  switch (tail) {
    case 'nothing':
      return {}
    case 'bytes':
      return { bytes: new Uint8Array(bytes) }
    case 'count':
      return { count: new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) }
    case 'json':
      try {
        return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown }
      } catch {
        return `a frame ${name} whose tail is no JSON`
      }
  }
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = pieces
  if (pieces.length === 1 && only !== undefined) return only
  const bytes = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}
