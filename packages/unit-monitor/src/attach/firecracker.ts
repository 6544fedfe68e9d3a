import { err, ok, type Result } from 'neverthrow'
import type { ApiRequest } from './cloud-hypervisor.js'
import { type AttachRefusal, type AttachRequest, checkRoom, refuseVolumes, unsupported } from './request.js'

/** How a machine of Firecracker (since 1.14) gets its store: requests before it is started. */
export interface FirecrackerAttachPlan {
  /** Whose plan it is. */
  readonly monitor: 'firecracker'
  /** To be sent in this order, before the machine is started. */
  readonly requests: readonly ApiRequest[]
}

/** How the process that gets the requests was started. */
export interface FirecrackerAttachOptions {
  /**
   * Whether it was started with `--enable-pci`; true by default. Without, each device takes one of the legacy
   * interrupt lines: 16 devices fit, and 28 with it.
   */
  readonly pci?: boolean | undefined
}

/** Of one PCI bus, and of the interrupt lines, a plan leaves some to the devices that a machine has besides. */
const MOST_DEVICES = { pci: 28, lines: 16 } as const

/**
 * Read-only persistent memory, mapped shared. Firecracker has neither hot-plug that a release supports nor virtio-fs,
 * so nothing can be added to such a machine.
 *
 * Source: Firecracker, docs/pmem.md and its swagger file (81b38b9). Nothing here was run. A guest that writes to its
 * device may be stopped (always so on aarch64): that is its own affair.
 */
export function firecrackerAttachPlan(
  request: AttachRequest,
  { pci = true }: FirecrackerAttachOptions = {},
): Result<FirecrackerAttachPlan, AttachRefusal> {
  const { pmem, block = [], hotplugSlots, view } = request
  if (hotplugSlots > 0)
    return err(unsupported('hotplug', 'Firecracker adds no device to a running machine: reserve no slots'))
  if (view !== undefined)
    return err(unsupported('view', 'Firecracker has no virtio-fs: grant everything at the start'))
  const volumes = refuseVolumes(request, 'Firecracker')
  if (volumes !== undefined) return err(volumes)
  const room = checkRoom(request, 'Firecracker', { ports: pci ? MOST_DEVICES.pci : MOST_DEVICES.lines })
  if (room.isErr()) return err(room.error)
  return ok({
    monitor: 'firecracker',
    requests: [
      ...pmem.map(({ path }, index): ApiRequest => {
        const id = `store${index}`
        const body = { id, path_on_host: path, root_device: false, read_only: true }
        return { method: 'PUT', path: `/pmem/${id}`, body }
      }),
      ...block.map(({ path }, index): ApiRequest => {
        const id = `disk${index}`
        const body = { drive_id: id, path_on_host: path, is_root_device: false, is_read_only: true }
        return { method: 'PUT', path: `/drives/${id}`, body }
      }),
    ],
  })
}
