import type { Kvm, Vcpu } from '@spectrum/kvm-ioctl'

const MEMORY_BYTES = 2 * 1024 * 1024
const PORT = 0x3f8

/** Where things lie in the guest's memory, which begins at its address 0. */
const AT = {
  code: 0x1000,
  sum: 0x2000,
  message: 0x3000,
  pml4: 0x4000,
  low: 0x5000,
  high: 0x6000,
  pages: 0x7000,
}
/** The same memory a second time, in the upper half of the address space: entry 256 of 512. */
const UPPER_HALF = 0xffff_8000_0000_0000n

/** Bits of page tables and control registers; Intel's manual, volume 3, chapters 2 and 4. */
const PRESENT = 1n
const WRITABLE = 2n
const TWO_MEGABYTES = 0x80n
const CR0_PE = 1n
const CR0_PG = 1n << 31n
const CR4_PAE = 0x20n
const EFER_LME = 0x100n
const EFER_LMA = 0x400n

const bytesOf = (value: bigint) => [...new Uint8Array(BigUint64Array.of(value).buffer)]

export const code = (a: bigint, b: bigint): Uint8Array =>
  Uint8Array.of(
    ...[0x48, 0xb8, ...bytesOf(a)], //                           mov rax, a
    ...[0x48, 0xbb, ...bytesOf(b)], //                           mov rbx, b
    ...[0x48, 0x01, 0xd8], //                                    add rax, rbx
    ...[0x48, 0xbf, ...bytesOf(UPPER_HALF + BigInt(AT.sum))], // mov rdi, sum
    ...[0x48, 0x89, 0x07], //                                    mov [rdi], rax
    ...[0x48, 0xbe, ...bytesOf(UPPER_HALF + BigInt(AT.message))], // mov rsi, message
    ...[0x66, 0xba, PORT & 0xff, PORT >> 8], //                  mov dx, 0x3f8
    0xac, //                                               next: lodsb
    ...[0x84, 0xc0], //                                          test al, al
    ...[0x74, 0x03], //                                          jz done
    0xee, //                                                     out dx, al
    ...[0xeb, 0xf8], //                                          jmp next
    0xf4, //                                               done: hlt
  )

/** One page of 2 MiB, at address 0 and again where the upper half begins. */
export function pageTables(): readonly (readonly [at: number, entry: bigint])[] {
  const table = (address: number) => BigInt(address) | PRESENT | WRITABLE
  return [
    [AT.pml4, table(AT.low)],
    [AT.pml4 + 256 * 8, table(AT.high)],
    [AT.low, table(AT.pages)],
    [AT.high, table(AT.pages)],
    [AT.pages, PRESENT | WRITABLE | TWO_MEGABYTES],
  ]
}

/** What no instruction has to switch on: paging, 64 bits, flat segments. */
function enterLongMode(vcpu: Vcpu): void {
  const sregs = vcpu.getSregs()._unsafeUnwrap()
  sregs.cr3 = BigInt(AT.pml4)
  sregs.cr4 = CR4_PAE
  sregs.cr0 |= CR0_PE | CR0_PG
  sregs.efer = EFER_LME | EFER_LMA
  const flat = { base: 0n, limit: 0xffff_ffff, present: 1, dpl: 0, s: 1, g: 1 }
  Object.assign(sregs.cs, flat, { selector: 8, type: 11, l: 1, db: 0 })
  for (const data of [sregs.ds, sregs.es, sregs.ss])
    Object.assign(data, flat, { selector: 16, type: 3, l: 0, db: 1 })
  vcpu.setSregs(sregs)._unsafeUnwrap()
  vcpu.setRegs({ rip: BigInt(AT.code), rflags: 2n })._unsafeUnwrap()
}

export interface Outcome {
  readonly printed: string
  readonly sum: bigint
}

/** Lets the guest add `a` and `b` in 64 bits and print `message`. Throws where KVM refuses: read it as prose. */
export function longMode(kvm: Kvm, a: bigint, b: bigint, message: string): Outcome {
  using vm = kvm.createVm()._unsafeUnwrap()
  using memory = kvm.createMemory(MEMORY_BYTES)._unsafeUnwrap()
  memory.write(AT.code, code(a, b))._unsafeUnwrap()
  memory.write(AT.message, new TextEncoder().encode(`${message}\0`))._unsafeUnwrap()
  for (const [at, entry] of pageTables()) memory.write(at, Uint8Array.from(bytesOf(entry)))._unsafeUnwrap()
  vm.setUserMemoryRegion({ slot: 0, guestAddress: 0, memory })._unsafeUnwrap()
  vm.setTssAddr(0xfffb_d000)._unsafeUnwrap()
  using vcpu = vm.createVcpu(0)._unsafeUnwrap()
  enterLongMode(vcpu)
  let printed = ''
  for (let next = vcpu.ready; ; ) {
    const exit = vcpu.run(next)._unsafeUnwrap()
    if (exit.kind === 'hlt') break
    if (exit.kind !== 'io-out')
      throw new Error(`the guest did what it should not: ${JSON.stringify(exit.kind)}`)
    printed += String.fromCharCode(...exit.data)
    next = exit.resume()
  }
  const sum = new DataView(memory.read(AT.sum, 8)._unsafeUnwrap().buffer).getBigUint64(0, true)
  return { printed, sum }
}
