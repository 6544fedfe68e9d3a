// Runs on a riscv64 machine: real requests to KVM with the hypervisor extension. Prints what came of them.
import { execFileSync } from 'node:child_process'
import { riscv64 } from '@spectrum/kvm-ioctl'
import { openKvm } from '@spectrum/kvm-ioctl/linux'
import { type Findings, must, refusalOf, report } from './report.js'

const { constants, fieldRegisters, layouts } = riscv64
const PAGE = 0x1000
const MEMORY = 64 * PAGE
const MEMORY_AT = 0x8000_0000n
const CODE_AT = 0x1000

// The RISC-V instruction set manual, volume I, and SBI 2.0. A device at 0x10000000, page 4 of memory, a call of a vendor's
// SBI extension, which is user space's to answer, and the call that powers off.
const PROGRAM = [
  0x100002b7, // lui t0, 0x10000
  0x05300313, // li t1, 'S'
  0x00628023, // sb t1, 0(t0)       mmio-write
  0x00428383, // lb t2, 4(t0)       mmio-read
  0x00003e17, // auipc t3, 3
  0x007e0023, // sb t2, 0(t3)
  0x090008b7, // lui a7, 0x9000     SBI's range for vendors
  0x02100513, // li a0, '!'
  0x00500813, // li a6, 5
  0x00000073, // ecall              riscv-sbi
  0x00be00a3, // sb a1, 1(t3)
  0x535258b7, // lui a7, 0x53525
  0x35488893, // addi a7, a7, 0x354 SBI's system reset
  0x00000813, // li a6, 0
  0x00000513, // li a0, 0
  0x00000593, // li a1, 0
  0x00000073, // ecall              system-event
  0x0000006f, // j .
  0x00100073, // ebreak
]
const LOOP_AT = CODE_AT + 4 * (PROGRAM.length - 2)
const BREAKPOINT_AT = LOOP_AT + 4
const STORED_AT = CODE_AT + 4 * 4 + 3 * PAGE

const [layoutsProgram] = process.argv.slice(2)
const found: Findings = {}

type CorePath = 'regs.pc' | 'regs.sp' | 'mode'
const core = (path: CorePath) => {
  const { structure, unit } = fieldRegisters.KVM_REG_RISCV_CORE_REG
  const place = BigInt(layouts[structure].fields[path].offset / unit)
  return constants.KVM_REG_RISCV | constants.KVM_REG_SIZE_U64 | constants.KVM_REG_RISCV_CORE | place
}

using kvm = must(openKvm('riscv64'))
found['pageSize'] = kvm.pageSize
found['version'] = must(kvm.getApiVersion())
using vm = must(kvm.createVm())
using memory = must(kvm.createMemory(MEMORY))
const bytes = must(memory.bytes)
const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
PROGRAM.forEach((instruction, index) => {
  view.setUint32(CODE_AT + index * 4, instruction, true)
})
must(vm.setUserMemoryRegion({ slot: 0, guestAddress: MEMORY_AT, memory, logDirtyPages: true }))
found['a slot over another'] = refusalOf(
  vm.setUserMemoryRegion({ slot: 1, guestAddress: MEMORY_AT, memory, length: PAGE }),
)

using vcpu = must(vm.createVcpu(0))
const ids = [...must(vcpu.getRegList())]
found['pc is listed'] = ids.includes(core('regs.pc'))
for (const [path, value] of [
  ['regs.pc', MEMORY_AT + BigInt(CODE_AT)],
  ['regs.sp', 0x1234_5678_9abc_def0n],
] as const) {
  must(vcpu.setOneReg(core(path), value))
  found[path] = must(vcpu.getOneReg(core(path))) === value
}
found['a register that there is not'] = refusalOf(vcpu.getOneReg(core('regs.pc') | 0xffffn))

// The rest of RISC-V's requests, with what came of each.
const outcomes: Record<string, string> = {}
const tried = (name: string, result: Parameters<typeof refusalOf>[0]) => {
  outcomes[name] = refusalOf(result)
}
tried('KVM_GET_VCPU_MMAP_SIZE', kvm.getVcpuMmapSize())
tried('KVM_GET_MP_STATE', vcpu.getMpState())
tried('KVM_SET_MP_STATE', vcpu.setMpState({ mp_state: constants.KVM_MP_STATE_RUNNABLE }))
tried('KVM_INTERRUPT', vcpu.interrupt({ irq: constants.KVM_INTERRUPT_UNSET }))
tried('KVM_CREATE_IRQCHIP', vm.createIrqchip())
tried('KVM_CREATE_DEVICE', vm.createDevice(constants.KVM_DEV_TYPE_RISCV_AIA, true))
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
tried('KVM_PRE_FAULT_MEMORY', vcpu.preFaultMemory({ gpa: MEMORY_AT, size: BigInt(PAGE) }))
found['outcomes'] = outcomes

const exits: Findings[] = []
let next = vcpu.ready
for (let over = false; !over; ) {
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
    case 'riscv-sbi':
      exits.push({
        kind: exit.kind,
        extension: exit.extensionId,
        function: exit.functionId,
        first: exit.args[0],
      })
      next = exit.answer(0n, 0x77n)
      break
    case 'system-event':
      exits.push({ kind: exit.kind, type: exit.type })
      next = exit.resume()
      over = true
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
found['what the guest stored'] = [...bytes.subarray(STORED_AT, STORED_AT + 2)]

// The call powered it off. On again, in the endless loop on a thread of its own, ended by a kick.
must(vcpu.setMpState({ mp_state: constants.KVM_MP_STATE_RUNNABLE }))
must(vcpu.setOneReg(core('regs.pc'), MEMORY_AT + BigInt(LOOP_AT)))
const started = vcpu.runAsync(vcpu.ready)
setTimeout(() => must(vcpu.kick()), 50)
found['a kick ends an endless loop'] = must(await started).kind

must(vcpu.setGuestDebug({ control: constants.KVM_GUESTDBG_ENABLE }))
must(vcpu.setOneReg(core('regs.pc'), MEMORY_AT + BigInt(BREAKPOINT_AT)))
found['a software breakpoint'] = must(vcpu.run()).kind
found['stops at its own instruction'] =
  must(vcpu.getOneReg(core('regs.pc'))) === MEMORY_AT + BigInt(BREAKPOINT_AT)

found['layouts'] = JSON.parse(execFileSync(layoutsProgram!, { encoding: 'utf8', timeout: 100_000 }))
report(found)
