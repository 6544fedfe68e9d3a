import { Buffer } from 'node:buffer'
import { invalidArgument, type UnixFdError } from './errors.js'
import type { SocketType } from './socket.js'
import type { SystemCalls } from './system-calls.js'

/** sockaddr_un holds 108 bytes with the terminating NUL. */
const MOST_PATH_BYTES = 107

export function checkPath(path: string): UnixFdError | undefined {
  if (!path.startsWith('/')) return invalidArgument('path', 'the path of a socket must be absolute')
  if (path.includes('\0')) return invalidArgument('path', 'the path of a socket cannot hold a NUL')
  const length = Buffer.byteLength(path)
  if (length > MOST_PATH_BYTES) {
    return invalidArgument(
      'path',
      `${length} bytes: a socket's path has at most ${MOST_PATH_BYTES}; use a shorter directory`,
    )
  }
  return undefined
}

export function numberOf(calls: SystemCalls, type: SocketType): number {
  return type === 'stream' ? calls.constants.SOCK_STREAM : calls.constants.SOCK_SEQPACKET
}
