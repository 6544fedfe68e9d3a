import type { Kvm, KvmError, Vcpu } from '@spectrum/kvm-ioctl'
import { err, ok, type Result } from 'neverthrow'

const CODE_AT = 0x1000
const MESSAGE_AT = 0x2000
const PORT = 0x3f8

/** The guest, in 16-bit machine code. */
const CODE = Uint8Array.of(
  ...[0xbe, MESSAGE_AT & 0xff, MESSAGE_AT >> 8], //       mov si, message
  ...[0xba, PORT & 0xff, PORT >> 8], //                   mov dx, 0x3f8
  0xac, //                                          next: lodsb
  ...[0x84, 0xc0], //                                     test al, al
  ...[0x74, 0x03], //                                     jz done
  0xee, //                                                out dx, al
  ...[0xeb, 0xf8], //                                     jmp next
  0xf4, //                                          done: hlt
)

/** Runs a guest that prints `message`, and gives what it printed. */
export function hello(kvm: Kvm, message: string): Result<string, KvmError> {
  return kvm.createVm().andThen((vm) => {
    using machine = vm
    return kvm.createMemory(65_536).andThen((made) => {
      using memory = made
      const ready = memory
        .write(CODE_AT, CODE)
        .andThen(() => memory.write(MESSAGE_AT, new TextEncoder().encode(`${message}\0`)))
        // The guest sees this memory from its address 0 on.
        .andThen(() => machine.setUserMemoryRegion({ slot: 0, guestAddress: 0, memory }))
        // Three pages that Intel's processors want for themselves in real mode.
        .andThen(() => machine.setTssAddr(0xfffb_d000))
      return ready
        .andThen(() => machine.createVcpu(0))
        .andThen((vcpu) => {
          using processor = vcpu
          return processor
            .getSregs()
            .andThen((sregs) => {
              // A processor starts at the top of the first 4 GiB: let its segments begin at 0 instead.
              for (const segment of [sregs.cs, sregs.ds]) {
                segment.base = 0n
                segment.selector = 0
              }
              return processor.setSregs(sregs)
            })
            .andThen(() => processor.setRegs({ rip: BigInt(CODE_AT), rflags: 2n }))
            .andThen(() => printed(processor))
        })
    })
  })
}

/** Runs until the guest halts, and gathers what it writes to its port. */
function printed(vcpu: Vcpu): Result<string, KvmError> {
  let text = ''
  for (let next = vcpu.ready; ; ) {
    const run = vcpu.run(next)
    if (run.isErr()) return err(run.error)
    const exit = run.value
    switch (exit.kind) {
      case 'io-out':
        text += String.fromCharCode(...exit.data)
        next = exit.resume()
        break
      case 'hlt':
        return ok(text)
      default:
        throw new Error(`the guest did what it should not: ${exit.kind}`)
    }
  }
}
