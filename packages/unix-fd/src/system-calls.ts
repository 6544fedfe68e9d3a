/**
 * The calls the native part makes: the seam between this package's policy and the kernel. Each takes and
 * gives plain numbers; a negative result is `-errno`. Wrong types throw.
 */
export interface SystemCalls {
  readonly constants: {
    readonly SOCK_STREAM: number
    readonly SOCK_SEQPACKET: number
    readonly SHUT_RD: number
    readonly SHUT_WR: number
    readonly MSG_TRUNC: number
    readonly MSG_CTRUNC: number
    readonly MFD_ALLOW_SEALING: number
    readonly F_GETFL: number
    readonly F_SETFL: number
    readonly F_GET_SEALS: number
    readonly F_ADD_SEALS: number
    readonly F_SEAL_SEAL: number
    readonly F_SEAL_SHRINK: number
    readonly F_SEAL_GROW: number
    readonly F_SEAL_WRITE: number
    readonly O_NONBLOCK: number
    readonly SOCK_DGRAM: number
    readonly AF_UNIX: number
    readonly SO_TYPE: number
    readonly SO_DOMAIN: number
    readonly SO_ACCEPTCONN: number
    readonly EAGAIN: number
    readonly F_GETFD: number
    readonly FD_CLOEXEC: number
    readonly F_SEAL_FUTURE_WRITE: number
    readonly F_SEAL_EXEC: number
    readonly O_ACCMODE: number
    readonly O_RDONLY: number
    readonly O_WRONLY: number
    readonly O_RDWR: number
    readonly O_APPEND: number
    readonly O_PATH: number
    readonly O_CREAT: number
    readonly O_NOFOLLOW: number
    readonly O_DIRECTORY: number
    readonly O_NOCTTY: number
    readonly AT_FDCWD: number
    readonly RESOLVE_BENEATH: number
    readonly RESOLVE_NO_SYMLINKS: number
    readonly RESOLVE_NO_MAGICLINKS: number
    readonly RESOLVE_NO_XDEV: number
    readonly WNOWAIT: number
    readonly CLD_EXITED: number
    readonly CLD_KILLED: number
    readonly CLD_DUMPED: number
    readonly PAGE_SIZE: number
  }
  /** close(2). */
  close(fd: number): number
  /** Closes `count` entries from `first` on; the first error, if any. */
  closeAll(descriptors: Int32Array, first: number, count: number): number
  /** F_DUPFD_CLOEXEC. */
  duplicate(fd: number): number
  /** fcntl(2), for commands that take and give a number. */
  fcntl(fd: number, command: number, argument: number): number
  /** read(2) into the bytes; how many. */
  read(fd: number, bytes: Uint8Array): number
  /** write(2) of the bytes; how many. */
  write(fd: number, bytes: Uint8Array): number
  /** memfd_create(2); the descriptor. */
  memfdCreate(name: string, flags: number): number
  /** ftruncate(2). */
  resize(fd: number, size: number): number
  /** Close-on-exec; a file that is made has mode 0600. */
  open(path: string, flags: number): number
  /** Exclusive, without waiting. */
  lock(fd: number): number
  /** eventfd2(2); the descriptor. */
  eventfd(initial: number, flags: number): number
  /** pipe2(2) into two places. */
  pipe(ends: Int32Array, flags: number): number
  /** pidfd_open(2); the descriptor. */
  pidfdOpen(pid: number): number
  /** pidfd_send_signal(2). */
  pidfdSendSignal(pidfd: number, signal: number): number
  /** Never waits. out: pid (0 while it runs), CLD_ code, status. */
  wait(pidfd: number, flags: number, out: Int32Array): number
  /** out: mode, size, device, inode, links. */
  inspect(fd: number, out: BigInt64Array): number
  /** getsockopt(2) at SOL_SOCKET, for options that are a number. */
  socketOption(fd: number, option: number): number
  /** Gives an ArrayBuffer over the file, or a negative number. */
  map(fd: number, offset: number, length: number, shared: number): ArrayBuffer | number
  /** Empties every view of the ArrayBuffer, then unmaps it. */
  unmap(bytes: ArrayBuffer): number
  /** socket(2) of AF_UNIX, close-on-exec and non-blocking; the descriptor. */
  socket(type: number): number
  /** socketpair(2), the same, into two places. */
  socketpair(type: number, ends: Int32Array): number
  /** bind(2) to a path. */
  bind(fd: number, path: string): number
  /** connect(2) to a path. */
  connect(fd: number, path: string): number
  /** listen(2). */
  listen(fd: number, backlog: number): number
  /** accept4(2); the descriptor. */
  accept(fd: number): number
  /** shutdown(2). */
  shutdown(fd: number, how: number): number
  /** out: pid, uid, gid. */
  peerCredentials(fd: number, out: Int32Array): number
  /** unlink(2). */
  unlink(path: string): number
  /** openat2. Paths and names here are strings of one character per byte, 1 to 255. */
  openBeneath(directory: number, path: string, flags: number, resolve: number): number
  /** out: mode, then size, device, inode and mount as two halves each, the low one first. Of the fd itself: ''. */
  statAt(directory: number, name: string, out: Int32Array): number
  /** readlinkat(2) into the bytes; how many. */
  readLinkAt(directory: number, name: string, bytes: Uint8Array): number
  /** getdents64: linux_dirent64 records. `again`: from the start. */
  list(directory: number, bytes: Uint8Array, again: number): number
  /** preadv into `count` pairs of offset and length within `bytes`. */
  readPieces(fd: number, position: number, bytes: Uint8Array, pieces: Int32Array, count: number): number
  /** sendmsg(2), the descriptors with the first byte; how many bytes. */
  send(
    fd: number,
    bytes: Uint8Array,
    start: number,
    size: number,
    descriptors: Int32Array,
    first: number,
    count: number,
  ): number
  /** How many messages. Each slot of `out`: flags, length, count, descriptors …, and its part of `bytes`. */
  receive(fd: number, bytes: Uint8Array, out: Int32Array, mostDescriptors: number, slots: number): number
  /** Gives a watch object, or a negative number. One watch per descriptor. */
  watchOpen(fd: number, onReady: OnReady): object | number
  /** Which events of a descriptor the loop tells from now on; 0 for none. */
  watchSet(watch: object, events: number): number
  /** Whether a started watch keeps the program alive. */
  watchHold(watch: object, on: number): void
  /** Ends watching; the descriptor stays open. */
  watchClose(watch: object): void
  /** CLOCK_MONOTONIC in nanoseconds. */
  now(): number
  /**
   * Looks until one is ready or the time (1 ms at most) is over: how many are. `descriptors` holds `count` (8 at most)
   * times the number, the wanted events and, afterwards, those found.
   */
  look(descriptors: Int32Array, count: number, nanoseconds: number): number
}

/**
 * Called back with 0 or -errno, the events, and the event loop's time in milliseconds, the same for all that it tells in
 * one turn. Whoever answers true is called again in that turn, with no events, once what it set off (promises, ticks) has
 * run.
 */
export type OnReady = (status: number, events: number, turn: number) => boolean

/** What the kernel says about a process by its number; absent when there is no such process. */
export type ReadStartTime = (pid: number) => bigint | undefined

/** Resolves after `ms` milliseconds, or when `signal` aborts. */
export type Pause = (ms: number, signal: AbortSignal) => Promise<void>

/** UV_READABLE and UV_WRITABLE, fixed in libuv 1.x. */
export const READABLE = 1
export const WRITABLE = 2

/** SCM_MAX_FD: the most descriptors one message can carry. */
export const MOST_DESCRIPTORS = 253

/** The most messages that the native part receives at once. */
export const MOST_MESSAGES = 64
