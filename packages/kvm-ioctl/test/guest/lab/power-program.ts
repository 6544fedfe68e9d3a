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
/** One of the calls that the kernel answers itself, unless told not to. */
const H_REMOVE = 0x04
/** In an address of a process table: the guest uses the radix MMU. */
const PATB_GR = 1n << 63n

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

// The rest of POWER's requests, with what came of each.
const outcomes: Record<string, string> = {}
const tried = (name: string, result: Parameters<typeof refusalOf>[0]) => {
  outcomes[name] = refusalOf(result)
}
tried('KVM_GET_VCPU_MMAP_SIZE', kvm.getVcpuMmapSize())
tried('KVM_ENABLE_CAP (vm)', vm.enableCap({ cap: 'KVM_CAP_PPC_ENABLE_HCALL', args: [H_REMOVE, 0] }))
tried('KVM_CHECK_EXTENSION (vm)', vm.checkExtension('KVM_CAP_NR_MEMSLOTS'))
tried('KVM_PPC_GET_PVINFO', vm.ppcGetPvinfo())
const window = { liobn: 0x8000_0000n, size: 16n, page_shift: 16 }
tried('KVM_CREATE_SPAPR_TCE_64', vm.createSpaprTce64(window))
tried('KVM_CREATE_SPAPR_TCE', vm.createSpaprTce({ liobn: 0x8000_0001n, window_size: 1 << 20 }))
const token = { name: Buffer.from('ibm,int-off'), token: 0x2000n }
tried('KVM_PPC_RTAS_DEFINE_TOKEN', vm.ppcRtasDefineToken(token))
tried('KVM_PPC_GET_HTAB_FD', vm.ppcGetHtabFd({ flags: 0n, start_index: 0n }))
tried('KVM_PPC_RESIZE_HPT_PREPARE', vm.ppcResizeHptPrepare({ flags: 0n, shift: 24 }))
tried('KVM_PPC_RESIZE_HPT_COMMIT', vm.ppcResizeHptCommit({ flags: 0n, shift: 24 }))
tried('KVM_PPC_SVM_OFF', vm.ppcSvmOff())
tried('KVM_PPC_GET_COMPAT_CAPS', vm.ppcGetCompatCaps({ size: 24n }))
tried('KVM_PPC_ALLOCATE_HTAB', vm.ppcAllocateHtab(24))
const radix = BigInt(constants.KVM_PPC_MMUV3_RADIX | constants.KVM_PPC_MMUV3_GTSE)
tried('KVM_PPC_CONFIGURE_V3_MMU', vm.ppcConfigureV3Mmu({ flags: radix, process_table: PATB_GR }))
tried('KVM_CREATE_DEVICE', vm.createDevice(constants.KVM_DEV_TYPE_XICS, true))
tried('KVM_HAS_DEVICE_ATTR', vm.hasDeviceAttr({ group: 0, attr: 0 }))
tried('KVM_REGISTER_COALESCED_MMIO', vm.registerCoalesced(0x20_0000, 8))
tried('KVM_UNREGISTER_COALESCED_MMIO', vm.unregisterCoalesced(0x20_0000, 8))
tried(
  'KVM_GET_STATS_FD (vm)',
  vm.getStatsFd().andThen((statistics) => statistics.values()),
)
tried(
  'KVM_GET_STATS_FD (vcpu)',
  vcpu.getStatsFd().andThen((statistics) => statistics.values()),
)
tried(
  'KVM_SET_SREGS',
  vcpu.getSregs().andThen((sregs) => vcpu.setSregs(sregs)),
)
tried('KVM_GET_FPU', vcpu.getFpu())
tried('KVM_SET_FPU', vcpu.setFpu({}))
tried('KVM_TRANSLATE', vcpu.translate({ linear_address: 0n }))
tried('KVM_GET_MP_STATE', vcpu.getMpState())
tried('KVM_SET_MP_STATE', vcpu.setMpState({ mp_state: constants.KVM_MP_STATE_RUNNABLE }))
tried('KVM_SET_GUEST_DEBUG', vcpu.setGuestDebug({ control: 0 }))
tried('KVM_GET_REG_LIST', vcpu.getRegList())
tried('KVM_INTERRUPT', vcpu.interrupt({ irq: constants.KVM_INTERRUPT_UNSET }))
tried('KVM_PRE_FAULT_MEMORY', vcpu.preFaultMemory({ gpa: 0n, size: BigInt(KIB64) }))
found['outcomes'] = outcomes

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

found['layouts'] = JSON.parse(execFileSync(layoutsProgram!, { encoding: 'utf8', timeout: 100_000 }))
report(found)
