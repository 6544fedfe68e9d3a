import { err, ok, type Result } from 'neverthrow'
import type { BlockDevice, PmemDevice } from '../machine.js'
import { escapeAndCut } from '../printable.js'
import { type AttachRefusal, type AttachRequest, checkRoom, refuseVolumes } from './request.js'

/** A request to the API socket of cloud-hypervisor or Firecracker. */
export interface ApiRequest {
  /** HTTP's. */
  readonly method: 'PUT'
  /** On the socket, its first slash included: `/api/v1/vm.add-disk`. */
  readonly path: string
  /** To be sent as JSON. */
  readonly body: Readonly<Record<string, unknown>>
}

/** How a machine of cloud-hypervisor gets its store. */
export interface CloudHypervisorAttachPlan {
  /** Whose plan it is. */
  readonly monitor: 'cloud-hypervisor'
  /**
   * For the command line, beside what the caller says of kernel, processors and console. No `--memory` and
   * `--platform` of the caller's own: they are here.
   */
  readonly arguments: readonly string[]
  /** PCI segments of the machine; later devices go into one of those, too. */
  readonly segments: number
  /** The segment of each reserved slot, in the order in which they are to be used. */
  readonly slots: readonly number[]
}

/** Slots of a segment that a plan fills: of 32 the root takes one, and the machine's own devices sit in the first. */
const DEVICES_PER_SEGMENT = 24
/** Documented: `num_pci_segments`, 1 to 96. */
const MOST_SEGMENTS = 96

/**
 * The command line for the devices of a machine. `discard_writes=on` opens the file read-only and maps it private,
 * so the host's page cache is shared for reading, and what a guest writes is its own.
 *
 * Source: cloud-hypervisor, docs/memory.md, docs/hotplug.md and option_parser (ae44c29). Nothing here was run.
 */
export function cloudHypervisorAttachPlan(
  request: AttachRequest,
): Result<CloudHypervisorAttachPlan, AttachRefusal> {
  const { pmem, block = [], hotplugSlots, memoryBytes, view } = request
  const volumes = refuseVolumes(request, 'cloud-hypervisor')
  if (volumes !== undefined) return err(volumes)
  const room = checkRoom(request, 'cloud-hypervisor', { ports: DEVICES_PER_SEGMENT * MOST_SEGMENTS })
  if (room.isErr()) return err(room.error)
  const paths = [...pmem, ...block].map(({ path }) => path)
  const unsaid = [...paths, ...(view === undefined ? [] : [view.socket])].find((path) => !isSayable(path))
  if (unsaid !== undefined) return err(unrepresentable(unsaid))
  const count = pmem.length + block.length
  const segments = Math.max(1, Math.ceil((count + hotplugSlots) / DEVICES_PER_SEGMENT))
  const at = (index: number) => `pci_segment=${segmentOf(index)}`
  const values = (option: string, list: readonly string[]) => (list.length === 0 ? [] : [option, ...list])
  return ok({
    monitor: 'cloud-hypervisor',
    segments,
    arguments: [
      ...['--platform', `num_pci_segments=${segments}`],
      ...['--memory', `size=${memoryBytes}${view === undefined ? '' : ',shared=on'}`],
      ...values(
        '--pmem',
        pmem.map(({ path }, index) => `file=${quoted(path)},discard_writes=on,${at(index)}`),
      ),
      ...values(
        '--disk',
        block.map(({ path }, index) => `path=${quoted(path)},readonly=on,${at(pmem.length + index)}`),
      ),
      ...(view === undefined
        ? []
        : ['--fs', `tag=${view.tag},socket=${quoted(view.socket)},num_queues=1,queue_size=1024`]),
    ],
    slots: Array.from({ length: hotplugSlots }, (_, index) => segmentOf(count + index)),
  })
}

/**
 * Adds one to a running machine, in the segment of a reserved slot (`CloudHypervisorAttachPlan.slots`). `id`
 * is the device's name within the machine, which no other has. Source: cloud-hypervisor, docs/hotplug.md.
 */
export function cloudHypervisorPlugPmem({ path }: PmemDevice, segment: number, id: string): ApiRequest {
  const body = { id, file: path, discard_writes: true, pci_segment: segment }
  return { method: 'PUT', path: '/api/v1/vm.add-pmem', body }
}

/** The same for a disk, which is read-only. */
export function cloudHypervisorPlugBlock({ path }: BlockDevice, segment: number, id: string): ApiRequest {
  const body = { id, path, readonly: true, pci_segment: segment }
  return { method: 'PUT', path: '/api/v1/vm.add-disk', body }
}

function segmentOf(index: number): number {
  return Math.floor(index / DEVICES_PER_SEGMENT)
}

/** Its option parser drops double quotes, counts brackets, and trims spaces; there is no escape for any of them. */
function isSayable(path: string): boolean {
  return !/["[\]]|^\s|\s$/.test(path)
}

function quoted(path: string): string {
  return path.includes(',') ? `"${path}"` : path
}

function unrepresentable(path: string): AttachRefusal {
  const shown = escapeAndCut(path, 120)
  const message = `cloud-hypervisor cannot be told the path "${shown}": use one without quotes, brackets and outer spaces`
  return { kind: 'unrepresentable', value: path, message }
}
