import { Buffer } from 'node:buffer'
import { err, ok, type Result } from 'neverthrow'
import type {
  AgentOptions,
  Clock,
  FileContent,
  FileGet,
  FilePut,
  GuestFile,
  GuestFilePlace,
} from '../agent.js'
import type { AgentError } from '../errors.js'
import { printable } from '../escape.js'
import { codes, limits } from '../frames.js'
import { patience, unlessAborted } from '../patience.js'
import { faultOfUser } from '../requests.js'
import type { HostStream } from '../stream.js'
import type { HostStreams } from '../streams.js'
import { ArrivingFile } from './arriving-file.js'
import { decodeResult, failureOfResult, fileFailed } from './file-result.js'

const fileMs = 30_000
const bytesPerMs = (1024 * 1024) / 1_000

/** Puts a file: its content goes on a stream of its own, and what became of it comes back on that. */
export async function putFile(
  streams: HostStreams,
  clock: Clock,
  { mode = 0o644, owner, ...place }: FilePut,
  content: FileContent,
  options: AgentOptions,
): Promise<Result<void, AgentError>> {
  const size = content instanceof Uint8Array ? content.length : content.size
  const at = placeOf(place)
  if ('kind' in at) return err(at)
  const wrong = faultOfPut(size, mode) ?? faultOfUser(owner)
  if (wrong !== undefined) return err(wrong)
  const deadlineMs = options.deadlineMs ?? fileMs + size / bytesPerMs
  using wait = patience(clock, { signal: options.signal, deadlineMs })
  const what = 'putting a file into the unit'
  const { uid, gid } = owner ?? { uid: codes.user.own, gid: codes.user.own }
  const opened = await streams.open(what, { signal: wait.signal, deadlineMs }, (stream) => ({
    type: 'put-file',
    ...{ stream, size, mode, uid, gid },
    ...at,
  }))
  if (opened.isErr()) return err(wait.signal.aborted ? wait.error(what) : opened.error)
  const stream = opened.value
  const ownFault = send(stream, size, content).then((fault) => fault ?? new Promise<never>(() => {}))
  const ended = await unlessAborted(
    Promise.race([ownFault, readPutResult(streams, stream, size)]),
    wait.signal,
  )
  if (ended === 'aborted') {
    const error = wait.error(what)
    const mayBeThere = stream.endTold
    stream.reset()
    return err(mayBeThere ? { ...error, outcome: 'unknown' } : error)
  }
  if (ended !== 'done') stream.reset()
  return ended === 'done' ? ok(undefined) : err(ended)
}

/** Sends all of it, or as much as the unit takes; resolves with what is wrong with the content itself. */
async function send(stream: HostStream, size: number, content: FileContent): Promise<AgentError | undefined> {
  const what = 'putting a file into the unit'
  let left = size
  try {
    for await (const bytes of content instanceof Uint8Array ? [content] : content.content) {
      if (bytes.length > left) return fileFailed(what, 'wrong-size')
      left -= bytes.length
      // The unit has had enough of it: its result says why.
      if (!(await isTaken(stream.write(bytes)))) return undefined
    }
  } catch (cause) {
    return { kind: 'aborted', message: `${what}: its content failed: ${printable(String(cause))}` }
  }
  if (left > 0) return fileFailed(what, 'wrong-size')
  await isTaken(stream.end())
  return undefined
}

const isTaken = (work: Promise<void>): Promise<boolean> =>
  work.then(
    () => true,
    () => false,
  )

async function readPutResult(
  streams: HostStreams,
  stream: HostStream,
  size: number,
): Promise<AgentError | 'done'> {
  const what = 'putting a file into the unit'
  const held: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of stream.incoming) {
    held.push(chunk)
    bytes += chunk.length
    if (bytes > limits.fileResultBytes) break
  }
  if (bytes === 0) return leftAlone(stream, what)
  const result = bytes === limits.fileResultBytes ? decodeResult(Buffer.concat(held)) : undefined
  const isDone = result?.status === codes.file.done
  if (result === undefined || (isDone && (result.size !== size || !stream.endTold))) {
    streams.violated('put-file: a result that makes no sense')
    return leftAlone(stream, what)
  }
  return isDone ? 'done' : failureOfResult(what, result)
}

/** The unit has ended the stream without a word. */
async function leftAlone(stream: HostStream, what: string): Promise<AgentError> {
  const end = await stream.closed
  if (end.kind === 'unit-lost') {
    return { kind: 'unit-lost', message: end.message, closed: { kind: 'closed-by-unit' } }
  }
  return fileFailed(what, 'interrupted')
}

/** Opens a file: what the unit says of it comes first on the stream, then its content. */
export async function getFile(
  streams: HostStreams,
  clock: Clock,
  { maxBytes = limits.fileBytes, ...place }: FileGet,
  options: AgentOptions,
): Promise<Result<GuestFile, AgentError>> {
  const at = placeOf(place)
  if ('kind' in at) return err(at)
  const what = 'getting a file from the unit'
  const deadlineMs = options.deadlineMs ?? fileMs
  const wait = patience(clock, { signal: options.signal, deadlineMs })
  const opened = await streams.open(what, { signal: wait.signal, deadlineMs }, (stream) => ({
    type: 'get-file',
    stream,
    ...at,
  }))
  if (opened.isErr()) {
    wait[Symbol.dispose]()
    return err(wait.signal.aborted ? wait.error(what) : opened.error)
  }
  const stream = opened.value
  const file = new ArrivingFile(what, stream, (message) => streams.violated(message))
  const begun = await unlessAborted(file.begin(), wait.signal)
  const failure =
    begun === 'aborted'
      ? wait.error(what)
      : begun === 'nothing'
        ? await leftAlone(stream, what)
        : begun.status !== codes.file.done
          ? failureOfResult(what, begun)
          : begun.size > maxBytes
            ? fileFailed(what, 'too-large')
            : undefined
  if (failure !== undefined) {
    wait[Symbol.dispose]()
    stream.reset()
    return err(failure)
  }
  let life = wait
  if (options.deadlineMs === undefined) {
    wait[Symbol.dispose]()
    life = patience(clock, { signal: options.signal })
  }
  void unlessAborted(file.ended, life.signal).then((end) => {
    life[Symbol.dispose]()
    if (end === 'aborted') file.fail(life.error(what))
  })
  return ok(file)
}

function faultOfPut(size: number, mode: number): AgentError | undefined {
  if (!Number.isSafeInteger(size) || size < 0 || size > limits.fileBytes) {
    return invalid('size', `${size} bytes: a file has 0 to ${limits.fileBytes}`)
  }
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o7777) {
    return invalid('mode', `${mode} is no mode: 0 to 0o7777`)
  }
  return undefined
}

function placeOf({ below = '/', path }: GuestFilePlace): { below: string; path: string } | AgentError {
  const relative = below === '/' ? path.replace(/^\/+/, '') : path
  if (!below.startsWith('/') || isTooLong(below)) {
    return invalid('below', `${quote(below)} is not an absolute path of at most ${limits.pathBytes} bytes`)
  }
  if (relative === '' || relative.startsWith('/') || isTooLong(relative)) {
    return invalid(
      'path',
      `${quote(path)} names nothing below a directory, in at most ${limits.pathBytes} bytes`,
    )
  }
  return { below, path: relative }
}

const isTooLong = (path: string): boolean => path.includes('\0') || Buffer.byteLength(path) > limits.pathBytes

const invalid = (field: string, message: string): AgentError => ({ kind: 'invalid-request', field, message })

const quote = (text: string): string => JSON.stringify(printable(text, 80))
