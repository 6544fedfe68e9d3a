import { err, ok, type Result, ResultAsync } from 'neverthrow'
import type { Architecture, LayoutOf } from './architecture.js'
import {
  type Attribute,
  type EnableCap,
  enableCap,
  getAttribute,
  hasAttribute,
  setAttribute,
} from './attributes.js'
import { ACCESS, isWhole, type Kernel, KvmObject, type SharedObject } from './descriptor.js'
import { closedError, errnoName, failure, invalidArgument, type KvmError } from './errors.js'
import { type CoalescedWrite, takeCoalesced } from './fast-paths/coalesced.js'
import { Statistics } from './fast-paths/stats.js'
import { DirtyRing } from './memory/dirty-ring.js'
import { getMsrs, type Msr, setMsrs } from './methods/msrs.js'
import { rawIoctl } from './methods/raw.js'
import { getOneReg, setOneReg } from './methods/registers.js'
import type { VcpuRequests, VcpuRequestsOf } from './methods/requests.js'
import { addMethods } from './methods/spec.js'
import { getNestedState, getXsave, setNestedState, setXsave } from './methods/state.js'
import {
  vcpuMethods,
  vcpuMethodsAarch64,
  vcpuMethodsPowerpc64le,
  vcpuMethodsRiscv64,
  vcpuMethodsX86,
} from './methods/vcpu.js'
import { type Decoder, decoderFor, kickedExit, withErrno } from './running/decode.js'
import type { AnyExit, ExitOf } from './running/exit.js'
import { type Resumption, Turn } from './running/resumption.js'
import { VcpuThread } from './running/vcpu-thread.js'
import { overBytes } from './structures/accessors.js'
import type { StructureInit, StructureValue } from './structures/values.js'

export const vcpuMethodsOf = {
  x86_64: vcpuMethodsX86,
  aarch64: vcpuMethodsAarch64,
  powerpc64le: vcpuMethodsPowerpc64le,
  riscv64: vcpuMethodsRiscv64,
} as const

/**
 * A virtual processor. Its requests that take one value or structure are the members that come from the tables
 * (`getRegs` …); each is documented with the kernel's name of the request.
 *
 * It belongs to the JavaScript thread that made it. To run it elsewhere, `share()` it and adopt it there.
 */
export type Vcpu<A extends Architecture = 'x86_64'> = VcpuCore<A> & VcpuRequests<A> & VcpuRequestsOf<A>

/** A vCPU on its way to another JavaScript thread, which takes it there. */
export interface SharedVcpu extends SharedObject {
  /** The number that it was created with: its APIC id on x86-64. */
  readonly id: number
  /** What its machine knows about it. */
  readonly facts: VcpuFacts
}

/** What the machine knows about its vCPUs, and they cannot ask themselves. */
export interface VcpuFacts {
  /** Bytes of what a vCPU shares (KVM_GET_VCPU_MMAP_SIZE). */
  readonly mmapBytes: number
  /** Which page of that is the ring of coalesced writes; 0 without one. */
  readonly coalescedPage: number
  /** KVM_CAP_XSAVE2; 0 on kernels that have only KVM_GET_XSAVE. */
  readonly xsaveBytes: number
}

/** Ends a run from any thread; see `Vcpu.kicker`. */
export interface Kicker {
  /** A token of the native part: it can be posted, and means something in this process alone. */
  readonly handle: number
}

/** How `loop` begins and ends. */
export interface LoopOptions {
  /** Ends the loop as `aborted`, with the guest out of its run. */
  readonly signal?: AbortSignal | undefined
  /** From where to go on. Default: the vCPU's `ready`. */
  readonly after?: Resumption | undefined
}

const decoders = new Map<Architecture, Decoder>()

function decoderOf(kernel: Kernel): Decoder {
  const known = decoders.get(kernel.architecture)
  if (known) return known
  const decoder = decoderFor(kernel.tables)
  decoders.set(kernel.architecture, decoder)
  return decoder
}

const EINTR = -4

/** What `Vcpu` has beside the requests from the tables. Whoever made it closes it. */
export class VcpuCore<A extends Architecture = 'x86_64'> extends KvmObject {
  /** Its number in its machine. */
  readonly id: number
  readonly #facts: VcpuFacts
  readonly #turn = new Turn()
  readonly #decoder: Decoder
  readonly #thread: VcpuThread
  readonly #buffer: ArrayBuffer
  #ring: ArrayBuffer | undefined

  constructor(kernel: Kernel, handle: number, id: number, facts: VcpuFacts, buffer: ArrayBuffer) {
    super(kernel, handle)
    this.id = id
    this.#facts = facts
    this.#buffer = buffer
    this.#turn.page = new DataView(buffer)
    this.#decoder = decoderOf(kernel)
    this.#thread = new VcpuThread(kernel.calls, handle, this.#turn, (result) => this.#exit(result))
  }

