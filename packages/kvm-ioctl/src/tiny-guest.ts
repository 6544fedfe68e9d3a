import { capabilities, constants, exitReasons, ioctls, layouts } from './generated/x86_64.js'
import type { KvmCalls } from './kvm-calls.js'
import { type KvmProbe, misbehaves, notOpened, unusable } from './probe-result.js'
import { readField, writeField } from './structure.js'

const API_VERSION = 12
/** One memory slot at guest address 0; a multiple of every page size in use. */
const MEMORY_BYTES = 64 * 1024
const CODE_AT = 0x1000
const PORT = 0x3f8
const LETTER = 0x53
/** Real mode: `mov dx, 0x3f8; mov al, 'S'; out dx, al; hlt`. */
const CODE = [0xba, PORT & 0xff, PORT >> 8, 0xb0, LETTER, 0xee, 0xf4]
/** Bit 1 of RFLAGS is always set. */
const RFLAGS = 2n
/** Three pages that no guest memory uses: KVM_SET_TSS_ADDR, which Intel processors need in real mode. */
const TSS_AT = 0xfffbd000n
/** How often KVM_RUN may come back with EINTR before that counts as a failure. */
const MOST_INTERRUPTIONS = 16

/**
 * Runs a guest of four instructions and says what came of it. Synchronous, and as long as KVM_RUN takes: never
 * on an event loop. `onStep` hears the name of each step before it is taken.
 */
export function runTinyGuest(calls: KvmCalls, onStep: (step: string) => void): KvmProbe {
  const opened: number[] = []
  try {
    return new TinyGuest(calls, onStep, opened).run()
  } catch (failure) {
    if (failure instanceof StepFailed) return failure.probe
    throw failure
  } finally {
    for (const handle of opened.reverse()) calls.close(handle)
  }
}

/** Carries a finding out of the middle of the sequence; never leaves this file. */
class StepFailed extends Error {
  constructor(readonly probe: KvmProbe) {
    super(probe.message)
  }
}

class TinyGuest {
  readonly #calls: KvmCalls
  readonly #onStep: (step: string) => void
  readonly #opened: number[]

  constructor(calls: KvmCalls, onStep: (step: string) => void, opened: number[]) {
    this.#calls = calls
    this.#onStep = onStep
    this.#opened = opened
  }

  run(): KvmProbe {
    this.#onStep('open')
    const kvm = this.#calls.open()
    if (kvm < 0) return notOpened(kvm)
    this.#opened.push(kvm)
    const apiVersion = this.#number(kvm, 'KVM_GET_API_VERSION')
    if (apiVersion !== API_VERSION) {
      return misbehaves('KVM_GET_API_VERSION', `answers ${apiVersion}, not ${API_VERSION}`)
    }
    const vm = this.#create(kvm, 'KVM_CREATE_VM')
    const found = this.#capabilities(vm)
    if (found['KVM_CAP_SET_TSS_ADDR']) this.#number(vm, 'KVM_SET_TSS_ADDR', TSS_AT)
    this.#addMemory(vm)
    const vcpu = this.#create(vm, 'KVM_CREATE_VCPU')
    const run = this.#mapRun(kvm, vcpu)
    this.#setRegisters(vcpu)

    const out = this.#runUntilExit(vcpu, run)
    const wrote = out === exitReasons.KVM_EXIT_IO ? this.#letterWritten(run) : undefined
    if (wrote !== LETTER) return misbehaves('KVM_RUN', `did not write to the port: exit reason ${out}`)
    const halt = this.#runUntilExit(vcpu, run)
    if (halt !== exitReasons.KVM_EXIT_HLT) return misbehaves('KVM_RUN', `did not halt: exit reason ${halt}`)

    const message = `KVM runs code (API ${apiVersion}, ${Object.keys(found).length} capabilities)`
    return { kind: 'runs-code', message, apiVersion, capabilities: found }
  }

