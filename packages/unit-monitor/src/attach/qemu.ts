import { err, ok, type Result } from 'neverthrow'
import type { BlockDevice, PmemDevice, VolumeDevice } from '../machine.js'
import { type AttachRefusal, type AttachRequest, bytesOf, checkRoom, noRoom, unsupported } from './request.js'

/** Machine types of QEMU that a plan can be made for: two for x86-64, `virt` for aarch64, `pseries` for POWER. */
export type QemuBoard = 'q35' | 'pc' | 'virt' | 'pseries'

/** A command of QEMU's monitor protocol. */
export interface QmpCommand {
  /** The command's name, as in the QEMU QMP reference: `device_add`. */
  readonly execute: string
  /** To be sent as JSON. */
  readonly arguments: Readonly<Record<string, unknown>>
}

/** Where a device goes. */
export interface QemuPlace {
  /** The `id` of a bus of the plan's machine: `pcie.0`, `hotplug1`. */
  readonly bus: string
  /** The slot on it, in hexadecimal: `0x1f`. */
  readonly addr: string
}

/** How a machine of QEMU (since 7.2) gets its store. */
export interface QemuAttachPlan {
  /** Whose plan it is. */
  readonly monitor: 'qemu'
  /** For `-machine`. */
  readonly board: QemuBoard
  /** The value of `-m`: memory, slots and address space for all devices, also the later ones. */
  readonly memory: string
  /** For `-machine`, beside the board. */
  readonly machineOptions: readonly string[]
  /** Devices, and ports for those that may come. */
  readonly arguments: readonly string[]
  /** Reserved places, in the order in which they are to be used. */
  readonly places: readonly QemuPlace[]
  /** Bytes of address space that are left for persistent memory that may come; 0 without reserved slots. */
  readonly hotplugBytes: number
}

/** One device more for a running machine: the commands in order, and those that undo the first of them. */
export interface QemuPlug {
  /** Makes the file known to QEMU. */
  readonly prepare: QmpCommand
  /** Puts the device on its bus; when the guest has seen it, only the guest can say. */
  readonly plug: QmpCommand
  /** Takes back `prepare`. A device that was plugged in stays: QEMU has no removal of virtio-pmem. */
  readonly undo: QmpCommand
}

/** What a request does not say and QEMU has to know. */
export interface QemuAttachOptions {
  /** `q35` by default. */
  readonly board?: QemuBoard | undefined
  /** Bytes of address space, not memory, kept for hot-plugged devices together. Default 64 GiB. */
  readonly hotplugBytes?: number | undefined
}

const MIB = 1024 * 1024
export const DEFAULT_HOTPLUG_BYTES = 64 * 1024 * MIB

const FUNCTIONS = 8
const BOARDS = {
  /** Slots 0 and 31 belong to the machine itself, slot 1 to what every unit has. */
  q35: { root: 'pcie.0', own: 1, first: 2, last: 30 },
  /** Slots 0 and 1 belong to the machine itself, slot 2 to what every unit has. */
  pc: { root: 'pci.0', own: 2, first: 3, last: 31 },
  /** Slot 0 belongs to the machine itself, slot 1 to what every unit has. */
  virt: { root: 'pcie.0', own: 1, first: 2, last: 31, diskOnly: true },
  pseries: { root: 'pci.0', own: 1, first: 2, last: 31, diskOnly: true },
} as const satisfies Record<QemuBoard, BoardSlots>

interface BoardSlots {
  readonly root: string
  readonly own: number
  readonly first: number
  readonly last: number
  /** It has no virtio-pmem (QEMU 7.2), and nothing is plugged in while it runs. */
  readonly diskOnly?: true
}

/** Slot 0 of a bridge belongs to its own hot-plug controller. */
const DEVICES_PER_BRIDGE = 31
/** QEMU refuses more (`unsupported amount of memory slots`). */
const MEMORY_SLOTS = 256

