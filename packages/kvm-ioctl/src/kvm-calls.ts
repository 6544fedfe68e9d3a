/** Names a descriptor or guest memory in the native part, for the whole process; never used again once closed. */
export type Handle = number

/** What there is besides the native calls. */
export interface EventLoop {
  /** Calls back once everything else in this program had its turn. */
  nextTurn(go: () => void): void
}

/**
 * The native calls: a negative number is `-errno`, or one of `answers`. A handle belongs to the JavaScript thread that
 * made or took it; only `kick` takes anybody's. Arguments of the wrong type throw a TypeError.
 */
export interface KvmCalls extends EventLoop {
  /** Nanoseconds of a clock that only goes forward; no native call. */
  now(): number
  /** What the native part is built for, by the kernel's name. */
  readonly architecture: string
  /** Bytes; 64 KiB on some machines. */
  readonly pageSize: number
  /** Negative numbers that are no errors of the kernel's. */
  readonly answers: {
    /** The handle has been closed. */
    readonly closed: number
    /** A thread is in KVM_RUN: the kernel would let the caller wait for it. */
    readonly running: number
    readonly pending: number
    /** Another JavaScript thread owns the handle. */
    readonly wrongThread: number
  }

  /** /dev/kvm. */
  open(): Handle
  /** Takes over a descriptor that a request answered, which needs `parent` as long as it lives. */
  adopt(fd: number, parent: Handle): Handle
  /** Closes the handle; the descriptor itself when nothing made from it is left. */
  close(handle: Handle): number
  /** The descriptor's number, borrowed. */
  descriptor(handle: Handle): number
  /** A second handle of the same, without an owner until a thread takes it. */
  share(handle: Handle): Handle
  /** Makes this thread the owner of a handle that came from `share`; 0, or -errno. */
  take(handle: Handle): number

  /** For requests whose argument is a number, or nothing. */
  ioctlNumber(handle: Handle, request: number, argument: number | bigint): number
  /**
   * For requests whose argument is a structure; `bytes` has at least the size that the request names. `places` are pairs of
   * an offset in it and the memory whose address stands there for the length of the call.
   */
  ioctlBytes(handle: Handle, request: number, bytes: Uint8Array, ...places: (number | Uint8Array)[]): number
  /** `position` -1: where the descriptor stands. */
  read(handle: Handle, bytes: Uint8Array, position: number): number
  /** write(2): how many bytes, or -errno. */
  write(handle: Handle, bytes: Uint8Array): number

  /** Anonymous memory of so many bytes. */
  anonymousMemory(length: number, hugePages: 0 | 1): Handle
  /** The same in a memfd, which other processes can map. */
  memfdMemory(length: number, hugePages: 0 | 1): Handle
  /** `access`: 0 a private copy, 1 the file for writing, 2 the file for reading, which JavaScript cannot look at. */
  fileMemory(fd: number, offset: number, length: number, access: 0 | 1 | 2, vouched: 0 | 1): Handle
  /** The memory itself, without a copy. One at a time per thread. */
  bytesOf(memory: Handle): ArrayBuffer | number
  /** What KVM shares through a descriptor. */
  map(handle: Handle, offset: number, length: number): ArrayBuffer | number
  /** A vCPU's kvm_run; `run` needs it. */
  mapRun(vcpu: Handle, length: number): ArrayBuffer | number
  /** Empties every view of it. -EBUSY when its memory was transferred away: then the collector unmaps it. */
  forget(buffer: ArrayBuffer): number
  /** Gives a guest a part of memory as its slot (`memory` 0: takes it away). The machine holds the pages. */
  setSlot(
    machine: Handle,
    request: number,
    bytes: Uint8Array,
    addressAt: number,
    slot: number,
    memory: Handle | 0,
    offset: number,
    length: number,
  ): number

  /** The bytes of a machine's slot, whichever thread made it; -ENOENT without one. */
  slotLength(machine: Handle, slot: number): number
  /** What of a slot was written: a bit for each page, in words of 64. -EOVERFLOW when `bitmap` is too small by now. */
  dirtyLog(
    machine: Handle,
    request: number,
    bytes: Uint8Array,
    addressAt: number,
    slot: number,
    bitmap: Uint8Array,
  ): number

  /** KVM_RUN in this thread: 0 for an exit, 1 when kicked, -EINTR to call it again. */
  run(vcpu: Handle): number
  /** Ends the run in progress, or the next one. */
  kick(vcpu: Handle): number
  /**
   * A thread of the vCPU's own. `tell` hears the results for which `threadRun` answered `pending`, and how long each run
   * took from that call on.
   */
  threadStart(vcpu: Handle, tell: (result: number, nanoseconds: number) => void): number
  /**
   * As `run`, in that thread; looks at most so long for the result before it answers `pending`. The thread looks as long
   * for the next call before it sleeps.
   */
  threadRun(vcpu: Handle, nanoseconds: number): number
  /** Ends the thread of a vCPU once it has left its run; 0, or -errno. */
  threadStop(vcpu: Handle): number
  /** Whether the thread keeps the program alive. */
  threadHold(vcpu: Handle, hold: 0 | 1): number

  /** Ends this process after `seconds`, or with the thread that started it. */
  endWithParentOrAfter(seconds: number): number
}
