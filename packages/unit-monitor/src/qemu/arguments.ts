import { err, ok, type Result } from 'neverthrow'
import { checkDescription, type DescriptionLimits, type InvalidDescription } from '../description.js'
import type { MachineDescription } from '../machine.js'

/** Unix stream sockets on which the host listens and to which QEMU connects. */
export interface QemuSockets {
  readonly console: string
  readonly control: string
  /** Absent: a bare machine that nobody can ask or extend, as for a measurement. */
  readonly qmp?: string | undefined
}

export interface QemuLaunch {
  readonly accelerator: 'kvm' | 'emulation'
  readonly sockets: QemuSockets
  /** Value of `-cpu`; by default every feature the accelerator has. */
  readonly cpu?: string | undefined
  /** Address space, not memory, kept for hot-plugged devices together. Default 64 GiB. */
  readonly hotplugBytes?: number | undefined
}

const MIB = 1024 * 1024
const GIB = 1024 * MIB
export const DEFAULT_HOTPLUG_BYTES = 64 * GIB

/** The file names of the sockets in the directory of a description. */
export const SOCKET_NAMES = { console: 'console.sock', control: 'control.sock', qmp: 'qmp.sock' } as const

/** Slots 2 to 30 of the root bus with eight functions each; 0, 1 and 31 belong to the machine itself. */
const FIRST_FREE_SLOT = 2
const LAST_FREE_SLOT = 30
const FUNCTIONS = 8

export const QEMU_LIMITS: DescriptionLimits = {
  maxVcpus: 64,
  maxMemoryBytes: 512 * GIB,
  maxPmemDevices: (LAST_FREE_SLOT - FIRST_FREE_SLOT + 1) * FUNCTIONS,
  // The kernel keeps 2047 bytes (COMMAND_LINE_SIZE on x86); the driver's own take less than 240.
  maxKernelParameterBytes: 1800,
  socketNameBytes: '/console.sock'.length,
}

/**
 * What the driver adds in front of the caller's parameters, so that the caller's win.
 *
 * `panic=-1` with `-no-reboot` turns a panic into an exit. The console stays quiet because an emulated serial
 * port costs time per character; what is wrong enough (level 3 and worse) is printed, and from the first
 * instructions on (`earlyprintk`), so that a kernel that dies early still leaves its words in the error.
 */
export function qemuKernelParameters(): readonly string[] {
  return KERNEL_PARAMETERS
}

/** In this order: the early console starts with the level that is set by then. */
const KERNEL_PARAMETERS = ['quiet', 'loglevel=4', 'earlyprintk=ttyS0', 'console=ttyS0', 'panic=-1'] as const

/** Slot 0 of a bridge belongs to its own hot-plug controller. */
const DEVICES_PER_BRIDGE = 31

/**
 * Where the `index`th hot-plugged device goes. Hot-plugged devices wait behind a bridge: a root port for each
 * would cost firmware and guest 40 ms apiece at every start (measured with software emulation).
 */
export function hotplugPlace(index: number): { readonly bus: string; readonly addr: string } {
  const slot = 1 + (index % DEVICES_PER_BRIDGE)
  return { bus: `hotplug${Math.floor(index / DEVICES_PER_BRIDGE)}`, addr: `0x${slot.toString(16)}` }
}

/**
 * The whole argument vector for `qemu-system-x86_64`, without the program itself. Pure and total on checked
 * descriptions: what it cannot represent it refuses, with the field.
 *
 * Devices get explicit addresses. The order of the description is the order in which the guest finds its
 * pmem devices, but a guest identifies them by their contents.
 */