  #check(step: string, result: number): number {
    if (result < 0) throw new StepFailed(unusable(step, result))
    return result
  }

  #number(fd: number, request: keyof typeof ioctls, argument = 0n): number {
    this.#onStep(request)
    return this.#check(request, this.#calls.ioctlNumber(fd, ioctls[request], argument))
  }

  #create(parent: number, request: keyof typeof ioctls): number {
    const handle = this.#check(request, this.#calls.adopt(this.#number(parent, request), parent))
    this.#opened.push(handle)
    return handle
  }

  #bytes(fd: number, request: keyof typeof ioctls, bytes: Uint8Array): void {
    this.#onStep(request)
    this.#check(request, this.#calls.ioctlBytes(fd, ioctls[request], bytes))
  }

  #mapping(step: string, mapping: ArrayBuffer | number): ArrayBuffer {
    if (typeof mapping === 'number') throw new StepFailed(unusable(step, mapping))
    return mapping
  }

  #capabilities(vm: number): Record<string, number> {
    this.#onStep('KVM_CHECK_EXTENSION')
    const found: Record<string, number> = {}
    for (const [name, number] of Object.entries(capabilities)) {
      const answer = this.#calls.ioctlNumber(vm, ioctls.KVM_CHECK_EXTENSION, BigInt(number))
      if (answer > 0) found[name] = answer
    }
    return found
  }

  /** The machine keeps the memory mapped; here it is only written to. */
  #addMemory(vm: number): void {
    const step = 'mmap of guest memory'
    this.#onStep(step)
    const memory = this.#check(step, this.#calls.anonymousMemory(MEMORY_BYTES, 0))
    this.#opened.push(memory)
    new Uint8Array(this.#mapping(step, this.#calls.bytesOf(memory))).set(CODE, CODE_AT)
    const request = 'KVM_SET_USER_MEMORY_REGION'
    this.#onStep(request)
    const { size, fields } = layouts.kvm_userspace_memory_region
    const region = new Uint8Array(size)
    writeField(region, fields.memory_size, BigInt(MEMORY_BYTES))
    const at = fields.userspace_addr.offset
    this.#check(request, this.#calls.setSlot(vm, ioctls[request], region, at, 0, memory, 0, MEMORY_BYTES))
  }

  #mapRun(kvm: number, vcpu: number): Uint8Array {
    const size = this.#number(kvm, 'KVM_GET_VCPU_MMAP_SIZE')
    if (size < layouts.kvm_run.size) {
      throw new StepFailed(misbehaves('KVM_GET_VCPU_MMAP_SIZE', `answers ${size}, too little for kvm_run`))
    }
    this.#onStep('mmap of kvm_run')
    return new Uint8Array(this.#mapping('mmap of kvm_run', this.#calls.mapRun(vcpu, size)))
  }

  #setRegisters(vcpu: number): void {
    const sregs = new Uint8Array(layouts.kvm_sregs.size)
    this.#bytes(vcpu, 'KVM_GET_SREGS', sregs)
    // A processor starts at 0xfffffff0: let its code segment begin at 0 instead.
    writeField(sregs, layouts.kvm_sregs.fields['cs.base'], 0n)
    writeField(sregs, layouts.kvm_sregs.fields['cs.selector'], 0n)
    this.#bytes(vcpu, 'KVM_SET_SREGS', sregs)
    const regs = new Uint8Array(layouts.kvm_regs.size)
    writeField(regs, layouts.kvm_regs.fields.rip, BigInt(CODE_AT))
    writeField(regs, layouts.kvm_regs.fields.rflags, RFLAGS)
    this.#bytes(vcpu, 'KVM_SET_REGS', regs)
  }

  #runUntilExit(vcpu: number, run: Uint8Array): number {
    this.#onStep('KVM_RUN')
    for (let interruptions = 0; ; interruptions += 1) {
      const result = this.#calls.run(vcpu)
      if (result >= 0) return Number(readField(run, layouts.kvm_run.fields.exit_reason))
      const failed = unusable('KVM_RUN', result)
      const interrupted = failed.kind === 'unusable' && failed.errno === 'EINTR'
      if (!interrupted || interruptions >= MOST_INTERRUPTIONS) throw new StepFailed(failed)
    }
  }

  /** The byte that the guest wrote to its port, if that is what the exit says. */
  #letterWritten(run: Uint8Array): number | undefined {
    const { fields } = layouts.kvm_run
    const io = (name: 'direction' | 'size' | 'port' | 'count' | 'data_offset') =>
      Number(readField(run, fields[`io.${name}`]))
    const expected =
      io('direction') === constants.KVM_EXIT_IO_OUT &&
      io('size') === 1 &&
      io('port') === PORT &&
      io('count') === 1
    return expected ? run[io('data_offset')] : undefined
  }
}
