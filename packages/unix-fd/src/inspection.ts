import { err, ok, type Result } from 'neverthrow'
import { closedError, systemError, type UnixFdError } from './errors.js'
import type { Fd } from './fd.js'
import { type Seal, sealsOf } from './memfd.js'
import type { SocketType } from './socket.js'
import type { SystemCalls } from './system-calls.js'

/** The file's type by fstat(2). `anonymous`: what has none, such as an eventfd or, before Linux 6.9, a pidfd. */
export type FileType =
  | 'file'
  | 'directory'
  | 'character-device'
  | 'block-device'
  | 'pipe'
  | 'socket'
  | 'symbolic-link'
  | 'anonymous'

/** What the descriptor was opened for. `path`: O_PATH, for neither. */
export type Access = 'read' | 'write' | 'read-write' | 'path'

/** What a descriptor that is a socket is, from getsockopt(2). */
export interface SocketInspection {
  /** SO_DOMAIN: `unix`, or the number of another address family. */
  readonly domain: 'unix' | number
  /** SO_TYPE: a name, or the number of another type. */
  readonly type: SocketType | 'datagram' | number
  /** SO_ACCEPTCONN: whether peers can connect to it. */
  readonly listening: boolean
}

/** What a descriptor is: to be looked at before one that came from elsewhere is used. */
export interface Inspection {
  /** By its S_IFMT (inode(7)); `anonymous` where it has none. */
  readonly type: FileType
  /** Bytes, of a file; of others what the kernel gives, mostly 0. */
  readonly size: bigint
  /** With `inode`, the identity of the open file. */
  readonly device: bigint
  /** See `device`. */
  readonly inode: bigint
  /** O_ACCMODE of its flags. */
  readonly access: Access
  /** O_APPEND: writes go to the end. */
  readonly append: boolean
  /** O_NONBLOCK. It is of the open file, so other holders of it set it too. */
  readonly nonBlocking: boolean
  /** FD_CLOEXEC: programs that are executed do not get it. */
  readonly closeOnExec: boolean
  /** Absent where the file can have none: it is no memfd, and no file of a tmpfs. */
  readonly seals: readonly Seal[] | undefined
  /** Absent where it is no socket. */
  readonly socket: SocketInspection | undefined
}

/** S_IFMT and its values, the same on every architecture. inode(7). */
const TYPE_MASK = 0o170000
const TYPES: ReadonlyMap<number, FileType> = new Map([
  [0o100000, 'file'],
  [0o040000, 'directory'],
  [0o020000, 'character-device'],
  [0o060000, 'block-device'],
  [0o010000, 'pipe'],
  [0o140000, 'socket'],
  [0o120000, 'symbolic-link'],
])

export function inspect(calls: SystemCalls, fd: Fd): Result<Inspection, UnixFdError> {
  if (fd.closed) return err(closedError())
  const { constants } = calls
  const stat = new BigInt64Array(5)
  const found = calls.inspect(fd.number, stat)
  if (found < 0) return err(systemError('fstat', found))
  const status = calls.fcntl(fd.number, constants.F_GETFL, 0)
  if (status < 0) return err(systemError('fcntl(F_GETFL)', status))
  const flags = calls.fcntl(fd.number, constants.F_GETFD, 0)
  if (flags < 0) return err(systemError('fcntl(F_GETFD)', flags))
  const type = TYPES.get(Number(stat[0]!) & TYPE_MASK) ?? 'anonymous'
  const access = accessOf(constants, status)
  const socket = type === 'socket' && access !== 'path' ? inspectSocket(calls, fd) : ok(undefined)
  if (socket.isErr()) return err(socket.error)
  return ok({
    type,
    size: stat[1]!,
    // Both are unsigned.
    device: BigInt.asUintN(64, stat[2]!),
    inode: BigInt.asUintN(64, stat[3]!),
    access,
    append: (status & constants.O_APPEND) !== 0,
    nonBlocking: (status & constants.O_NONBLOCK) !== 0,
    closeOnExec: (flags & constants.FD_CLOEXEC) !== 0,
    seals: sealsOf(calls, fd).unwrapOr(undefined),
    socket: socket.value,
  })
}

function accessOf(constants: SystemCalls['constants'], status: number): Access {
  if (status & constants.O_PATH) return 'path'
  const mode = status & constants.O_ACCMODE
  if (mode === constants.O_RDONLY) return 'read'
  return mode === constants.O_WRONLY ? 'write' : 'read-write'
}

function inspectSocket(calls: SystemCalls, fd: Fd): Result<SocketInspection, UnixFdError> {
  const { SO_DOMAIN, SO_TYPE, SO_ACCEPTCONN, AF_UNIX, SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM } =
    calls.constants
  const [domain, type, listening] = [SO_DOMAIN, SO_TYPE, SO_ACCEPTCONN].map((option) =>
    calls.socketOption(fd.number, option),
  ) as [number, number, number]
  const problem = [domain, type, listening].find((value) => value < 0)
  if (problem !== undefined) return err(systemError('getsockopt', problem))
  const names: Readonly<Record<number, SocketInspection['type']>> = {
    [SOCK_STREAM]: 'stream',
    [SOCK_SEQPACKET]: 'seqpacket',
    [SOCK_DGRAM]: 'datagram',
  }
  return ok({
    domain: domain === AF_UNIX ? 'unix' : domain,
    type: names[type] ?? type,
    listening: listening !== 0,
  })
}
