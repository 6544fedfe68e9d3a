import type { Architecture } from '../architecture.js'
import { invalidArgument, type KvmError } from '../errors.js'
import type { Resumption, Turn } from './resumption.js'

const LITTLE_ENDIAN = true

/** An exit that asks nothing: the guest goes on when it is resumed. */
export class Exit {
  readonly #turn: Turn
  readonly #number: number

  constructor(turn: Turn) {
    this.#turn = turn
    this.#number = turn.number
  }

  /** What the next `run` takes. */
  resume(): Resumption {
    return this.#turn.go
  }

  /** Only for exits that ask: those have `answer` in place of `resume`. */
  protected put(write: (page: DataView) => KvmError | undefined): Resumption {
    return this.#turn.answer(this.#number, write)
  }
}

/** An exit of one kind that asks nothing: `resume()` gives what the next `run` takes. */
export type PlainExit<K extends string, T = unknown> = { readonly kind: K } & Readonly<T> & {
    /** What the next `run` takes. */
    /** What the next `run` takes. */
    resume(): Resumption
  }
/** An exit of one kind that asks: only `answer(…)` gives what the next `run` takes. */
export type AskingExit<K extends string, T, A extends unknown[]> = { readonly kind: K } & Readonly<T> & {
    /**
     * Gives the answer and what the next `run` takes. An answer that does not fit is not given: the next `run` says what
     * is wrong with it, and the exit still waits.
     */
    answer(...answer: A): Resumption
  }

/** A read or write of `count` values of `size` bytes at a port; `count` is above 1 for string instructions. */
export interface PortAccess {
  /** Number of the port, 0 to 65,535. */
  readonly port: number
  /** Bytes of one value: 1, 2 or 4. */
  readonly size: number
  /** How many values. */
  readonly count: number
}

/** An access to an MSR that KVM left to its user (KVM_CAP_X86_USER_SPACE_MSR). */
export interface MsrAccess {
  /** Why it came here: KVM_MSR_EXIT_REASON_INVAL, _UNKNOWN or _FILTER. */
  readonly reason: number
  /** Number of the MSR. */
  readonly index: number
}

/**
 * What exits everywhere, or says something about KVM itself. Names are the kernel's KVM_EXIT_…; the fields are those of
 * `struct kvm_run` (Documentation/virt/kvm/api.rst, "The kvm_run structure"), addresses guest-physical.
 */
export type CommonExit =
  /** A kick ended the run; the guest stands where it was. Not the kernel's: KVM_RUN gave EINTR. */
  | PlainExit<'kicked'>
  | PlainExit<'unknown', { hardwareExitReason: bigint }>
  /** The guest reads `length` bytes where there is no memory. */
  | AskingExit<'mmio-read', { address: bigint; length: number }, [data: Uint8Array]>
  | PlainExit<'mmio-write', { address: bigint; data: Uint8Array }>
  | AskingExit<'hypercall', { nr: bigint; args: readonly bigint[]; flags: bigint }, [ret: bigint]>
  | PlainExit<'debug', { arch: Readonly<Record<string, number | bigint>> }>
  | PlainExit<'hlt'>
  | PlainExit<'irq-window-open'>
  | PlainExit<'shutdown'>
  | PlainExit<'fail-entry', { hardwareEntryFailureReason: bigint; cpu: number }>
  | PlainExit<'intr'>
  | PlainExit<'exception', { exception: number; errorCode: number }>
  | PlainExit<'nmi'>
  /** KVM gave up. `data` is for whoever reads its sources. */
  | PlainExit<'internal-error', { suberror: number; data: readonly bigint[] }>
  /** The guest wants to power off (KVM_SYSTEM_EVENT_SHUTDOWN), to be reset, …. */
  | PlainExit<'system-event', { type: number; data: readonly bigint[] }>
  /** Collect the ring and reset it, then go on. */
  | PlainExit<'dirty-ring-full'>
  /** Memory that a slot has cannot be had: of the wrong kind (private or shared), or poisoned. */
  | PlainExit<'memory-fault', { flags: bigint; address: bigint; size: bigint; errno: string }>
  /** Younger than these tables. */
  | PlainExit<'other', { reason: number }>

/** Why `KVM_RUN` came back, on x86-64. The fields are those of `struct kvm_run`, as for {@link CommonExit}. */
export type X86Exit =
  | AskingExit<'io-in', PortAccess, [data: Uint8Array]>
  | PlainExit<'io-out', PortAccess & { data: Uint8Array }>
  | PlainExit<'set-tpr'>
  | PlainExit<'tpr-access', { rip: bigint; isWrite: boolean }>
  | PlainExit<'ioapic-eoi', { vector: number }>
  /** `answer(undefined)`: the guest gets a general protection fault. */
  | AskingExit<'x86-rdmsr', MsrAccess, [value: bigint | undefined]>
  /** `answer(false)`: the guest gets a general protection fault. */
  | AskingExit<'x86-wrmsr', MsrAccess & { data: bigint }, [taken: boolean]>
  | PlainExit<'x86-bus-lock'>
  | PlainExit<'notify', { flags: number }>
  | PlainExit<'ap-reset-hold'>
  | PlainExit<'hyperv-synic', { msr: number; control: bigint; eventPage: bigint; messagePage: bigint }>
  | AskingExit<'hyperv-hcall', { input: bigint; params: readonly bigint[] }, [result: bigint]>
  | AskingExit<
      'hyperv-syndbg',
      { msr: number; control: bigint; sendPage: bigint; recvPage: bigint; pendingPage: bigint },
      [status: bigint]
    >
  | AskingExit<
      'xen-hcall',
      { longMode: boolean; cpl: number; input: bigint; params: readonly bigint[] },
      [result: bigint]
    >
  | AskingExit<'tdx', { flags: bigint; nr: bigint; data: readonly bigint[] }, [ret: bigint]>
  | AskingExit<'snp-req-certs', { address: bigint; npages: bigint }, [ret: bigint, npages?: bigint]>

