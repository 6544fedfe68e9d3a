import type { Result } from 'neverthrow'
import { connect, socketpair } from './connecting.js'
import type { UnixFdError } from './errors.js'
import { adoptEventFd, createEventFd, type EventFd } from './eventfd.js'
import { Fd } from './fd.js'
import { createInbox, type Inbox, type InboxRoom } from './inbox.js'
import { type Inspection, inspect } from './inspection.js'
import { type Listener, type ListenOptions, listen } from './listening.js'
import { type MapOptions, type Mapping, map } from './mapping.js'
import { createMemfd, type Memfd, type Seal, sealsOf } from './memfd.js'
import { openPidfd, type Pidfd } from './pidfd.js'
import { createPipe, type Pipe } from './pipe.js'
import { type SocketType, UnixSocket } from './socket.js'
import type { Pause, ReadStartTime, SystemCalls } from './system-calls.js'
import { createTreeCalls, type Opening, openPath, type TreeCalls } from './tree.js'

/** The calls Node lacks, as one power. Every descriptor it opens is close-on-exec. */
export interface UnixFd {
  /** Takes over the ownership of a number that something else opened. */
  adopt(number: number): Fd
  /** Takes over a connected socket, such as an inherited one, and makes it non-blocking by its use alone. */
  adoptSocket(fd: Fd, type: SocketType): UnixSocket
  /**
   * A process by its number, from now on safe from reuse of that number. With `startTime` only the process
   * that started then. Errors: `no-such-process`, `reused-process-id`, `permission-denied`, `system`.
   */
  openPidfd(pid: number, options?: { readonly startTime?: bigint }): Result<Pidfd, UnixFdError>
  /** Two connected sockets (socketpair(2)). Both are the caller's. Errors: `system` (EMFILE …). */
  socketpair(type: SocketType): Result<[UnixSocket, UnixSocket], UnixFdError>
  /** Errors: `not-listening`, `busy`, `permission-denied`, `invalid-argument`, `system` (EPROTOTYPE: other type). */
  connect(path: string, type: SocketType): Result<UnixSocket, UnixFdError>
  /** Errors: `address-in-use`, `permission-denied`, `invalid-argument`, `system`. */
  listen(path: string, type: SocketType, options?: ListenOptions): Result<Listener, UnixFdError>
  /** Room that is used for one message after the other. Errors: `invalid-argument`. */
  createInbox(room?: InboxRoom): Result<Inbox, UnixFdError>
  /** What a descriptor is, whoever opened it. Errors: `closed`, `system`. */
  inspect(fd: Fd): Result<Inspection, UnixFdError>
  /**
   * The file as memory, without a copy. `fd` may close afterwards. Errors: `may-shrink`, `permission-denied` (not
   * opened or sealed for it), `invalid-argument` (bounds, no regular file), `closed`, `system`.
   */
  map(fd: Fd, options: MapOptions): Result<Mapping, UnixFdError>
  /**
   * An anonymous file (memfd_create(2)) that can be sealed, the caller's. `size` in bytes, zeroes; default 0. Errors:
   * `invalid-argument` (a name of more than 249 bytes, or with NUL), `system`.
   */
  createMemfd(name: string, options?: { readonly size?: number }): Result<Memfd, UnixFdError>
  /** What is forbidden with a memfd, also one that arrived, from F_GET_SEALS. Errors: `closed`, `system` (EINVAL: it is none). */
  sealsOf(fd: Fd): Result<readonly Seal[], UnixFdError>
  /** A counter of 64 bits that can be waited for (eventfd(2)), the caller's. Errors: `system`. */
  createEventFd(): Result<EventFd, UnixFdError>
  /**
   * Takes over an eventfd that came from elsewhere and makes it non-blocking, for everybody who has it. Errors:
   * `invalid-argument` (it is none; `fd` stays the caller's), `closed`, `system`.
   */
  adoptEventFd(fd: Fd): Result<EventFd, UnixFdError>
  /** A pipe (pipe2(2)); both ends are the caller's, and block unless asked not to. Errors: `system`. */
  createPipe(options?: { readonly nonBlocking?: boolean }): Result<Pipe, UnixFdError>
  /**
   * An absolute path, without following a symbolic link at its end. Errors: `permission-denied`, `system` (`code`:
   * ENOENT, ELOOP for a link that is not opened as a `place`, ENOTDIR), `invalid-argument`.
   */
  openPath(path: string, opening: Opening): Result<Fd, UnixFdError>
  /** What lies below directories that are open already. */
  readonly tree: TreeCalls
}

/** The power over the given native calls. `@spectrum/unix-fd/linux` has the real ones. */
export function createUnixFd(calls: SystemCalls, readStartTime: ReadStartTime, pause: Pause): UnixFd {
  return {
    adopt: (number) => new Fd(calls, number),
    adoptSocket: (fd, type) => new UnixSocket(calls, fd, type),
    openPidfd: (pid, options) => openPidfd(calls, readStartTime, pid, options),
    socketpair: (type) => socketpair(calls, type),
    connect: (path, type) => connect(calls, path, type),
    listen: (path, type, options) => listen(calls, pause, path, type, options),
    createInbox: (room = {}) => createInbox(calls, room),
    inspect: (fd) => inspect(calls, fd),
    map: (fd, options) => map(calls, fd, options),
    createMemfd: (name, options) => createMemfd(calls, name, options),
    sealsOf: (fd) => sealsOf(calls, fd),
    createEventFd: () => createEventFd(calls),
    adoptEventFd: (fd) => adoptEventFd(calls, fd),
    createPipe: (options) => createPipe(calls, options),
    openPath: (path, opening) => openPath(calls, path, opening),
    tree: createTreeCalls(calls),
  }
}
