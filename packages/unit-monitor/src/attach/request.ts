import { err, ok, type Result } from 'neverthrow'
import type { MachineDescription } from '../machine.js'

/** What a plan is made of; every description of a machine fits. */
export type AttachRequest = Pick<
  MachineDescription,
  'memoryBytes' | 'pmem' | 'block' | 'volumes' | 'view' | 'hotplugSlots'
>

/**
 * Why devices cannot be attached, found before anything is touched. Every message names the monitor and what
 * to do instead.
 */
export type AttachRefusal =
  | {
      readonly kind: 'no-room'
      /**
       * What is too small: places on the bus, slots of memory devices, address space for them, or the guest's
       * own memory, which has to describe persistent memory.
       */
      readonly what: 'ports' | 'memory-slots' | 'address-space' | 'guest-memory'
      /** Places or slots; bytes for `address-space` and `guest-memory`. */
      readonly needed: number
      /** In the same unit. */
      readonly available: number
      readonly message: string
    }
  /** This monitor cannot do it, whatever is asked again. `capability`: `hotplug`, `view`, `volumes` … */
  | { readonly kind: 'unsupported'; readonly capability: string; readonly message: string }
  /** The monitor's own notation cannot say it. `value`: what cannot be said; not escaped. */
  | { readonly kind: 'unrepresentable'; readonly value: string; readonly message: string }

/**
 * The kernel keeps 64 bytes (`struct page`) for each 4096 of persistent memory, in the guest's own memory.
 * Source: Linux, include/linux/mm_types.h and mm/memremap.c.
 */
const PMEM_BYTES_PER_BYTE_OF_MEMORY = 64

/** Never more than this part of a guest's memory goes into the page structures of its devices. */
const LARGEST_PART = 1 / 2

/**
 * How many bytes of persistent memory a guest with so many bytes of memory can manage: 32 times as many, for
 * half of its memory then describes it (64 bytes for each 4096).
 */
export function manageablePmemBytes(memoryBytes: number): number {
  return Math.floor(memoryBytes * LARGEST_PART) * PMEM_BYTES_PER_BYTE_OF_MEMORY
}

export function bytesOf(devices: readonly { readonly sizeBytes: number }[]): number {
  return devices.reduce((sum, device) => sum + device.sizeBytes, 0)
}

/** Refuses what no monitor can make good: more devices than fit, more memory than the guest can manage. */
export function checkRoom(
  request: AttachRequest,
  monitor: string,
  limits: { readonly ports: number; readonly memorySlots?: number | undefined },
): Result<void, AttachRefusal> {
  const { pmem, block = [], volumes = [], hotplugSlots, memoryBytes } = request
  const devices = pmem.length + block.length + volumes.length + hotplugSlots
  if (devices > limits.ports) return err(noRoom(monitor, 'ports', devices, limits.ports))
  const slots = pmem.length + hotplugSlots
  if (limits.memorySlots !== undefined && slots > limits.memorySlots)
    return err(noRoom(monitor, 'memory-slots', slots, limits.memorySlots))
  const manageable = manageablePmemBytes(memoryBytes)
  const bytes = bytesOf(pmem)
  if (bytes > manageable) return err(noRoom(monitor, 'guest-memory', bytes, manageable))
  return ok(undefined)
}

const REMEDIES = {
  ports: 'attach fewer devices (put more store paths into one), or reserve fewer slots',
  'memory-slots': 'attach fewer devices of persistent memory, or reserve fewer slots',
  'address-space': 'attach less, or reserve more address space at the start',
  'guest-memory': 'give the guest more memory: it keeps 64 bytes for each 4096 of persistent memory',
} as const

export function noRoom(
  monitor: string,
  what: keyof typeof REMEDIES,
  needed: number,
  available: number,
): AttachRefusal {
  const message = `${monitor}: ${needed} ${UNITS[what]} are needed and ${available} are there: ${REMEDIES[what]}`
  return { kind: 'no-room', what, needed, available, message }
}

const UNITS = {
  ports: 'places on the bus',
  'memory-slots': 'memory slots',
  'address-space': 'bytes of address space',
  'guest-memory': 'bytes that the guest can manage',
} as const

/** For monitors whose plans have no disks that a machine may write. */
export function refuseVolumes(request: AttachRequest, monitor: string): AttachRefusal | undefined {
  if ((request.volumes ?? []).length === 0) return undefined
  return unsupported(
    'volumes',
    `${monitor} is given no disks to write: use crosvm or QEMU for machines with volumes`,
  )
}

export function unsupported(capability: string, message: string): AttachRefusal {
  return { kind: 'unsupported', capability, message }
}