/** Why `KVM_RUN` came back, on aarch64. The fields are those of `struct kvm_run`, as for {@link CommonExit}. */
export type ArmExit =
  /** A load or store that KVM cannot decode. */
  | PlainExit<'arm-nisv', { esrIss: bigint; faultIpa: bigint }>
  | PlainExit<'arm-sea', { flags: bigint; esr: bigint; gva: bigint; gpa: bigint }>
  | PlainExit<'arm-ldst64b', { esrIss: bigint; faultIpa: bigint }>

/** Why `KVM_RUN` came back, on POWER. The fields are those of `struct kvm_run`, as for {@link CommonExit}. */
export type PowerExit =
  | AskingExit<'papr-hcall', { nr: bigint; args: readonly bigint[] }, [ret: bigint, args?: readonly bigint[]]>
  | AskingExit<'osi', { gprs: readonly bigint[] }, [gprs: readonly bigint[]]>
  | AskingExit<'epr', object, [epr: number]>
  | AskingExit<'dcr-read', { dcrn: number }, [data: number]>
  | PlainExit<'dcr-write', { dcrn: number; data: number }>
  | PlainExit<'watchdog'>

/** Why `KVM_RUN` came back, on riscv64. The fields are those of `struct kvm_run`, as for {@link CommonExit}. */
export type RiscvExit =
  | AskingExit<
      'riscv-sbi',
      { extensionId: bigint; functionId: bigint; args: readonly bigint[] },
      [error: bigint, value: bigint]
    >
  | AskingExit<'riscv-csr', { csr: bigint; newValue: bigint; writeMask: bigint }, [value: bigint]>

/** s390 and LoongArch have no bindings here; their reasons are typed, so that each reason of the header is. */
export type ForeignExit = PlainExit<
  's390-sieic' | 's390-reset' | 's390-ucontrol' | 's390-tsch' | 's390-stsi' | 'loongarch-iocsr'
>

/** Why the guest stopped, on an architecture. */
export type ExitOf<A extends Architecture> =
  | CommonExit
  | ForeignExit
  | {
      x86_64: X86Exit
      aarch64: ArmExit
      powerpc64le: PowerExit
      riscv64: RiscvExit
    }[A]

/** Of any architecture: what the decoder knows. */
export type AnyExit = CommonExit | ForeignExit | X86Exit | ArmExit | PowerExit | RiscvExit

export const KICKED = 'kicked'

/** Puts bytes of exactly `length` at `at`. */
export function putBytes(page: DataView, at: number, length: number, data: unknown): KvmError | undefined {
  if (!(data instanceof Uint8Array) || data.length !== length) {
    return invalidArgument('data', `the guest reads ${length} bytes: give a Uint8Array of as many`)
  }
  if (at < 0 || at + length > page.byteLength) return invalidArgument('data', 'there is no room for it')
  new Uint8Array(page.buffer, page.byteOffset + at, length).set(data)
  return undefined
}

/** Puts a number of 64 bits. */
export function putWord(page: DataView, at: number, value: unknown, name: string): KvmError | undefined {
  if (typeof value !== 'bigint' || value < 0n || value >= 1n << 64n) {
    return invalidArgument(name, 'give a bigint of 0 to 2^64 - 1')
  }
  page.setBigUint64(at, value, LITTLE_ENDIAN)
  return undefined
}

export function putInt(page: DataView, at: number, value: unknown, name: string): KvmError | undefined {
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > 0xffff_ffff) {
    return invalidArgument(name, 'give a whole number of 32 bits')
  }
  page.setUint32(at, value as number, LITTLE_ENDIAN)
  return undefined
}

/** Puts several numbers of 64 bits, at most `most`. */
export function putWords(
  page: DataView,
  at: number,
  most: number,
  values: unknown,
  name: string,
): KvmError | undefined {
  if (!Array.isArray(values) || values.length > most) {
    return invalidArgument(name, `give a list of at most ${most}`)
  }
  for (const value of values) {
    if (typeof value !== 'bigint' || value < 0n || value >= 1n << 64n)
      return invalidArgument(name, 'give bigints of 0 to 2^64 - 1')
  }
  for (const [index, value] of values.entries())
    page.setBigUint64(at + index * 8, value as bigint, LITTLE_ENDIAN)
  return undefined
}
