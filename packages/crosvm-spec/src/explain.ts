import { cannotSnapshot } from './constraints.js'
import { type DeviceReport, Inventory } from './explain/inventory.js'
import { describeDisplay, describeNetwork } from './explain/network-and-display.js'
import { describeDefaults, describePlatform } from './explain/platform.js'
import { describeSerial, describeShares, describeStorage } from './explain/storage-and-serial.js'
import type { CrosvmMachine } from './machine.js'
import type { CrosvmSpec } from './spec.js'

export type { DeviceReport, Jail } from './explain/inventory.js'

/** What a machine is made of and what it touches: its attack surface as data. */
export interface Explanation {
  /** In no order that counts; also those that nobody asked for. */
  readonly devices: readonly DeviceReport[]
  /** How many processes run, the main one included. */
  readonly processes: number
  /** What starting takes, in words: `read and write /dev/kvm`. {@link prerequisites} has it as data. */
  readonly privileges: readonly string[]
  /** Every file, directory and device node of the host that is opened, each once; absolute. */
  readonly hostPaths: readonly string[]
  /**
   * Every socket of the host that it connects to or listens on, the control socket first; absolute, each once.
   */
  readonly hostSockets: readonly string[]
  /** What stands in the way of snapshots, in words; nothing where they are possible. */
  readonly cannotSnapshot: readonly string[]
}

/**
 * Every device of a machine, its process and jail, and what of the host it touches. Reckoned from the description
 * alone, by crosvm's sources (f1e797a): nothing is looked at. {@link printExplanation} makes a table of it.
 *
 * @example
 * ```ts
 * import { crosvmSpec, explain, leastPrivilege } from '@spectrum/crosvm-spec'
 *
 * const boot = { kind: 'kernel', path: '/boot/vmlinux' } as const
 * const spec = crosvmSpec({ architecture: 'x86_64', boot })._unsafeUnwrap()
 * for (const { device, process } of explain(spec).devices) console.log(device, process)
 * for (const { change, why } of leastPrivilege(spec)) console.log(change, why)
 * ```
 */
export function explain(spec: CrosvmSpec): Explanation {
  const inventory = new Inventory(spec)
  describeStorage(spec, inventory)
  describeShares(spec, inventory)
  describeSerial(spec, inventory)
  describeNetwork(spec, inventory)
  describeDisplay(spec, inventory)
  describeDefaults(spec, inventory)
  describePlatform(spec, inventory)
  const { devices } = inventory
  const boot = [
    spec.boot.path,
    spec.initrd,
    spec.hypervisor?.device ?? '/dev/kvm',
    spec.restore,
    spec.swapDirectory,
  ]
  const opened = [...boot.filter((path) => path !== undefined), ...devices.flatMap((device) => device.paths)]
  const sockets = [
    ...(spec.socket === undefined ? [] : [spec.socket]),
    ...devices.flatMap((device) => device.sockets),
  ]
  return {
    devices,
    processes: 1 + devices.filter((device) => device.process === 'own').length,
    privileges: privileges(spec),
    hostPaths: [...new Set(opened)],
    hostSockets: [...new Set(sockets)],
    cannotSnapshot: cannotSnapshot(spec),
  }
}

function privileges(machine: CrosvmMachine): readonly string[] {
  const found = ['read and write /dev/kvm']
  const disabled = machine.sandbox?.kind === 'disabled'
  if (!disabled) found.push('root, or user namespaces that anybody may create')
  const pivots =
    machine.sharedDirectories?.some((share) => share.type === 'fs') || machine.pmemExt2 !== undefined
  if (disabled && pivots)
    found.push('CAP_SYS_ADMIN: virtio-fs and pmem-ext2 pivot their root without a user namespace')
  if (machine.net?.some((card) => card.backend.kind === 'host-ip')) found.push('CAP_NET_ADMIN: to make a tap')
  const ranges = [...(machine.sharedDirectories ?? []), ...(machine.pmemExt2 ?? [])]
  if (ranges.some((share) => (share.uidMap?.length ?? 0) > 1))
    found.push('CAP_SETUID: for more than one range of ids')
  if (ranges.some((share) => (share.gidMap?.length ?? 0) > 1))
    found.push('CAP_SETGID: for more than one range of ids')
  return found
}