  /** From where the guest goes on when its last exit asked nothing; for the first run. */
  get ready(): Resumption {
    return this.#turn.go
  }

  /**
   * KVM_RUN in this thread, until the guest exits: as long as that takes, so on a worker's thread and not on one whose event
   * loop has other things to do. A worker that is terminated meanwhile ends within 100 ms. What the exit asks has to be
   * answered before the next run, which takes what the answer gives.
   *
   * @example
   * ```ts
   * import type { Vcpu } from '@spectrum/kvm-ioctl'
   *
   * // Runs a guest until it halts, and gives back what it wrote to ports.
   * export function output(vcpu: Vcpu): Uint8Array[] {
   *   const written: Uint8Array[] = []
   *   for (let next = vcpu.ready; ; ) {
   *     const exit = vcpu.run(next)._unsafeUnwrap()
   *     if (exit.kind === 'hlt') return written
   *     if (exit.kind === 'io-out') written.push(exit.data)
   *     // What asks (a read from a port) has `answer` in place of `resume`.
   *     if (!('resume' in exit)) throw new Error(`unexpected: ${exit.kind}`)
   *     next = exit.resume()
   *   }
   * }
   * ```
   */
  run(after: Resumption = this.#turn.go): Result<ExitOf<A>, KvmError> {
    const obstacle = this.#turn.obstacle(after)
    if (obstacle !== undefined) return err(obstacle)
    for (;;) {
      const result = this.#enter()
      if (result !== EINTR) return this.#exit(result) as Result<ExitOf<A>, KvmError>
    }
  }

