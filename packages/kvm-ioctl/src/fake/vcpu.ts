import { constants, exitReasons, structures } from '../generated/x86_64.js'
import { bytesOf, makeStructure, overBytes } from '../structures/accessors.js'
import { type Bus, Interpreter, type Stop } from './interpreter.js'

const EINTR = -4
/** So many instructions without an exit are a guest that waits for something outside. */
const MOST_INSTRUCTIONS = 50_000
/** Where in the shared pages the data of port accesses lies; the kernel's own choice on x86. */
const DATA_AT = 4096
export const SHARED_BYTES = 3 * 4096

/** A vCPU of the fake: its registers, what it shares, and where it stopped. */
export class FakeVcpu {
  readonly shared = new ArrayBuffer(SHARED_BYTES)
  readonly #run = overBytes(structures.kvm_run, new Uint8Array(this.shared))
  readonly #data = new Uint8Array(this.shared, DATA_AT)
  readonly regs = makeStructure(structures.kvm_regs, { rip: 0xfff0n, rflags: 2n })
  readonly sregs = makeStructure(structures.kvm_sregs, {
    cs: { base: 0xffff_0000n, selector: 0xf000, limit: 0xffff, present: 1, s: 1, type: 11 },
    cr0: 0x6000_0010n,
    apic_base: 0xfee0_0900n,
  })
  mpState = 0
  kicked = false
  /** Told when a kick comes: for a run that waits for one. */
  onKick: (() => void) | undefined
  readonly #interpreter: Interpreter
  #owed: ((this: void) => void) | undefined

  constructor(bus: Bus) {
    this.#interpreter = new Interpreter(this.regs, this.sregs, bus)
  }

  get registers(): Uint8Array {
    return bytesOf(this.regs)
  }

  get specialRegisters(): Uint8Array {
    return bytesOf(this.sregs)
  }

  kick(): void {
    this.kicked = true
    this.#run.immediate_exit = 1
    this.onKick?.()
  }

  /** As the native `run`: 0, 1 or -EINTR; undefined while the guest is busy with itself. */
  run(): number | undefined {
    // What the last exit asked is completed before anything else, also before an immediate exit.
    this.#owed?.()
    this.#owed = undefined
    if (this.#run.immediate_exit !== 0) {
      this.#run.immediate_exit = 0
      const kicked = this.kicked
      this.kicked = false
      return kicked ? 1 : EINTR
    }
    const stop = this.#interpreter.run(MOST_INSTRUCTIONS)
    if (stop === undefined) return undefined
    this.#describe(stop)
    return 0
  }

  #describe(stop: Stop): void {
    const run = this.#run
    switch (stop.kind) {
      case 'hlt':
        run.exit_reason = exitReasons.KVM_EXIT_HLT
        return
      case 'out':
      case 'in': {
        const size = stop.kind === 'in' ? stop.size : stop.data.length
        run.exit_reason = exitReasons.KVM_EXIT_IO
        run.io.direction = stop.kind === 'in' ? constants.KVM_EXIT_IO_IN : constants.KVM_EXIT_IO_OUT
        run.io.size = size
        run.io.port = stop.port
        run.io.count = 1
        run.io.data_offset = BigInt(DATA_AT)
        if (stop.kind === 'out') this.#data.set(stop.data)
        else this.#owed = () => this.#interpreter.complete(this.#data.slice(0, size))
        return
      }
      case 'mmio-read':
      case 'mmio-write': {
        const size = stop.kind === 'mmio-read' ? stop.size : stop.data.length
        run.exit_reason = exitReasons.KVM_EXIT_MMIO
        run.mmio.phys_addr = BigInt(stop.address)
        run.mmio.len = size
        run.mmio.is_write = stop.kind === 'mmio-write' ? 1 : 0
        if (stop.kind === 'mmio-write') run.mmio.data.set(stop.data)
        else this.#owed = () => this.#interpreter.complete(run.mmio.data.slice(0, size))
        return
      }
      case 'undefined':
        run.exit_reason = exitReasons.KVM_EXIT_INTERNAL_ERROR
        run.internal.suberror = constants.KVM_INTERNAL_ERROR_EMULATION
        run.internal.ndata = 2
        run.internal.data.set(new BigUint64Array(Uint8Array.of(...stop.bytes, 0).buffer))
    }
  }
}
