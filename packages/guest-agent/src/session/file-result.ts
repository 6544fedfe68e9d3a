import { Buffer } from 'node:buffer'
import type { AgentError, FileFailure } from '../errors.js'
import { codes, limits } from '../frames.js'
import { errnoName } from '../names.js'

/** What a unit says of a file: before its content when it is got, after it when it was put. */
export interface FileResult {
  readonly status: number
  readonly errno: number
  readonly size: number
  readonly mode: number
}

/** u8 status, u32 errno, u64 size, u16 mode, little-endian. Undefined: a unit that says so breaks the protocol. */
export function decodeResult(bytes: Uint8Array): FileResult | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const size = view.readBigUInt64LE(5)
  const result = {
    status: view.readUInt8(0),
    errno: view.readUInt32LE(1),
    size: Number(size),
    mode: view.readUInt16LE(13),
  }
  const { status, errno, mode } = result
  const makesSense =
    status <= codes.file.cut &&
    (errno !== 0) === (status === codes.file.failed) &&
    size <= BigInt(limits.fileBytes) &&
    mode <= 0o7777
  return makesSense ? result : undefined
}

const reasons: Readonly<Record<string, FileFailure>> = {
  ENOENT: 'not-found',
  ENOTDIR: 'not-found',
  EISDIR: 'is-directory',
  EXDEV: 'outside',
  EACCES: 'permission',
  EPERM: 'permission',
  EROFS: 'read-only',
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
  EFBIG: 'too-large',
  ECANCELED: 'interrupted',
  EINTR: 'interrupted',
}

const advice: Readonly<Record<FileFailure, string>> = {
  'not-found': 'there is no such file, or no such directory above it',
  'is-directory': 'it is a directory: name a regular file',
  'not-regular': 'it is no regular file but a device, a FIFO or a socket',
  outside: 'a link leads out of the directory that was named: name one that holds both',
  permission: 'the unit does not permit it',
  'read-only': 'its file system is read-only: put it below /tmp, /run, /home or a volume',
  'no-space': 'its file system has no room: use a larger volume, or remove something',
  'too-large': 'it is larger than what is allowed: allow more',
  'wrong-size': 'its size is not the one that was told first: try again while nobody changes it',
  interrupted:
    'the unit gave it up: it is being shut down, or a program in it ended the transfer: try again if it still runs',
  other: 'the file system of the unit failed',
}

export function fileFailed(what: string, reason: FileFailure, errno?: string): AgentError {
  const said = errno === undefined ? '' : ` (${errno})`
  return { kind: 'file-failed', reason, errno, message: `${what}: ${advice[reason]}${said}` }
}

/** What a result other than `done` means. */
export function failureOfResult(what: string, { status, errno }: FileResult): AgentError {
  if (status === codes.file.directory) return fileFailed(what, 'is-directory')
  if (status === codes.file['not-regular']) return fileFailed(what, 'not-regular')
  if (status === codes.file.cut) return fileFailed(what, 'wrong-size')
  const name = errnoName(errno) ?? ''
  return fileFailed(what, reasons[name] ?? 'other', name)
}
