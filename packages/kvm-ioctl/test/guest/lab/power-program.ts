// Runs in the POWER lab: real requests to kvm-hv. Prints what came of them.
import { execFileSync } from 'node:child_process'
import { powerpc64le } from '@spectrum/kvm-ioctl'
import { openKvm } from '@spectrum/kvm-ioctl/linux'
import { type Findings, must, refusalOf, report } from './report.js'

const { constants, families } = powerpc64le
const HV = 1
const KIB64 = 0x10000
const MEMORY = 16 * KIB64
const CODE_AT = 0x1000
const MSR_SF_LE = 0x8000_0000_0000_0001n
const H_PUT_TERM_CHAR = 0x58n

// Power ISA 3.0B. The guest stores a byte to a device, loads one back, dirties a page, and asks its hypervisor twice.
const PROGRAM = [
  0x3d000010, // lis r8, 0x10        an address where no memory is
  0x38600053, // li r3, 'S'
  0x98680000, // stb r3, 0(r8)       mmio-write
  0x88880004, // lbz r4, 4(r8)       mmio-read
  0x3d200003, // lis r9, 3           page 3 of 64 KiB
  0x98890000, // stb r4, 0(r9)
  0x38600058, // li r3, 0x58
  0x44000022, // sc 1                papr-hcall
  0x7c641b78, // mr r4, r3
  0x38600058, // li r3, 0x58
  0x44000022, // sc 1                papr-hcall
  0x48000000, // b .
]

const [layoutsProgram] = process.argv.slice(2)
const found: Findings = { pageSize: 0 }

using kvm = must(openKvm('powerpc64le'))
found['pageSize'] = kvm.pageSize
found['version'] = must(kvm.getApiVersion())
for (const name of ['KVM_CAP_PPC_PAPR', 'KVM_CAP_PPC_MMU_RADIX', 'KVM_CAP_ONE_REG'] as const)
  found[name] = must(kvm.checkExtension(name))
found['a machine of no known type'] = refusalOf(kvm.createVm(7))

using vm = must(kvm.createVm(HV))
using memory = must(kvm.createMemory(MEMORY))
const bytes = must(memory.bytes)
const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
PROGRAM.forEach((instruction, index) => {
  view.setUint32(CODE_AT + index * 4, instruction, true)
})
const region = { slot: 0, guestAddress: 0n, memory, logDirtyPages: true }
found['a slot at 4 KiB'] = refusalOf(vm.setUserMemoryRegion({ ...region, guestAddress: 0x1000n }))
must(vm.setUserMemoryRegion(region))
found['a slot over another'] = refusalOf(
  vm.setUserMemoryRegion({ slot: 1, guestAddress: BigInt(KIB64), memory, length: KIB64 }),
)
must(vm.setUserMemoryRegion({ slot: 1, guestAddress: BigInt(2 * MEMORY), memory, length: KIB64 }))
must(vm.removeMemoryRegion(1))
found['the radix MMU'] = must(vm.ppcGetRmmuInfo()).ap_encodings[0] !== undefined
found['the hash MMU has a base page of 4 KiB'] = must(vm.ppcGetSmmuInfo()).sps[0]!.page_shift === 12
found['the processor’s character'] = refusalOf(vm.ppcGetCpuChar())

using vcpu = must(vm.createVcpu(0))
must(vcpu.enableCap({ cap: 'KVM_CAP_PPC_PAPR' }))
found['the processor is a POWER9'] = must(vcpu.getSregs()).pvr >>> 16 === 0x4e

// Registers of 32, 64 and 128 bits, singly and all at once.
for (const [name, id, value] of [
  ['dscr', constants.KVM_REG_PPC_DSCR, 0x1fn],
  ['fpr 3', families.KVM_REG_PPC_FPR.base + 3n, 0x0123_4567_89ab_cdefn],
  ['vsr 20', families.KVM_REG_PPC_VSR.base + 20n, 0x0011_2233_4455_6677_8899_aabb_ccdd_eeffn],
  ['vr 8', families.KVM_REG_PPC_VR.base + 8n, 0xffee_ddcc_bbaa_9988_7766_5544_3322_1100n],
  ['vrsave', constants.KVM_REG_PPC_VRSAVE, 0x5a5a_5a5an],
] as const) {
  must(vcpu.setOneReg(id, value))
  found[name] = must(vcpu.getOneReg(id)) === value
}
found['a register that there is not'] = refusalOf(
  vcpu.getOneReg(constants.KVM_REG_PPC | constants.KVM_REG_SIZE_U64 | 0xfffn),
)
must(vcpu.setRegs({ pc: CODE_AT, msr: MSR_SF_LE, lr: 0x1234n }))
const registers = must(vcpu.getRegs())
found['registers'] = { pc: registers.pc, msr: registers.msr, lr: registers.lr }

const exits: Findings[] = []
let next = vcpu.ready
while (exits.length < 4) {
  const exit = must(vcpu.run(next))
  switch (exit.kind) {
    case 'mmio-write':
      exits.push({ kind: exit.kind, address: exit.address, data: [...exit.data] })
      next = exit.resume()
      break
    case 'mmio-read':
      exits.push({ kind: exit.kind, address: exit.address, length: exit.length })
      next = exit.answer(Uint8Array.of(0x21))
      break
    case 'papr-hcall':
      exits.push({ kind: exit.kind, nr: exit.nr, first: exit.args[0] })
      if (exit.nr !== H_PUT_TERM_CHAR) throw new Error('not the call that was asked for')
      next = exit.answer(0x77n)
      break
    case 'kicked':
      next = exit.resume()
      break
    default:
      throw new Error(`an exit that was not expected: ${exit.kind}`)
  }
}
found['exits'] = exits
found['dirty pages'] = [...must(vm.getDirtyLog(0))]
found['what the guest stored'] = bytes[3 * KIB64]

// On a thread of its own, ended by a kick: the guest is in an endless loop by then.
const started = vcpu.runAsync(next)
setTimeout(() => must(vcpu.kick()), 50)
found['a kick ends an endless loop'] = must(await started).kind

found['layouts'] = JSON.parse(execFileSync(layoutsProgram!, { encoding: 'utf8' }))
report(found)
