import { err, type Result } from 'neverthrow'
import {
  MOST_QEMU_DEVICES,
  type QemuAttachPlan,
  type QemuBoard,
  qemuAttachPlan,
  qemuValue,
} from '../attach/qemu.js'
import type { AttachRefusal } from '../attach/request.js'
import { checkDescription, type DescriptionLimits, type InvalidDescription, invalid } from '../description.js'
import type { MachineDescription } from '../machine.js'
import { BOARDS } from './boards.js'

/**
 * Absolute paths of Unix stream sockets on which the host listens and to which QEMU connects (`-chardev
 * socket,server=off`).
 */
export interface QemuSockets {
  /** A stream of the guest's console. */
  readonly console: string
  /** A stream of the guest's virtio console port for its agent. */
  readonly control: string
  /**
   * For QEMU's monitor protocol. Absent: a bare machine that nobody can ask or extend, as for a measurement.
   */
  readonly qmp?: string | undefined
}

/** What a machine description does not say and QEMU has to know. */
export interface QemuLaunch {
  /** `kvm`, or `emulation` by QEMU's TCG. */
  readonly accelerator: 'kvm' | 'emulation'
  /** Where its channels are. */
  readonly sockets: QemuSockets
  /** Value of `-cpu`; by default every feature the accelerator has, or what it emulates best. */
  readonly cpu?: string | undefined
  /** Bytes of address space, not memory, kept for hot-plugged devices together. Default 64 GiB. */
  readonly hotplugBytes?: number | undefined
  /** Default `q35`. It says the architecture of the guest, too. */
  readonly board?: QemuBoard | undefined
}

const MIB = 1024 * 1024
const GIB = 1024 * MIB

/** The file names of the sockets in the directory of a description. */
export const SOCKET_NAMES = { console: 'console.sock', control: 'control.sock', qmp: 'qmp.sock' } as const

/** How much a machine may have under QEMU. */
export const QEMU_LIMITS: DescriptionLimits = {
  maxVcpus: 64,
  maxMemoryBytes: 512 * GIB,
  maxPmemDevices: MOST_QEMU_DEVICES,
  // The kernel keeps 2047 bytes (COMMAND_LINE_SIZE on x86); the driver's own take less than 240.
  maxKernelParameterBytes: 1800,
  socketNameBytes: '/console.sock'.length,
}

/**
 * What the driver adds in front of the caller's parameters, so that the caller's win.
 *
 * `panic=-1` with `-no-reboot` turns a panic into an exit. The console stays quiet because an emulated serial
 * port costs time per character; what is wrong enough (level 3 and worse) is printed, and from the first
 * instructions on where the board has an early console, so that a kernel that dies early still leaves its words in
 * the error.
 */
export function qemuKernelParameters(board: QemuBoard = 'q35'): readonly string[] {
  // In this order: the early console starts with the level that is set by then.
  const { console, parameters = [] } = BOARDS[board]
  return ['quiet', 'loglevel=4', ...parameters, ...console, 'panic=-1']
}

/**
 * The whole argument vector for the QEMU of the board's architecture, without the program itself. Pure and total on checked
 * descriptions: what it cannot represent it refuses, with the field.
 *
 * Devices get explicit addresses. The order of the description is the order in which the guest finds its
 * pmem devices, but a guest identifies them by their contents.
 */
export function qemuArguments(
  machine: MachineDescription,
  launch: QemuLaunch,
): Result<readonly string[], InvalidDescription> {
  return qemuPlan(machine, launch).map((plan) => print(machine, launch, plan))
}

/** How the machine gets its store, once its description was checked. */
export function qemuPlan(
  machine: MachineDescription,
  launch: Pick<QemuLaunch, 'board' | 'hotplugBytes'>,
): Result<QemuAttachPlan, InvalidDescription> {
  const checked = checkDescription(machine, QEMU_LIMITS)
  if (checked.isErr()) return err(checked.error)
  const { memoryStep } = BOARDS[launch.board ?? 'q35']
  if (machine.memoryBytes % memoryStep !== 0)
    return err(
      invalid(
        'memoryBytes',
        `QEMU's ${launch.board} has memory in steps of ${memoryStep / MIB} MiB: round it up`,
      ),
    )
  return qemuAttachPlan(machine, launch).mapErr((refusal) => invalid(fieldOf(refusal), refusal.message))
}

const fieldOf = (refusal: AttachRefusal): string =>
  refusal.kind === 'unsupported' && refusal.capability === 'hot-plug' ? 'hotplugSlots' : 'pmem'

function print(machine: MachineDescription, launch: QemuLaunch, plan: QemuAttachPlan): readonly string[] {
  const { sockets } = launch
  const { slot: own, machineOptions, cpu } = BOARDS[plan.board]
  return [
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    // What QEMU needs it has by the time the filter is installed; a machine spawns nothing, ever.
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    ...['-name', options(`guest=${machine.name}`, 'debug-threads=on')],
    ...['-machine', options(plan.board, ...machineOptions[launch.accelerator], ...plan.machineOptions)],
    ...['-accel', launch.accelerator === 'kvm' ? 'kvm' : 'tcg'],
    ...['-cpu', launch.cpu ?? cpu[launch.accelerator]],
    ...['-smp', options(`cpus=${machine.vcpuCount}`)],
    ...['-m', plan.memory],
    ...['-kernel', machine.kernel, '-initrd', machine.initramfs],
    ...['-append', [...qemuKernelParameters(plan.board), ...machine.kernelParameters].join(' ')],
    ...socketChardev('console', sockets.console),
    ...['-serial', 'chardev:console'],
    ...['-device', `virtio-serial-pci,id=ports,max_ports=2,addr=${own}.0x0,multifunction=on`],
    ...socketChardev('control', sockets.control),
    ...['-device', 'virtserialport,bus=ports.0,nr=1,chardev=control,name=control'],
    ...['-object', 'rng-builtin,id=entropy'],
    ...['-device', `virtio-rng-pci,rng=entropy,addr=${own}.0x1`],
    ...plan.arguments,
    ...(sockets.qmp === undefined
      ? []
      : [...socketChardev('qmp', sockets.qmp), '-mon', 'chardev=qmp,mode=control']),
  ]
}

/**
 * The least QEMU that boots the same machine: no QMP and nobody who supervises it. For measuring what the
 * driver adds; the caller listens on `control` and reads the console from `console`.
 */
export function bareQemuArguments(
  machine: MachineDescription,
  launch: Omit<QemuLaunch, 'sockets'> & { readonly sockets: Omit<QemuSockets, 'qmp'> },
): Result<readonly string[], InvalidDescription> {
  const { console, control } = launch.sockets
  return qemuArguments(machine, { ...launch, sockets: { console, control } })
}

function socketChardev(id: string, path: string): readonly string[] {
  return ['-chardev', options(`socket,id=${id}`, `path=${qemuValue(path)}`, 'server=off')]
}

function options(...parts: readonly string[]): string {
  return parts.join(',')
}
