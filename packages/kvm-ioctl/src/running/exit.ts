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
  /** KVM_EXIT_UNKNOWN. `hardwareExitReason`: the processor's own number of a reason that KVM does not know. */
  | PlainExit<'unknown', { hardwareExitReason: bigint }>
  /** KVM_EXIT_MMIO: the guest reads `length` bytes, 1 to 8, where there is no memory. `answer` takes as many. */
  | AskingExit<'mmio-read', { address: bigint; length: number }, [data: Uint8Array]>
  /** KVM_EXIT_MMIO: the guest writes `data`, 1 to 8 bytes, where there is no memory. */
  | PlainExit<'mmio-write', { address: bigint; data: Uint8Array }>
  /** KVM_EXIT_HYPERCALL: the guest calls `nr` with six `args`, and gets `ret`. `flags`: how it called, KVM_EXIT_HYPERCALL_… on x86, KVM_HYPERCALL_EXIT_… on arm. */
  | AskingExit<'hypercall', { nr: bigint; args: readonly bigint[]; flags: bigint }, [ret: bigint]>
  /** KVM_EXIT_DEBUG: a step or breakpoint that `setGuestDebug` asked for. `arch`: the fields of `struct kvm_debug_exit_arch` by their names. */
  | PlainExit<'debug', { arch: Readonly<Record<string, number | bigint>> }>
  /** KVM_EXIT_HLT: the guest halted, and no interrupt controller in the kernel could wake it. */
  | PlainExit<'hlt'>
  /** KVM_EXIT_IRQ_WINDOW_OPEN: the guest can take an interrupt now. */
  | PlainExit<'irq-window-open'>
  /** KVM_EXIT_SHUTDOWN: the virtual processor has shut down; on x86 by a triple fault. */
  | PlainExit<'shutdown'>
  /** KVM_EXIT_FAIL_ENTRY: the guest could not be entered. `hardwareEntryFailureReason` is the processor's; `cpu`: the host's processor that tried. */
  | PlainExit<'fail-entry', { hardwareEntryFailureReason: bigint; cpu: number }>
  /** KVM_EXIT_INTR: a signal to the thread ended the run. */
  | PlainExit<'intr'>
  /** KVM_EXIT_EXCEPTION. `exception`: its vector; `errorCode`: the processor's. */
  | PlainExit<'exception', { exception: number; errorCode: number }>
  /** KVM_EXIT_NMI. */
  | PlainExit<'nmi'>
  /** KVM_EXIT_INTERNAL_ERROR: KVM gave up. `suberror`: KVM_INTERNAL_ERROR_…; `data`, up to 16 words, is for whoever reads its sources. */
  | PlainExit<'internal-error', { suberror: number; data: readonly bigint[] }>
  /** KVM_EXIT_SYSTEM_EVENT: the guest wants to power off, to be reset, …: `type` is KVM_SYSTEM_EVENT_…; `data` has up to 16 words. */
  | PlainExit<'system-event', { type: number; data: readonly bigint[] }>
  /** KVM_EXIT_DIRTY_RING_FULL: collect the ring and reset it, then go on. */
  | PlainExit<'dirty-ring-full'>
  /**
   * KVM_EXIT_MEMORY_FAULT: memory that a slot has cannot be had, of the wrong kind (private or shared) or poisoned: `size` bytes at
   * `address`. `flags`: KVM_MEMORY_EXIT_FLAG_…; `errno`: `EFAULT` or `EHWPOISON`.
   */
  | PlainExit<'memory-fault', { flags: bigint; address: bigint; size: bigint; errno: string }>
  /** Younger than these tables. `reason`: the number of its KVM_EXIT_…. */
  | PlainExit<'other', { reason: number }>