  /**
   * A function of its own, because V8 sees that a worker is being terminated where a function begins; in a loop that goes
   * round ten times a second it would take it a minute.
   */
  #enter(): number {
    return this[ACCESS].kernel.calls.run(this[ACCESS].handle)
  }

  /**
   * As `run`, on a thread of the vCPU's own: nothing of this program waits. Resolves with the exit, `aborted` when the
   * signal was faster.
   */
  runAsync(after: Resumption, signal?: AbortSignal): ResultAsync<ExitOf<A>, KvmError> {
    let exit: ExitOf<A> | undefined
    return this.loop(
      (next) => {
        exit = next
        return undefined
      },
      { after, signal },
    ).andThen(() => (exit === undefined ? err(closedError()) : ok(exit)))
  }

  /**
   * Runs the guest on a thread of the vCPU's own and calls `react` on this one for each exit; it gives what the exit gives to
   * go on (or a promise of it), or `undefined` to end the loop. Fastest without promises. The program stays alive
   * meanwhile; other requests of this vCPU answer `running` while the guest runs.
   *
   * @example
   * ```ts
   * import type { Vcpu } from '@spectrum/kvm-ioctl'
   *
   * // Answers each read from a port with zeros, until the guest halts.
   * export async function serve(vcpu: Vcpu, signal: AbortSignal): Promise<void> {
   *   const end = await vcpu.loop(
   *     (exit) => {
   *       if (exit.kind === 'io-in') return exit.answer(new Uint8Array(exit.size * exit.count))
   *       return exit.kind === 'hlt' || !('resume' in exit) ? undefined : exit.resume()
   *     },
   *     { signal },
   *   )
   *   if (end.isErr()) throw new Error(end.error.message) // kind: aborted, refused …
   * }
   * ```
   */
  loop(
    react: (exit: ExitOf<A>) => Resumption | undefined | Promise<Resumption | undefined>,
    options: LoopOptions = {},
  ): ResultAsync<void, KvmError> {
    const { signal, after = this.#turn.go } = options
    if (signal?.aborted) return new ResultAsync(Promise.resolve(err(abortedError())))
    return new ResultAsync(
      new Promise((resolve) => {
        const abort = () => this[ACCESS].kernel.calls.kick(this[ACCESS].handle)
        const started = this.#thread.start(
          {
            react: (exit) => {
              if (signal?.aborted) return undefined
              return react(exit as unknown as ExitOf<A>)
            },
            end: (result) => {
              signal?.removeEventListener('abort', abort)
              resolve(result.isOk() && signal?.aborted ? err(abortedError()) : result)
            },
          },
          after,
        )
        if (started.isErr()) resolve(err(started.error))
        else if (this.#thread.running) signal?.addEventListener('abort', abort, { once: true })
      }),
    )
  }

  /**
   * Ends the run in progress, or the next one, with the exit `kicked`. None is lost: not one that comes before the run
   * begins, nor one between two runs. Several before an exit are one.
   */
  kick(): Result<void, KvmError> {
    return this[ACCESS]
      .answer('kick', this[ACCESS].kernel.calls.kick(this[ACCESS].handle))
      .map(() => undefined)
  }

  /** A token to kick this vCPU from another JavaScript thread, with `kvm.kick(token)`: it can be posted. */
  get kicker(): Kicker {
    return { handle: this[ACCESS].handle }
  }

  override share(): Result<SharedVcpu, KvmError> {
    return super.share().map(({ handle }) => ({ handle, id: this.id, facts: this.#facts }))
  }

  /**
   * struct kvm_run itself, over the page that the kernel shares: to ask for an interrupt window, for cr8, and for the
   * registers of KVM_CAP_SYNC_REGS. What an exit says is in the exit: this page is the next run's.
   */
  get shared(): Result<StructureValue<LayoutOf<A, 'kvm_run'>>, KvmError> {
    if (this.closed) return err(closedError())
    const layout = this[ACCESS].kernel.tables.structures['kvm_run']!
    const bytes = new Uint8Array(this.#buffer, 0, layout.size)
    return ok(overBytes(layout, bytes) as StructureValue<LayoutOf<A, 'kvm_run'>>)
  }

  /** Takes the writes that KVM kept for the machine; see `vm.registerCoalesced`. */
  takeCoalesced(): Result<readonly CoalescedWrite[], KvmError> {
    if (this.closed) return err(closedError())
    const { tables, calls } = this[ACCESS].kernel
    const start = this.#facts.coalescedPage * calls.pageSize
    if (start === 0 || start + calls.pageSize > this.#buffer.byteLength) {
      const capability = 'KVM_CAP_COALESCED_MMIO'
      return err({ kind: 'unsupported', message: 'this KVM keeps no writes for later', capability })
    }
    return ok(takeCoalesced(tables, new Uint8Array(this.#buffer, start, calls.pageSize)))
  }

  /** The ring of pages that this vCPU wrote; `bytes` as enabled with KVM_CAP_DIRTY_LOG_RING. */
  dirtyRing(bytes: number): Result<DirtyRing, KvmError> {
    const { tables, calls } = this[ACCESS].kernel
    const page = Number(tables.constants['KVM_DIRTY_LOG_PAGE_OFFSET'] ?? 0)
    if (!isWhole(bytes, 2 ** 31) || bytes === 0 || bytes % calls.pageSize !== 0) {
      return err(invalidArgument('bytes', 'use what KVM_CAP_DIRTY_LOG_RING was enabled with'))
    }
    if (page === 0) {
      const capability = 'KVM_CAP_DIRTY_LOG_RING'
      return err({ kind: 'unsupported', message: 'this architecture has no dirty ring', capability })
    }
    if (this.#ring === undefined) {
      const ring = calls.map(this[ACCESS].handle, page * calls.pageSize, bytes)
      if (typeof ring === 'number') {
        const meanings = { EINVAL: 'the ring is not of that size, or was not enabled before the vCPU' }
        return this[ACCESS].answer('mmap of the dirty ring', ring, meanings).andThen(() => err(closedError()))
      }
      this.#ring = ring
    }
    return ok(new DirtyRing(tables, this.#ring))
  }

  /** KVM_GET_ONE_REG: a register of any width by its id (KVM_REG_…). */
  getOneReg(id: bigint): Result<bigint, KvmError> {
    return getOneReg(this[ACCESS], id)
  }

  /** KVM_SET_ONE_REG. */
  setOneReg(id: bigint, value: bigint): Result<void, KvmError> {
    return setOneReg(this[ACCESS], id, value)
  }

  /** KVM_GET_MSRS. x86 only. */
  getMsrs(indices: readonly number[]): Result<readonly bigint[], KvmError> {
    return getMsrs(this[ACCESS], indices)
  }

  /** KVM_SET_MSRS. x86 only. */
  setMsrs(msrs: readonly Msr[]): Result<void, KvmError> {
    return setMsrs(this[ACCESS], msrs)
  }

  /** KVM_GET_XSAVE2, or KVM_GET_XSAVE where there is no other: the bytes of XSAVE. x86 only. */
  getXsave(): Result<Uint8Array, KvmError> {
    return getXsave(this[ACCESS], this.#facts.xsaveBytes)
  }

  /** KVM_SET_XSAVE: bytes that `getXsave` gave. x86 only. */
  setXsave(state: Uint8Array): Result<void, KvmError> {
    return setXsave(this[ACCESS], this.#facts.xsaveBytes, state)
  }

  /** KVM_GET_NESTED_STATE: the state of a guest's own virtual machine. x86 only. */
  getNestedState(): Result<Uint8Array, KvmError> {
    return getNestedState(this[ACCESS])
  }

  /** KVM_SET_NESTED_STATE: bytes that `getNestedState` gave. x86 only. */
  setNestedState(state: Uint8Array): Result<void, KvmError> {
    return setNestedState(this[ACCESS], state)
  }

  /** KVM_PRE_FAULT_MEMORY: fills the guest's page tables before it runs. Gives the bytes that are left. */
  preFaultMemory(range: StructureInit<LayoutOf<'x86_64', 'kvm_pre_fault_memory'>>): Result<bigint, KvmError> {
    return this[ACCESS].kernel
      .make('range', 'kvm_pre_fault_memory', range)
      .andThen((value) => this[ACCESS].structure('KVM_PRE_FAULT_MEMORY', value))
      .map((value) => (value as { size: bigint }).size)
  }

  /** KVM_ENABLE_CAP of this vCPU. */
  enableCap(options: EnableCap): Result<number, KvmError> {
    return enableCap(this[ACCESS], options)
  }

  /** KVM_HAS_DEVICE_ATTR of this vCPU. */
  hasDeviceAttr(which: Attribute): Result<boolean, KvmError> {
    return hasAttribute(this[ACCESS], which)
  }

  /** KVM_GET_DEVICE_ATTR of this vCPU: the first `bytes` bytes of its value. */
  getDeviceAttr(which: Attribute, bytes: number): Result<Uint8Array, KvmError> {
    return getAttribute(this[ACCESS], which, bytes)
  }

  /** KVM_SET_DEVICE_ATTR of this vCPU. */
  setDeviceAttr(which: Attribute, value: Uint8Array): Result<void, KvmError> {
    return setAttribute(this[ACCESS], which, value)
  }

  /** KVM_GET_STATS_FD: this vCPU's statistics. */
  getStatsFd(): Result<Statistics, KvmError> {
    return this[ACCESS]
      .number('KVM_GET_STATS_FD')
      .andThen((fd) =>
        this[ACCESS].answer('KVM_GET_STATS_FD', this[ACCESS].kernel.calls.adopt(fd, this[ACCESS].handle)),
      )
      .map((handle) => new Statistics(this[ACCESS].kernel, handle))
  }

  /** A request that has no method: by name, or by number what is younger than the tables. */
  ioctl(request: string | number, argument?: Uint8Array | number | bigint): Result<number, KvmError> {
    return rawIoctl(this[ACCESS], request, argument)
  }

  protected override onClose(): void {
    this.#thread.stop()
    this.#turn.page = undefined
    this[ACCESS].kernel.calls.forget(this.#buffer)
    if (this.#ring !== undefined) this[ACCESS].kernel.calls.forget(this.#ring)
  }

  /** What a run came to. */
  #exit(result: number): Result<AnyExit, KvmError> {
    const page = this.#turn.page
    if (page === undefined) return err(closedError())
    if (result === 0) return ok(this.#decoder(this.#turn, page))
    if (result === 1) {
      this.#turn.number += 1
      return ok(kickedExit(this.#turn))
    }
    const { answers } = this[ACCESS].kernel.calls
    if (result === answers.closed || result === answers.running || result === answers.wrongThread) {
      return err(failure(this[ACCESS].kernel.calls, 'KVM_RUN', result))
    }
    const errno = errnoName(result)
    if (errno === 'EFAULT' || errno === 'EHWPOISON') {
      const exit = this.#decoder(this.#turn, page)
      if (exit.kind === 'memory-fault') return ok(withErrno(exit, errno))
    }
    return this[ACCESS].answer('KVM_RUN', result, RUN_MEANINGS).andThen(() => err(closedError()))
  }
}

const RUN_MEANINGS = {
  ENOEXEC: 'the vCPU is not initialised, or has no interrupt controller that it needs',
  EFAULT: 'the guest uses memory that the kernel cannot reach',
  EPERM: 'a feature of the vCPU was not finalised',
  EIO: 'the virtual machine is dead',
}

function abortedError(): KvmError {
  return { kind: 'aborted', message: 'the caller aborted the run; the guest stands where it was' }
}

const classes = new Map<Architecture, typeof VcpuCore>()

/** The class with the methods of an architecture. */
export function vcpuClass(architecture: Architecture): typeof VcpuCore {
  const known = classes.get(architecture)
  if (known) return known
  const made = class<A extends Architecture> extends VcpuCore<A> {}
  addMethods(made.prototype, { ...vcpuMethods, ...vcpuMethodsOf[architecture] })
  classes.set(architecture, made as never)
  return made as never
}

/** Maps what the vCPU shares and makes its object; closes the handle when that fails. */
export function makeVcpu<A extends Architecture>(
  kernel: Kernel,
  handle: number,
  id: number,
  facts: VcpuFacts,
): Result<Vcpu<A>, KvmError> {
  const buffer = kernel.calls.mapRun(handle, facts.mmapBytes)
  if (typeof buffer === 'number') {
    kernel.calls.close(handle)
    return err(failure(kernel.calls, 'mmap of kvm_run', buffer))
  }
  return ok(new (vcpuClass(kernel.architecture))(kernel, handle, id, facts, buffer) as unknown as Vcpu<A>)
}