/** The most devices of a board, reserved slots included; the least of all boards. */
export const MOST_QEMU_DEVICES = (BOARDS.q35.last - BOARDS.q35.first + 1) * FUNCTIONS

/**
 * The devices of a machine, with explicit addresses, and room for those that may come.
 *
 * On q35 the root bus takes nothing while the machine runs. Later devices wait behind a bridge and not behind root
 * ports: sixteen of those cost firmware and guest 0.3 to 0.5 s more at every start, and a device takes the same 30 to
 * 60 ms to appear (measured with software emulation). On pc the root bus takes them, one to a slot.
 */
export function qemuAttachPlan(
  request: AttachRequest,
  options: QemuAttachOptions = {},
): Result<QemuAttachPlan, AttachRefusal> {
  const { board = 'q35' } = options
  const { pmem, block = [], volumes = [], hotplugSlots, memoryBytes, view } = request
  const { root, own, first, last, diskOnly }: BoardSlots = BOARDS[board]
  if (diskOnly && pmem.length > 0)
    return err(unsupported('pmem', `QEMU's ${board} has no persistent memory: attach disks`))
  if (diskOnly && hotplugSlots > 0)
    return err(
      unsupported('hot-plug', `nothing can be plugged into QEMU's ${board} while it runs: use a view`),
    )
  const slots = last - first + 1
  const disks = pmem.length + block.length
  const cold = disks + volumes.length
  const room = checkRoom(request, `QEMU's ${board}`, { ports: slots * FUNCTIONS, memorySlots: MEMORY_SLOTS })
  if (room.isErr()) return err(room.error)
  const coldSlots = Math.ceil(cold / FUNCTIONS)
  if (board === 'pc' && coldSlots + hotplugSlots > slots)
    return err(noRoom("QEMU's pc", 'ports', coldSlots + hotplugSlots, slots))

  const place = (index: number) =>
    `bus=${root},addr=0x${(first + Math.floor(index / FUNCTIONS)).toString(16)}.0x${index % FUNCTIONS},multifunction=on`
  const bridges = board === 'q35' ? Math.ceil(hotplugSlots / DEVICES_PER_BRIDGE) : 0
  const hotplugBytes = hotplugSlots > 0 ? (options.hotplugBytes ?? DEFAULT_HOTPLUG_BYTES) : 0
  return ok({
    monitor: 'qemu',
    board,
    memory: memoryOption(memoryBytes, bytesOf(pmem), pmem.length + hotplugSlots, hotplugBytes),
    machineOptions: view === undefined ? [] : ['memory-backend=ram'],
    arguments: [
      ...(view === undefined ? [] : viewArguments(view, memoryBytes, `${root},addr=0x${own}.0x2`)),
      ...pmem.flatMap((device, index) => [
        ...['-object', `memory-backend-file,id=mem${index},${pmemBackend(device)}`],
        ...['-device', `virtio-pmem-pci,id=pmem${index},memdev=mem${index},${place(index)}`],
      ]),
      ...block.flatMap((device, index) => [
        ...['-blockdev', `driver=file,node-name=disk${index},${diskBackend(device)}`],
        ...['-device', `virtio-blk-pci,id=block${index},drive=disk${index},${place(pmem.length + index)}`],
      ]),
      ...volumes.flatMap((volume, index) => [
        ...['-blockdev', `driver=file,node-name=volume${index},${volumeBackend(volume)}`],
        ...[
          '-device',
          `virtio-blk-pci,id=volume${index},drive=volume${index},serial=${volume.serial},${place(disks + index)}`,
        ],
      ]),
      ...Array.from({ length: bridges }, (_, bridge) => [
        ...['-device', `pcie-pci-bridge,id=hotplug${bridge},${place(cold + bridge)}`],
      ]).flat(),
    ],
    places: Array.from({ length: hotplugSlots }, (_, index) =>
      board === 'q35' ? behindBridge(index) : { bus: root, addr: `0x${(last - index).toString(16)}` },
    ),
    hotplugBytes,
  })
}