/** Why `KVM_RUN` came back, on x86-64. The fields are those of `struct kvm_run`, as for {@link CommonExit}. */
export type X86Exit =
  /** KVM_EXIT_IO: the guest reads from a port. `answer` takes `size * count` bytes. */
  | AskingExit<'io-in', PortAccess, [data: Uint8Array]>
  /** KVM_EXIT_IO: the guest writes to a port. `data`: `size * count` bytes. */
  | PlainExit<'io-out', PortAccess & { data: Uint8Array }>
  /** KVM_EXIT_SET_TPR: the guest changed its task priority (CR8). */
  | PlainExit<'set-tpr'>
  /** KVM_EXIT_TPR_ACCESS, after `KVM_TPR_ACCESS_REPORTING`: the instruction at `rip` reads or writes the task priority. */
  | PlainExit<'tpr-access', { rip: bigint; isWrite: boolean }>
  /** KVM_EXIT_IOAPIC_EOI, with a split interrupt controller: the guest has ended the interrupt of `vector`, 0 to 255. */
  | PlainExit<'ioapic-eoi', { vector: number }>
  /** KVM_EXIT_X86_RDMSR: the guest reads an MSR. `answer(undefined)`: it gets a general protection fault. */
  | AskingExit<'x86-rdmsr', MsrAccess, [value: bigint | undefined]>
  /** KVM_EXIT_X86_WRMSR: the guest writes `data` to an MSR. `answer(false)`: it gets a general protection fault. */
  | AskingExit<'x86-wrmsr', MsrAccess & { data: bigint }, [taken: boolean]>
  /** KVM_EXIT_X86_BUS_LOCK: the guest locked the bus (KVM_CAP_X86_BUS_LOCK_EXIT). */
  | PlainExit<'x86-bus-lock'>
  /** KVM_EXIT_NOTIFY: the guest let no event through for too long (KVM_CAP_X86_NOTIFY_VMEXIT). `flags`: KVM_NOTIFY_CONTEXT_…. */
  | PlainExit<'notify', { flags: number }>
  /** KVM_EXIT_AP_RESET_HOLD: a processor of an SEV-ES guest waits to be started. */
  | PlainExit<'ap-reset-hold'>
  /** KVM_EXIT_HYPERV: the guest wrote an MSR of Hyper-V's interrupt controller; the values of its registers since then. */
  | PlainExit<'hyperv-synic', { msr: number; control: bigint; eventPage: bigint; messagePage: bigint }>
  /** KVM_EXIT_HYPERV: a call by Hyper-V's interface: its `input` word and two `params`; the guest gets `result`. */
  | AskingExit<'hyperv-hcall', { input: bigint; params: readonly bigint[] }, [result: bigint]>
  /** KVM_EXIT_HYPERV: Hyper-V's debugger: the MSR that was written and the values of its registers; the guest gets `status`. */
  | AskingExit<
      'hyperv-syndbg',
      { msr: number; control: bigint; sendPage: bigint; recvPage: bigint; pendingPage: bigint },
      [status: bigint]
    >
  /** KVM_EXIT_XEN: a call by Xen's interface: its number `input`, six `params`, and the privilege level 0 to 3 that called; the guest gets `result`. */
  | AskingExit<
      'xen-hcall',
      { longMode: boolean; cpl: number; input: bigint; params: readonly bigint[] },
      [result: bigint]
    >
  /** KVM_EXIT_TDX: a TDX guest's call `nr`. `data`: its words as KVM passes them on; the guest gets `ret`. */
  | AskingExit<'tdx', { flags: bigint; nr: bigint; data: readonly bigint[] }, [ret: bigint]>
  /** KVM_EXIT_SNP_REQ_CERTS: an SNP guest wants certificates at `address`, with room for `npages` pages. `npages` of the answer: how many it takes. */
  | AskingExit<'snp-req-certs', { address: bigint; npages: bigint }, [ret: bigint, npages?: bigint]>

/** Why `KVM_RUN` came back, on aarch64. The fields are those of `struct kvm_run`, as for {@link CommonExit}. */
export type ArmExit =
  /** KVM_EXIT_ARM_NISV: a load or store that KVM cannot decode. `esrIss`: the syndrome; `faultIpa`: the guest-physical address. */
  | PlainExit<'arm-nisv', { esrIss: bigint; faultIpa: bigint }>
  /** KVM_EXIT_ARM_SEA: a synchronous external abort. `flags` says which of the addresses hold. */
  | PlainExit<'arm-sea', { flags: bigint; esr: bigint; gva: bigint; gpa: bigint }>
  /** KVM_EXIT_ARM_LDST64B: a load or store of 64 bytes at once. `esrIss`: the syndrome; `faultIpa`: the guest-physical address. */
  | PlainExit<'arm-ldst64b', { esrIss: bigint; faultIpa: bigint }>

/** Why `KVM_RUN` came back, on POWER. The fields are those of `struct kvm_run`, as for {@link CommonExit}. */
export type PowerExit =
  /** KVM_EXIT_PAPR_HCALL: a call by PAPR (`sc 1`): number `nr` and nine `args`. The guest gets `ret` in r3, and up to nine words in r4 to r12. */
  | AskingExit<'papr-hcall', { nr: bigint; args: readonly bigint[] }, [ret: bigint, args?: readonly bigint[]]>
  /** KVM_EXIT_OSI: a call by MOL's interface: the 32 general registers, which the answer replaces. */
  | AskingExit<'osi', { gprs: readonly bigint[] }, [gprs: readonly bigint[]]>
  /** KVM_EXIT_EPR: the external proxy facility asks for an interrupt's vector, of 32 bits. */
  | AskingExit<'epr', object, [epr: number]>
  /** KVM_EXIT_DCR: the guest reads device control register `dcrn`, of 32 bits. */
  | AskingExit<'dcr-read', { dcrn: number }, [data: number]>
  /** KVM_EXIT_DCR: the guest writes device control register `dcrn`. */
  | PlainExit<'dcr-write', { dcrn: number; data: number }>
  /** KVM_EXIT_WATCHDOG: the guest's watchdog has run out. */
  | PlainExit<'watchdog'>

/** Why `KVM_RUN` came back, on riscv64. The fields are those of `struct kvm_run`, as for {@link CommonExit}. */
export type RiscvExit =
  /** KVM_EXIT_RISCV_SBI: a call by the SBI: extension, function and six `args`. The guest gets `error` in a0 and `value` in a1. */
  | AskingExit<
      'riscv-sbi',
      { extensionId: bigint; functionId: bigint; args: readonly bigint[] },
      [error: bigint, value: bigint]
    >
  /** KVM_EXIT_RISCV_CSR: an access to the control register `csr` (12 bits) with these bits of `newValue` to write; the guest gets the `value` before. */
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