export function qemuArguments(
  machine: MachineDescription,
  launch: QemuLaunch,
): Result<readonly string[], InvalidDescription> {
  const checked = checkDescription(machine, QEMU_LIMITS)
  if (checked.isErr()) return err(checked.error)
  const { sockets } = launch
  return ok([
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    // What QEMU needs it has by the time the filter is installed; a machine spawns nothing, ever.
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    ...['-name', options(`guest=${machine.name}`, 'debug-threads=on')],
    ...['-machine', options('q35', ...MACHINE_OPTIONS)],
    ...['-accel', launch.accelerator === 'kvm' ? 'kvm' : 'tcg'],
    ...['-cpu', launch.cpu ?? DEFAULT_CPU[launch.accelerator]],
    ...['-smp', options(`cpus=${machine.vcpuCount}`)],
    ...memoryArguments(machine, launch),
    ...['-kernel', machine.kernel, '-initrd', machine.initramfs],
    ...['-append', [...qemuKernelParameters(), ...machine.kernelParameters].join(' ')],
    ...socketChardev('console', sockets.console),
    ...['-serial', 'chardev:console'],
    ...['-device', 'virtio-serial-pci,id=ports,max_ports=2,addr=0x1.0x0,multifunction=on'],
    ...socketChardev('control', sockets.control),
    ...['-device', 'virtserialport,bus=ports.0,nr=1,chardev=control,name=control'],
    ...['-object', 'rng-builtin,id=entropy'],
    ...['-device', 'virtio-rng-pci,rng=entropy,addr=0x1.0x1'],
    ...machine.pmem.flatMap((device, index) => [
      ...['-object', options(`memory-backend-file,id=mem${index}`, ...pmemBackend(device))],
      ...['-device', options(`virtio-pmem-pci,id=pmem${index},memdev=mem${index}`, address(index))],
    ]),
    ...Array.from({ length: Math.ceil(machine.hotplugSlots / DEVICES_PER_BRIDGE) }, (_, bridge) => [
      '-device',
      options(`pcie-pci-bridge,id=hotplug${bridge}`, address(machine.pmem.length + bridge)),
    ]).flat(),
    ...(sockets.qmp === undefined
      ? []
      : [...socketChardev('qmp', sockets.qmp), '-mon', 'chardev=qmp,mode=control']),
  ])
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

/**
 * No memory of the guest in a core dump, no merging that tells one guest what another one holds, and none of
 * the board's own controllers. (`graphics=off` would make the firmware write to the serial port.)
 */
const MACHINE_OPTIONS = [
  'dump-guest-core=off',
  'mem-merge=off',
  'usb=off',
  'sata=off',
  'smbus=off',
  'vmport=off',
]

/** Emulated, a fifth level of page tables costs at every miss and serves no guest below 64 TiB. */
const DEFAULT_CPU = { kvm: 'host', emulation: 'max,la57=off' } as const

function memoryArguments(machine: MachineDescription, launch: QemuLaunch): readonly string[] {
  const mebibytes = (bytes: number) => `${bytes / MIB}M`
  const slots = machine.pmem.length + machine.hotplugSlots
  if (slots === 0) return ['-m', options(`size=${mebibytes(machine.memoryBytes)}`)]
  const cold = machine.pmem.reduce((sum, device) => sum + device.sizeBytes, 0)
  const hot = machine.hotplugSlots > 0 ? (launch.hotplugBytes ?? DEFAULT_HOTPLUG_BYTES) : 0
  const most = mebibytes(machine.memoryBytes + cold + hot)
  return ['-m', options(`size=${mebibytes(machine.memoryBytes)}`, `slots=${slots}`, `maxmem=${most}`)]
}

function pmemBackend(device: { readonly path: string; readonly sizeBytes: number }): readonly string[] {
  return [
    `mem-path=${optionValue(device.path)}`,
    `size=${device.sizeBytes}`,
    // Shared and read-only: one copy in the host's page cache, whatever the guest tries.
    'share=on,readonly=on,prealloc=off,merge=off,dump=off',
  ]
}

function socketChardev(id: string, path: string): readonly string[] {
  return ['-chardev', options(`socket,id=${id}`, `path=${optionValue(path)}`, 'server=off')]
}

function address(index: number): string {
  const slot = FIRST_FREE_SLOT + Math.floor(index / FUNCTIONS)
  return `bus=pcie.0,addr=0x${slot.toString(16)}.0x${index % FUNCTIONS},multifunction=on`
}

/** QEMU reads `,,` in an option's value as one comma (qemu(1), "-drive"). Nothing else needs an escape. */
function optionValue(value: string): string {
  return value.replaceAll(',', ',,')
}

function options(...parts: readonly string[]): string {
  return parts.join(',')
}