/**
 * `name` tells this attempt apart from all others on the machine: what an attempt left behind may yet come
 * true. It becomes part of ids of QEMU's: letters and digits.
 */
export function qemuPlugPmem(device: PmemDevice, place: QemuPlace, name: string): QemuPlug {
  const memory = `hotmem${name}`
  return {
    prepare: {
      execute: 'object-add',
      arguments: {
        'qom-type': 'memory-backend-file',
        id: memory,
        'mem-path': device.path,
        size: device.sizeBytes,
        share: true,
        readonly: true,
        prealloc: false,
        merge: false,
        dump: false,
      },
    },
    plug: {
      execute: 'device_add',
      arguments: { driver: 'virtio-pmem-pci', id: `hotpmem${name}`, memdev: memory, ...place },
    },
    undo: { execute: 'object-del', arguments: { id: memory } },
  }
}

/** The same for a disk. */
export function qemuPlugBlock(device: BlockDevice, place: QemuPlace, name: string): QemuPlug {
  const disk = `hotdisk${name}`
  return {
    prepare: {
      execute: 'blockdev-add',
      arguments: {
        driver: 'file',
        'node-name': disk,
        filename: device.path,
        'read-only': true,
        'auto-read-only': false,
      },
    },
    plug: {
      execute: 'device_add',
      arguments: { driver: 'virtio-blk-pci', id: `hotblock${name}`, drive: disk, ...place },
    },
    undo: { execute: 'blockdev-del', arguments: { 'node-name': disk } },
  }
}

function behindBridge(index: number): QemuPlace {
  const slot = 1 + (index % DEVICES_PER_BRIDGE)
  return { bus: `hotplug${Math.floor(index / DEVICES_PER_BRIDGE)}`, addr: `0x${slot.toString(16)}` }
}

function memoryOption(memoryBytes: number, cold: number, slots: number, hot: number): string {
  const size = `size=${memoryBytes / MIB}M`
  return slots === 0 ? size : `${size},slots=${slots},maxmem=${(memoryBytes + cold + hot) / MIB}M`
}

/** Shared and read-only: one copy in the host's page cache, whatever the guest tries. */
function pmemBackend({ path, sizeBytes }: PmemDevice): string {
  return `mem-path=${qemuValue(path)},size=${sizeBytes},share=on,readonly=on,prealloc=off,merge=off,dump=off`
}

function diskBackend({ path }: BlockDevice): string {
  return `filename=${qemuValue(path)},read-only=on,auto-read-only=off`
}

/** Locked by QEMU itself, too, as long as it runs. What the guest discards is given back to the host. */
function volumeBackend({ path, readOnly }: VolumeDevice): string {
  const access = readOnly ? 'read-only=on,auto-read-only=off' : 'read-only=off,discard=unmap'
  return `filename=${qemuValue(path)},locking=on,${access}`
}

/**
 * The server of a view maps the guest's memory, so that must be a file which cannot shrink. 1024 entries: a queue
 * bounds the size of a request, and the default of 128 makes reads slow.
 */
function viewArguments(
  view: NonNullable<AttachRequest['view']>,
  memoryBytes: number,
  place: string,
): readonly string[] {
  const memory = `id=ram,size=${memoryBytes / MIB}M,share=on,seal=on,prealloc=off,merge=off,dump=off`
  return [
    ...['-object', `memory-backend-memfd,${memory}`],
    ...['-chardev', `socket,id=view,path=${qemuValue(view.socket)},server=off`],
    ...[
      '-device',
      `vhost-user-fs-pci,chardev=view,tag=${view.tag},queue-size=1024,bus=${place},multifunction=on`,
    ],
  ]
}

/** QEMU reads `,,` in an option's value as one comma (qemu(1), "-drive"). Nothing else needs an escape. */
export function qemuValue(value: string): string {
  return value.replaceAll(',', ',,')
}
