import type { QemuBoard } from '../attach/qemu.js'
import type { GuestArchitecture } from '../machine.js'

/** Architectures of guests that the driver for QEMU can run. */
export type QemuArchitecture = Extract<GuestArchitecture, 'x86_64' | 'aarch64' | 'powerpc64le'>

/** What one kind of machine of QEMU takes to run a unit. */
export interface Board {
  readonly architecture: QemuArchitecture
  /** The slot that the machine's own devices share. */
  readonly slot: string
  /** For `-machine`. */
  readonly machineOptions: Readonly<Record<'kvm' | 'emulation', readonly string[]>>
  /** For `-cpu`. */
  readonly cpu: Readonly<Record<'kvm' | 'emulation', string>>
  /** Kernel parameters for the early console, where it has one, and the console. */
  readonly console: readonly string[]
  /** Other kernel parameters that its guests need. */
  readonly parameters?: readonly string[]
  /** Bytes of which the guest's memory is a multiple. */
  readonly memoryStep: number
}

const MIB = 1024 * 1024

/** No memory of the guest in a core dump, and no merging that tells one guest what another one holds. */
const DISCREET = ['dump-guest-core=off', 'mem-merge=off', 'usb=off']

/** And none of the board's own controllers. (`graphics=off` would make the firmware write to the serial port.) */
const PC_OPTIONS = [...DISCREET, 'sata=off', 'smbus=off', 'vmport=off']

const PC = {
  architecture: 'x86_64',
  machineOptions: { kvm: PC_OPTIONS, emulation: PC_OPTIONS },
  // Emulated, a fifth level of page tables costs at every miss and serves no guest below 64 TiB.
  cpu: { kvm: 'host', emulation: 'max,la57=off' },
  console: ['earlyprintk=ttyS0', 'console=ttyS0'],
  // Linux tries the timer for some 50 ms of a counter that runs on while QEMU does not: on a busy host it panics ("IO-APIC +
  // timer doesn't work!"). Where it knows that it runs on KVM it does not try.
  parameters: ['no_timer_check'],
  memoryStep: MIB,
} as const

/** The kernel is started at once, without the firmware's seconds: QEMU itself answers the few calls of it. */
const PSERIES_OPTIONS = [...DISCREET, 'x-vof=on']

/** An emulated POWER has none of the mitigations that the machine promises unless told otherwise. */
const UNMITIGATED = ['cap-cfpc=broken', 'cap-sbbc=broken', 'cap-ibs=broken', 'cap-ccf-assist=off']

export const BOARDS: Readonly<Record<QemuBoard, Board>> = {
  q35: { ...PC, slot: '0x1' },
  // The second slot is the board's own there.
  pc: { ...PC, slot: '0x2' },
  virt: {
    architecture: 'aarch64',
    slot: '0x1',
    machineOptions: {
      kvm: [...DISCREET, 'gic-version=host'],
      emulation: [...DISCREET, 'gic-version=3'],
    },
    // `max` authenticates pointers with a cipher that costs more than the rest of the guest to emulate.
    cpu: { kvm: 'host', emulation: 'cortex-a72' },
    console: ['earlycon', 'console=ttyAMA0'],
    memoryStep: MIB,
  },
  pseries: {
    architecture: 'powerpc64le',
    slot: '0x1',
    machineOptions: { kvm: PSERIES_OPTIONS, emulation: [...PSERIES_OPTIONS, ...UNMITIGATED] },
    cpu: { kvm: 'host', emulation: 'POWER9' },
    console: ['console=hvc0'],
    // QEMU refuses other sizes: logical memory blocks of PAPR.
    memoryStep: 256 * MIB,
  },
}

/** By architecture: the board on which units run, and the program that runs it. */
const RUNS: Readonly<Record<QemuArchitecture, { readonly board: QemuBoard; readonly binary: string }>> = {
  x86_64: { board: 'q35', binary: 'qemu-system-x86_64' },
  aarch64: { board: 'virt', binary: 'qemu-system-aarch64' },
  powerpc64le: { board: 'pseries', binary: 'qemu-system-ppc64' },
}

/** The board on which units of this architecture run. */
export const boardFor = (architecture: QemuArchitecture): QemuBoard => RUNS[architecture].board

/** The program that runs guests of this architecture. */
export const qemuBinary = (architecture: QemuArchitecture): string => RUNS[architecture].binary

/** Whether the driver for QEMU has a board for this architecture. */
export function isQemuArchitecture(architecture: GuestArchitecture): architecture is QemuArchitecture {
  return Object.hasOwn(RUNS, architecture)
}
