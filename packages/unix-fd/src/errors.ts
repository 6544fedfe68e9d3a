import { getSystemErrorName } from 'node:util'

/**
 * Everything that can go wrong with a descriptor. `code` is the kernel's name of the error: `EMFILE` …; `call` the system call that
 * said it; `sentBytes` how many bytes of the message that was being sent the kernel had taken by then.
 */
export type UnixFdError =
  /** The process has ended and was reaped, or never existed. */
  | { readonly kind: 'no-such-process'; readonly message: string }
  /** The number now belongs to another process than the one that was meant. */
  | {
      readonly kind: 'reused-process-id'
      readonly message: string
      /** Of the process that has the number now, as `Pidfd.startTime` tells it. */
      readonly startTime: bigint
    }
  /** The kernel does not let this process do it (EPERM, EACCES). */
  | {
      readonly kind: 'permission-denied'
      readonly message: string
      /** Name of the system call: `sendmsg` … */
      readonly call: string
      /** The kernel's name of the error (errno(3)): `EMFILE` … */
      readonly code: string
    }
  /** Nobody listens at the path, or nothing is there. */
  | {
      readonly kind: 'not-listening'
      readonly message: string
      /** Of the socket, as it was given. */
      readonly path: string
      /** The kernel's name of the error (errno(3)): `EMFILE` … */
      readonly code: string
    }
  /** Something is at the path already, whether anybody listens there or not; with the option `lock`, somebody does. */
  | {
      readonly kind: 'address-in-use'
      readonly message: string
      /** Of the socket, as it was given. */
      readonly path: string
    }
  /** The listener's queue is full: connect again later. */
  | { readonly kind: 'busy'; readonly message: string }
  /** The peer closed while there was something to send or to receive. */
  | {
      readonly kind: 'peer-gone'
      readonly message: string
      /** The kernel's name of the error (errno(3)): `EMFILE` … */
      readonly code: string
      /** Bytes of the message that the kernel had taken by then; 0 to its length. */
      readonly sentBytes: number
    }
  /** An earlier send stopped in the middle of a message; nothing more can be sent. */
  | { readonly kind: 'broken-stream'; readonly message: string }
  /** More descriptors arrived than there was room for, or this process has too many open. Those that did
   * arrive are closed, and so is the socket, because which ones were lost cannot be known. */
  | { readonly kind: 'descriptors-truncated'; readonly message: string }
  /** A packet was longer than the room given. What arrived is lost. */
  | { readonly kind: 'packet-truncated'; readonly message: string }
  /** The owner has closed this descriptor. */
  | {
      readonly kind: 'closed'
      readonly message: string
      /** Bytes of the message that the kernel had taken by then; 0 to its length. */
      readonly sentBytes: number
    }
  /** The signal of the wait has aborted. */
  | {
      readonly kind: 'aborted'
      readonly message: string
      /** Bytes of the message that the kernel had taken by then; 0 to its length. */
      readonly sentBytes: number
    }
  /** The same, by a deadline: `AbortSignal.timeout` aborts with a reason named `TimeoutError`. */
  | {
      readonly kind: 'timed-out'
      readonly message: string
      /** Bytes of the message that the kernel had taken by then; 0 to its length. */
      readonly sentBytes: number
    }
  /** The process is no child of this one, or somebody has reaped it: its exit status cannot be known. */
  | { readonly kind: 'not-a-child'; readonly message: string }
  /** The file could become shorter while it is mapped, which would kill this program. */
  | { readonly kind: 'may-shrink'; readonly message: string }
  /** An argument that the call has no meaning for: `argument` names it. The kernel was not asked. */
  | {
      readonly kind: 'invalid-argument'
      readonly message: string
      /** Name of the argument, or of a part of it. */
      readonly argument: string
    }
  /** The native part is not built for this machine: no package with it was installed. */
  | {
      readonly kind: 'native-missing'
      readonly message: string
      /** What loading it threw. */
      readonly cause: unknown
    }
  /** What the kernel said, where no other kind stands for it. */
  | {
      readonly kind: 'system'
      readonly message: string
      /** Name of the system call: `sendmsg` … */
      readonly call: string
      /** The kernel's name of the error (errno(3)): `EMFILE` … */
      readonly code: string
    }

/** Those that libuv has no name for. asm-generic/errno.h. */
const UNNAMED: ReadonlyMap<number, string> = new Map([
  [-10, 'ECHILD'],
  [-109, 'ETOOMANYREFS'],
])

/** The kernel's name for `-errno`, such as `EAGAIN`. */
export function errnoName(result: number): string {
  return UNNAMED.get(result) ?? getSystemErrorName(result)
}

export function systemError(call: string, result: number): UnixFdError {
  const code = errnoName(result)
  if (code === 'EPERM' || code === 'EACCES') {
    const message = `${call}: the kernel refused it (${code}); run with the right to do this`
    return { kind: 'permission-denied', message, call, code }
  }
  if (code === 'EMFILE' || code === 'ENFILE') {
    const message = `${call}: too many descriptors are open (${code}); close some or raise RLIMIT_NOFILE`
    return { kind: 'system', message, call, code }
  }
  if (code === 'ETOOMANYREFS') {
    const message = `${call}: too many descriptors are on their way to peers that do not read (${code}); send later`
    return { kind: 'system', message, call, code }
  }
  return { kind: 'system', message: `${call} failed with ${code}`, call, code }
}

export function closedError(sentBytes = 0): UnixFdError {
  return { kind: 'closed', message: 'the descriptor was closed by its owner; open another', sentBytes }
}

/** What an aborted signal means: a deadline aborts with a reason named `TimeoutError`. */
export function abortedError(signal: AbortSignal, sentBytes = 0): UnixFdError {
  const timedOut = (signal.reason as { name?: unknown } | undefined)?.name === 'TimeoutError'
  return timedOut
    ? { kind: 'timed-out', message: 'the deadline passed before the descriptor was ready', sentBytes }
    : { kind: 'aborted', message: 'the caller aborted the wait', sentBytes }
}

export function invalidArgument(argument: string, message: string): UnixFdError {
  return { kind: 'invalid-argument', message, argument }
}
