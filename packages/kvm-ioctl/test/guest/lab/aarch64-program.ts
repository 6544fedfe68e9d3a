// Runs in the aarch64 lab: real requests to KVM at EL2. Prints what came of them.
import { execFileSync } from 'node:child_process'
import { aarch64 } from '@spectrum/kvm-ioctl'
import { openKvm } from '@spectrum/kvm-ioctl/linux'
import { type Findings, must, refusalOf, report } from './report.js'

const { constants, families, fieldRegisters, layouts } = aarch64
const PAGE = 0x1000
const MEMORY = 64 * PAGE
const MEMORY_AT = 0x4000_0000n
const CODE_AT = 0x1000
const PSCI_0_2 = 1 << constants.KVM_ARM_VCPU_PSCI_0_2
const GIC_DISTRIBUTOR_AT = 0x800_0000n
const GIC_REDISTRIBUTOR_AT = 0x80a_0000n

// ARM Architecture Reference Manual, chapter C6. A device at 0x10000000, a page of memory, then PSCI's SYSTEM_OFF.
const PROGRAM = [
  0xd2a20000, // movz x0, #0x1000, lsl #16
  0x52800a61, // movz w1, #'S'
  0x39000001, // strb w1, [x0]          mmio-write
  0x39401002, // ldrb w2, [x0, #4]      mmio-read
  0xd2a80003, // movz x3, #0x4000, lsl #16
  0xf2860003, // movk x3, #0x3000       page 3 of 4 KiB
  0x39000062, // strb w2, [x3]
  0x52800100, // movz w0, #8
  0x72b08000, // movk w0, #0x8400, lsl #16
  0xd4000002, // hvc #0                 PSCI SYSTEM_OFF
  0x14000000, // b .
  0xd503201f, // nop
  0xd4200000, // brk #0                 a debugger's breakpoint
]
const LOOP_AT = CODE_AT + 4 * (PROGRAM.length - 3)
const BREAKPOINT_AT = CODE_AT + 4 * (PROGRAM.length - 1)
/** Exception classes of ESR_EL2, in its bits from 26 on. */
const ESR_STEP = 0x32
const ESR_BRK = 0x3c

const [layoutsProgram] = process.argv.slice(2)
const found: Findings = {}

type CorePath = 'regs.pc' | 'regs.sp' | 'regs.pstate' | 'sp_el1' | 'fp_regs.fpcr'
/** The id of a core register: where its field lies in struct kvm_regs. */
const core = (path: CorePath, size: bigint = constants.KVM_REG_SIZE_U64) => {
  const { structure, unit } = fieldRegisters.KVM_REG_ARM_CORE_REG
  const place = BigInt(layouts[structure].fields[path].offset / unit)
  return constants.KVM_REG_ARM64 | size | constants.KVM_REG_ARM_CORE | place
}
const system = (...operands: [number, number, number, number, number]) => {
  const { base, steps } = families.__ARM64_SYS_REG
  return operands.reduce<bigint>(
    (id, n, at) => id + BigInt(n) * steps[at]!,
    base | constants.KVM_REG_SIZE_U64,
  )
}

using kvm = must(openKvm('aarch64'))
found['pageSize'] = kvm.pageSize
found['version'] = must(kvm.getApiVersion())
for (const name of ['KVM_CAP_ARM_PSCI_0_2', 'KVM_CAP_ARM_VM_IPA_SIZE', 'KVM_CAP_ONE_REG'] as const)
  found[name] = must(kvm.checkExtension(name))

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
found['a vCPU that is not initialised'] = refusalOf(vcpu.run())
const target = must(vm.armPreferredTarget())
must(vcpu.armVcpuInit({ target: target.target, features: [PSCI_0_2] }))

// The interrupt controller is a device of the kernel, made of attributes.
using gic = must(vm.createDevice(constants.KVM_DEV_TYPE_ARM_VGIC_V3))!
const address = (attr: number) => ({ group: constants.KVM_DEV_ARM_VGIC_GRP_ADDR, attr })
const word = (value: bigint) => new Uint8Array(BigUint64Array.of(value).buffer)
must(gic.setDeviceAttr(address(constants.KVM_VGIC_V3_ADDR_TYPE_DIST), word(GIC_DISTRIBUTOR_AT)))
must(gic.setDeviceAttr(address(constants.KVM_VGIC_V3_ADDR_TYPE_REDIST), word(GIC_REDISTRIBUTOR_AT)))
must(
  gic.setDeviceAttr(
    { group: constants.KVM_DEV_ARM_VGIC_GRP_CTRL, attr: constants.KVM_DEV_ARM_VGIC_CTRL_INIT },
    new Uint8Array(8),
  ),
)
const distributor = must(gic.getDeviceAttr(address(constants.KVM_VGIC_V3_ADDR_TYPE_DIST), 8))
found['the distributor'] = new DataView(distributor.buffer).getBigUint64(0, true)
found['an attribute that there is not'] = must(gic.hasDeviceAttr({ group: 99, attr: 0 }))

const ids = must(vcpu.getRegList())
found['registers listed'] = ids.length > 100
const list = [...ids]
found['pc is listed'] = list.includes(core('regs.pc'))
for (const [name, id, value] of [
  ['pc', core('regs.pc'), MEMORY_AT + BigInt(CODE_AT)],
  ['sp_el1', core('sp_el1'), 0x1234_5678_9abc_def0n],
  ['fpcr', core('fp_regs.fpcr', constants.KVM_REG_SIZE_U32), 0x0100_0000n],
] as const) {
  must(vcpu.setOneReg(id, value))
  found[name] = must(vcpu.getOneReg(id)) === value
}
found['MIDR_EL1 is a Cortex-A72’s'] =
  ((must(vcpu.getOneReg(system(3, 0, 0, 0, 0))) >> 4n) & 0xfffn) === 0xd08n
