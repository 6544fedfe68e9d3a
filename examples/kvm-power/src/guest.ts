import { Buffer } from 'node:buffer'
import type { Kvm } from '@spectrum/kvm-ioctl'
import { hypercall, ld, li, mr, stay } from './assembler.js'
import { must } from './outcome.js'

/** KVM-HV's type of machine; on x86 that number would mean nothing. */
const HV = 1
/** Memory comes in pages of 64 KiB on most POWER kernels. */
const MEMORY_BYTES = 1 << 20
const CODE_AT = 0x1000
const TEXT_AT = 0x2000
/** MSR: 64-bit mode, little-endian, no address translation. */
const MSR_SF_LE = 0x8000_0000_0000_0001n

/** Hypervisor calls. Source: Linux on Power Architecture Platform Reference (LoPAPR), chapter 14. */
const H_PUT_TERM_CHAR = 0x58n
const H_SUCCESS = 0n
/** A call of our own, which PAPR does not have: the guest tells with it what its first call came to. */
const H_TELL = 0x7000n

export const TEXT = 'hello from POWER'

/** Says TEXT by a hypervisor call, then makes another call with what the first one answered. */
const PROGRAM = [
  li(8, TEXT_AT),
  li(4, 0),
  li(5, TEXT.length),
  ld(6, 0, 8),
  ld(7, 8, 8),
  li(3, Number(H_PUT_TERM_CHAR)),
  hypercall(),
  mr(4, 3),
  li(3, Number(H_TELL)),
  hypercall(),
  stay(),
]

export interface Conversation {
  /** What the guest printed. */
  readonly said: string
  /** What it got as the answer to that, as it says itself. */
  readonly heard: bigint
}

/** Runs the guest to its second call. Synchronous: this thread is the processor. */
export function converse(kvm: Kvm<'powerpc64le'>): Conversation {
  using vm = must(kvm.createVm(HV))
  using memory = must(kvm.createMemory(MEMORY_BYTES))
  writeGuest(must(memory.bytes))
  must(vm.setUserMemoryRegion({ slot: 0, guestAddress: 0n, memory }))

  using vcpu = must(vm.createVcpu(0))
  // From now on `sc 1` is a call to us, where the kernel does not answer itself.
  must(vcpu.enableCap({ cap: 'KVM_CAP_PPC_PAPR' }))
  must(vcpu.setRegs({ pc: CODE_AT, msr: MSR_SF_LE }))

  let said = ''
  let next = vcpu.ready
  for (;;) {
    const exit = must(vcpu.run(next))
    if (exit.kind === 'kicked') next = exit.resume()
    else if (exit.kind !== 'papr-hcall') throw new Error(`the guest ended with ${exit.kind}`)
    else if (exit.nr === H_PUT_TERM_CHAR) {
      said += textOf(exit.args)
      next = exit.answer(H_SUCCESS)
    } else if (exit.nr === H_TELL) return { said, heard: exit.args[0]! }
    else throw new Error(`the guest made the unexpected call 0x${exit.nr.toString(16)}`)
  }
}

function writeGuest(memory: Uint8Array): void {
  const view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength)
  PROGRAM.forEach((instruction, index) => {
    view.setUint32(CODE_AT + index * 4, instruction, true)
  })
  // The call has characters in registers with the first in the highest byte; `ld` loads the lowest byte first.
  const text = Buffer.from(TEXT, 'latin1')
  for (const at of [0, 8]) view.setBigUint64(TEXT_AT + at, text.readBigUInt64BE(at), true)
}

/** Arguments of H_PUT_TERM_CHAR: which terminal, how many characters (16 at most), and those. */
function textOf([, length = 0n, ...words]: readonly bigint[]): string {
  const bytes = Buffer.alloc(16)
  words.slice(0, 2).forEach((word, index) => {
    bytes.writeBigUInt64BE(word, index * 8)
  })
  const count = length > 16n ? 16 : Number(length)
  return bytes.toString('latin1', 0, count).replace(/[^\x20-\x7e]/g, '?')
}
