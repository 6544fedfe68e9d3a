import { type CrosvmMachine, crosvmSpec, printArgv } from '@spectrum/crosvm-spec'
import { err, ok, type Result } from 'neverthrow'
import type { VolumeDevice } from '../machine.js'
import { escapeAndCut } from '../printable.js'
import { type AttachRefusal, type AttachRequest, checkRoom, unsupported } from './request.js'

/** How a machine of crosvm gets its store. */
export interface CrosvmAttachPlan {
  /** Whose plan it is. */
  readonly monitor: 'crosvm'
  /** The part of crosvm's machine that carries the store. */
  readonly machine: Pick<CrosvmMachine, 'pmem' | 'block' | 'vhostUser'>
  /** The same as tokens for `crosvm run`: its options `--pmem`, `--block` and `--vhost-user`. */
  readonly arguments: readonly string[]
}

/** One PCI bus; with 249 devices beside the console crosvm panics (f1e797a), with 244 it starts. */
export const MOST_CROSVM_DEVICES = 232

/** The queue bounds the size of a request; crosvm's own default of 32,768 entries would cost the guest memory. */
const VIEW_QUEUE_SIZE = 1024

/**
 * crosvm adds neither pmem nor disks to a running machine, so a plan with reserved slots is refused
 * (`unsupported`): what comes later comes by a view. `no-room` above 232 devices, or where the guest could not manage its
 * pmem; `unrepresentable` where crosvm's options cannot say a path.
 */
export function crosvmAttachPlan(request: AttachRequest): Result<CrosvmAttachPlan, AttachRefusal> {
  const { pmem, block = [], volumes = [], hotplugSlots, view } = request
  if (hotplugSlots > 0)
    return err(
      unsupported(
        'hotplug',
        'crosvm adds no device to a running machine: reserve no slots, and give the machine a view',
      ),
    )
  const room = checkRoom(request, 'crosvm', { ports: MOST_CROSVM_DEVICES })
  if (room.isErr()) return err(room.error)
  const machine: CrosvmAttachPlan['machine'] = {
    // Shared and read-only: one copy in the host's page cache, whatever the guest tries.
    ...(pmem.length === 0 ? {} : { pmem: pmem.map(({ path }) => ({ path, readOnly: true })) }),
    ...(block.length + volumes.length === 0
      ? {}
      : { block: [...block.map(({ path }) => ({ path, readOnly: true })), ...volumes.map(volumeDisk)] }),
    ...(view === undefined
      ? {}
      : { vhostUser: [{ type: 'fs', socket: view.socket, maxQueueSize: VIEW_QUEUE_SIZE }] }),
  }
  return crosvmSpec({ architecture: 'x86_64', boot: { kind: 'kernel', path: '/' }, ...machine }).match<
    Result<CrosvmAttachPlan, AttachRefusal>
  >(
    (spec) => {
      const argv = printArgv(spec)
      return ok({
        monitor: 'crosvm',
        machine,
        arguments: argv.filter((token) => /^--(pmem|block|vhost-user)=/.test(token)),
      })
    },
    ([first]) => {
      const message = escapeAndCut(first?.message ?? 'crosvm cannot be told it', 400)
      return err({ kind: 'unrepresentable', value: 'path', message: `crosvm: ${message}` })
    },
  )
}

/**
 * Locked by crosvm itself, too, as long as it runs (flock, its default): shared when read-only, else exclusive. What the guest
 * discards is given back to the host.
 */
function volumeDisk({ path, serial, readOnly }: VolumeDevice): NonNullable<CrosvmMachine['block']>[number] {
  return { path, readOnly, id: serial }
}