found['a register that there is not'] = refusalOf(vcpu.getOneReg(core('regs.pc') | 0xffffn))
found['registers that belong to x86'] = refusalOf(
  vcpu.ioctl('KVM_GET_REGS', new Uint8Array(layouts.kvm_regs.size)),
)

// The rest of ARM's requests, with what came of each.
const outcomes: Record<string, string> = {}
const tried = (name: string, result: Parameters<typeof refusalOf>[0]) => {
  outcomes[name] = refusalOf(result)
}
tried('KVM_GET_VCPU_MMAP_SIZE', kvm.getVcpuMmapSize())
tried('KVM_ARM_SET_DEVICE_ADDR', vm.armSetDeviceAddr({ id: 1n << 16n, addr: 0x900_0000n }))
tried('KVM_ARM_SET_COUNTER_OFFSET', vm.armSetCounterOffset({ counter_offset: 1n }))
tried('KVM_ARM_GET_REG_WRITABLE_MASKS', vm.armGetRegWritableMasks())
tried('KVM_ARM_MTE_COPY_TAGS', vm.armMteCopyTags(MEMORY_AT, new Uint8Array(PAGE / 16), 'from-guest'))
tried('KVM_ARM_VCPU_FINALIZE', vcpu.armVcpuFinalize(constants.KVM_ARM_VCPU_SVE))
tried('KVM_GET_VCPU_EVENTS', vcpu.getVcpuEvents())
tried('KVM_SET_VCPU_EVENTS', vcpu.setVcpuEvents({}))
tried('KVM_GET_MP_STATE', vcpu.getMpState())
tried('KVM_SET_MP_STATE', vcpu.setMpState({ mp_state: constants.KVM_MP_STATE_RUNNABLE }))
tried('KVM_SET_GUEST_DEBUG', vcpu.setGuestDebug({ control: 0 }))
tried('KVM_CREATE_IRQCHIP', vm.createIrqchip())
const sharedInterrupt = (constants.KVM_ARM_IRQ_TYPE_SPI << constants.KVM_ARM_IRQ_TYPE_SHIFT) | 40
tried('KVM_IRQ_LINE', vm.irqLine({ irq: sharedInterrupt, level: 0 }))
tried('KVM_IRQ_LINE_STATUS', vm.irqLineStatus({ irq: sharedInterrupt, level: 0 }))
const route = { gsi: 0, type: constants.KVM_IRQ_ROUTING_IRQCHIP, u: { irqchip: { irqchip: 0, pin: 3 } } }
tried('KVM_SET_GSI_ROUTING', vm.setGsiRouting([route]))
tried('KVM_SIGNAL_MSI', vm.signalMsi({ address_lo: 0x808_0040, data: 1 }))
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
tried('KVM_ENABLE_CAP (vm)', vm.enableCap({ cap: 'KVM_CAP_ARM_NISV_TO_USER' }))
tried('KVM_HAS_DEVICE_ATTR (vcpu)', vcpu.hasDeviceAttr({ group: constants.KVM_ARM_VCPU_TIMER_CTRL, attr: 0 }))
const timer = { group: constants.KVM_ARM_VCPU_TIMER_CTRL, attr: constants.KVM_ARM_VCPU_TIMER_IRQ_VTIMER }
tried('KVM_GET_DEVICE_ATTR (vcpu)', vcpu.getDeviceAttr(timer, 4))
tried('KVM_CREATE_GUEST_MEMFD', vm.createGuestMemfd(PAGE))
tried('KVM_SET_MEMORY_ATTRIBUTES', vm.setMemoryAttributes({ address: MEMORY_AT, size: BigInt(PAGE) }))
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
found['what the guest stored'] = bytes[3 * PAGE]

// Off means that it has to be made anew: into the endless loop, on a thread of its own, ended by a kick.
must(vcpu.armVcpuInit({ target: target.target, features: [PSCI_0_2] }))
must(vcpu.setOneReg(core('regs.pc'), MEMORY_AT + BigInt(LOOP_AT)))
const started = vcpu.runAsync(vcpu.ready)
setTimeout(() => must(vcpu.kick()), 50)
found['a kick ends an endless loop'] = must(await started).kind

// A debugger's single step, and its breakpoint.
must(vcpu.setOneReg(core('regs.pc'), MEMORY_AT + BigInt(BREAKPOINT_AT - 4)))
const { KVM_GUESTDBG_ENABLE, KVM_GUESTDBG_SINGLESTEP, KVM_GUESTDBG_USE_SW_BP } = constants
for (const [name, how, why] of [
  ['a single step stops behind its instruction', KVM_GUESTDBG_SINGLESTEP, ESR_STEP],
  ['a software breakpoint stops at its own', KVM_GUESTDBG_USE_SW_BP, ESR_BRK],
] as const) {
  must(vcpu.setGuestDebug({ control: KVM_GUESTDBG_ENABLE | how }))
  const exit = must(vcpu.run())
  if (exit.kind !== 'debug') throw new Error(`${name}: ${exit.kind}`)
  const at = must(vcpu.getOneReg(core('regs.pc'))) - MEMORY_AT
  found[name] = Number(exit.arch['hsr']) >>> 26 === why && at === BigInt(BREAKPOINT_AT)
}

found['layouts'] = JSON.parse(execFileSync(layoutsProgram!, { encoding: 'utf8', timeout: 100_000 }))
report(found)
