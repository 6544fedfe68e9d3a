import { err, ok, type Result } from 'neverthrow'
import type { KvmError } from './errors.js'
import type { Kvm } from './kvm.js'
import type { GuestMemory } from './memory/guest-memory.js'
import type { Vcpu } from './vcpu.js'
import type { Vm } from './vm.js'

/** A machine with one vCPU in real mode. Closes everything when it closes. */
export interface RealModeGuest extends Disposable {
  /** The machine; it closes with the guest. */
  readonly vm: Vm
  /** What the guest has, from its address 0 on. */
  readonly memory: GuestMemory
  /** Its only processor. */
  readonly vcpu: Vcpu
  /** Lets it begin at its first instruction again. */
  restart(): Result<void, KvmError>
}

/** The memory of a tiny x86-64 guest in real mode. */
export interface RealModeOptions {
  /** Bytes from guest address 0 on. Default 64 KiB. */
  readonly bytes?: number
  /** The guest's writes exit as `mmio-write`. */
  readonly readOnly?: boolean
  /** Notes which pages the guest writes. */
  readonly logDirtyPages?: boolean
}

const CODE_AT = 0x1000
/** Bit 1 of RFLAGS is always set. */
const RFLAGS = 2n
/** Three pages that no guest memory uses, for Intel's processors in real mode. */
const TSS_AT = 0xfffb_d000

/**
 * The smallest guest there is: `code` at 0x1000 of memory that begins at 0, with all segments at 0. What KVM selftests and
 * first programs are made of.
 */
export function realModeGuest(
  kvm: Kvm,
  code: ArrayLike<number>,
  { bytes = 65_536, readOnly = false, logDirtyPages = false }: RealModeOptions = {},
): Result<RealModeGuest, KvmError> {
  const opened: Disposable[] = []
  const keep = <T extends Disposable>(made: Result<T, KvmError>) =>
    made.map((one) => {
      opened.push(one)
      return one
    })
  const close = () => {
    for (const one of opened.splice(0).reverse()) one[Symbol.dispose]()
  }
  const made = keep(kvm.createVm()).andThen((vm) =>
    vm.setTssAddr(TSS_AT).andThen(() =>
      keep(kvm.createMemory(bytes)).andThen((memory) =>
        memory
          .write(CODE_AT, Uint8Array.from(code))
          .andThen(() =>
            vm.setUserMemoryRegion({ slot: 0, guestAddress: 0, memory, readOnly, logDirtyPages }),
          )
          .andThen(() => keep(vm.createVcpu(0)))
          .map((vcpu) => ({
            vm,
            memory,
            vcpu,
            restart: () => begin(vcpu),
            [Symbol.dispose]: close,
          })),
      ),
    ),
  )
  const ready = made.andThen((guest) => guest.restart().map(() => guest))
  if (ready.isOk()) return ok(ready.value)
  close()
  return err(ready.error)
}

/** A processor starts at 0xfffffff0: let its segments begin at 0 instead. */
function begin(vcpu: Vcpu): Result<void, KvmError> {
  return vcpu.getSregs().andThen((sregs) => {
    for (const segment of [sregs.cs, sregs.ds, sregs.es, sregs.ss]) {
      segment.base = 0n
      segment.selector = 0
    }
    return vcpu
      .setSregs(sregs)
      .andThen(() => vcpu.setRegs({ rip: BigInt(CODE_AT), rflags: RFLAGS, rsp: 0x1000n }))
  })
}
