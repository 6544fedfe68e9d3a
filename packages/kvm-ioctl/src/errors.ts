import { getSystemErrorName } from 'node:util'
import type { KvmCalls } from './kvm-calls.js'

/** Everything that can go wrong. `errno` is the kernel's name of the error: `EINVAL` … */
export type KvmError =
  /** There is no /dev/kvm, or nothing behind it. */
  | {
      readonly kind: 'absent'
      readonly message: string
      /** The kernel's name of the error (errno(3)): `EINVAL` … */
      readonly errno: string
    }
  /** /dev/kvm is there, and this user may not open it (EACCES, EPERM). */
  | {
      readonly kind: 'no-permission'
      readonly message: string
      /** The kernel's name of the error (errno(3)): `EINVAL` … */
      readonly errno: string
    }
  /** The native part is not built for this machine. */
  | {
      readonly kind: 'native-missing'
      readonly message: string
      /** What loading it threw. */
      readonly cause: unknown
    }
  /** The program was written for another architecture than this machine's. */
  | {
      readonly kind: 'other-architecture'
      readonly message: string
      /** For which the program was written. */
      readonly architecture: string
    }
  /** The kernel refused a request. The message says what the error means for this request. */
  | {
      readonly kind: 'refused'
      readonly message: string
      /** The kernel's name: `KVM_SET_SREGS` … */
      readonly request: string
      /** The kernel's name of the error (errno(3)): `EINVAL` … */
      readonly errno: string
    }
  /** An MSR that KVM does not know or that cannot hold the value; those before it were taken. */
  | {
      readonly kind: 'msr-refused'
      readonly message: string
      /** Number of the MSR. */
      readonly index: number
      /** How many before it were taken. */
      readonly done: number
    }
  /** This kernel, or this machine's KVM, cannot do that: `capability` would say so. */
  | {
      readonly kind: 'unsupported'
      readonly message: string
      /** The kernel's name: `KVM_CAP_…`. */
      readonly capability: string
    }
  /** An argument that the request has no room or meaning for: `argument` names it. The kernel was not asked. */
  | {
      readonly kind: 'invalid-argument'
      readonly message: string
      /** Name of the argument, or of a part of it. */
      readonly argument: string
    }
  /** Its owner has closed it. */
  | { readonly kind: 'closed'; readonly message: string }
  /** Another JavaScript thread owns it: share it with `share` and take it there. */
  | { readonly kind: 'wrong-thread'; readonly message: string }
  /** The vCPU is in the guest: kick it first. */
  | { readonly kind: 'running'; readonly message: string }
  /** The last exit waits for an answer before the guest can go on. */
  | {
      readonly kind: 'answer-owed'
      readonly message: string
      /** Kind of the exit. */
      readonly exit: string
    }
  /** An answer or a resumption that belongs to an earlier exit. */
  | { readonly kind: 'stale'; readonly message: string }
  /** A request whose structure names memory or counts what follows: it has a method that gets both right. */
  | {
      readonly kind: 'use-the-method'
      readonly message: string
      /** The kernel's name. */
      readonly request: string
    }
  /** The caller's signal has aborted the run; the guest stands where it was. */
  | { readonly kind: 'aborted'; readonly message: string }

/** The kernel's name for `-errno`. libuv has no name for a few. */
export function errnoName(result: number): string {
  return UNNAMED.get(result) ?? getSystemErrorName(result)
}

const UNNAMED: ReadonlyMap<number, string> = new Map([
  [-524, 'ENOTSUPP'],
  [-133, 'EHWPOISON'],
  [-8, 'ENOEXEC'],
])

/** What an error means whatever was asked. */
const MEANINGS: Readonly<Record<string, string>> = {
  E2BIG: 'there is more than the room given',
  EAGAIN: 'not now: try again',
  EBADF: 'this descriptor does not know the request',
  EBUSY: 'something still uses it, or it is too late for that',
  EEXIST: 'it is there already',
  EFAULT: 'the kernel cannot reach memory that the request names',
  EINTR: 'a signal interrupted it',
  EINVAL: 'the kernel does not accept an argument, or not in this state',
  EIO: 'the virtual machine is dead: KVM met a bug in itself, or another process made it',
  EMFILE: 'too many descriptors are open: close some or raise RLIMIT_NOFILE',
  ENFILE: 'too many files are open on this machine',
  ENODEV: 'this machine has no such device',
  ENOENT: 'there is no such thing',
  ENOMEM: 'no memory for it',
  ENOSYS: 'this kernel does not implement it',
  ENOTTY: 'this kernel does not know the request here',
  ENXIO: 'there is no such attribute, or nothing behind it',
  EOPNOTSUPP: 'this machine cannot do it',
  EPERM: 'not allowed, or not any more',
  ESRCH: 'it is not there',
}

export function refused(
  request: string,
  result: number,
  meanings: Readonly<Record<string, string>> = {},
): KvmError {
  const errno = errnoName(result)
  const meaning = meanings[errno] ?? MEANINGS[errno] ?? 'the kernel refuses it'
  return { kind: 'refused', message: `${request}: ${meaning} (${errno})`, request, errno }
}

/** A negative result of a native call as an error. */
export function failure(
  calls: KvmCalls,
  request: string,
  result: number,
  meanings?: Readonly<Record<string, string>>,
): KvmError {
  const { closed, running, wrongThread } = calls.answers
  if (result === closed) return closedError()
  if (result === running) {
    return { kind: 'running', message: `${request}: the vCPU is running; kick it and wait for its exit` }
  }
  if (result === wrongThread) {
    const message = `${request}: another JavaScript thread owns this; share it there and take it here`
    return { kind: 'wrong-thread', message }
  }
  return refused(request, result, meanings)
}

export function closedError(): KvmError {
  return { kind: 'closed', message: 'its owner has closed this; open or create another' }
}

export function invalidArgument(argument: string, message: string): KvmError {
  return { kind: 'invalid-argument', message: `${argument}: ${message}`, argument }
}

/** What a failure to open /dev/kvm means, and what to do about it. */
export function notOpened(result: number): KvmError {
  const errno = errnoName(result)
  if (errno === 'ENOENT' || errno === 'ENODEV' || errno === 'ENXIO') {
    const message = `no /dev/kvm (${errno}): enable virtualisation in the firmware and load the kvm module`
    return { kind: 'absent', message, errno }
  }
  if (errno === 'EACCES' || errno === 'EPERM') {
    const message = `/dev/kvm may not be opened (${errno}): join the group that owns it, usually kvm`
    return { kind: 'no-permission', message, errno }
  }
  return refused('open /dev/kvm', result)
}
