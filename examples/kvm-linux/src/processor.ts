import type { Kvm, Vcpu } from '@spectrum/kvm-ioctl'
import { CODE_SELECTOR, DATA_SELECTOR, type EntryState } from './boot.js'
import { must } from './outcome.js'

/** Bits of control registers. Source: Intel's manual, volume 3, section 2.5. */
const CR0_PE_ET_PG = 0x8000_0011n
const CR4_PAE = 0x20n
const EFER_LME_LMA = 0x500n
/** Bit 1 of RFLAGS is always set. Interrupts are off. */
const RFLAGS = 2n

/** Segment types: code that may be executed and read, data that may be read and written; both accessed before. */
const CODE = 0xb
const DATA = 0x3

/** Bits of ECX in CPUID's leaf 1. */
const XSAVE = 1 << 26
const HYPERVISOR = 1 << 31

/** What the guest's CPUID answers: all that KVM can do, and that there is a hypervisor. */
export function identify(kvm: Kvm<'x86_64'>, vcpu: Vcpu<'x86_64'>): void {
  const entries = must(kvm.getSupportedCpuid())
  for (const entry of entries) {
    // KVM leaves this bit to whoever makes the machine. Without it Linux finds no paravirtual clock. XSAVE is taken out,
    // because on an emulated processor its sizes contradict each other, and a serial console needs no AVX.
    if (entry.function === 1) entry.ecx = ((entry.ecx | HYPERVISOR) & ~XSAVE) >>> 0
  }
  must(vcpu.setCpuid2(entries))
}

/** Puts a processor into 64-bit mode with flat segments, at the kernel's entry, as the boot protocol wants it. */
export function enter(vcpu: Vcpu<'x86_64'>, { rip, rsi, rsp, cr3, gdt }: EntryState): void {
  const flat = { base: 0n, limit: 0xffff_ffff, present: 1, dpl: 0, s: 1, g: 1, avl: 0, unusable: 0 }
  const code = { ...flat, selector: CODE_SELECTOR, type: CODE, l: 1, db: 0 }
  const data = { ...flat, selector: DATA_SELECTOR, type: DATA, l: 0, db: 1 }
  const registers = must(vcpu.getSregs())
  Object.assign(registers.cs, code)
  const { ds, es, fs, gs, ss } = registers
  for (const segment of [ds, es, fs, gs, ss]) Object.assign(segment, data)
  Object.assign(registers.gdt, gdt)
  Object.assign(registers, { cr0: CR0_PE_ET_PG, cr3, cr4: CR4_PAE, efer: EFER_LME_LMA })
  must(vcpu.setSregs(registers))
  must(vcpu.setRegs({ rip, rsi, rsp, rflags: RFLAGS }))
}
