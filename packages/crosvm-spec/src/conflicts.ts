import type { CrosvmSpec } from './spec.js'

/** What two machines on one host cannot both have. */
export interface MachineConflict {
  /** The machines, by their names in the argument. */
  readonly machines: readonly [string, string]
  /** Of {@link CrosvmMachine}, by which the machine uses the thing that it would have for itself: `block`. */
  readonly property: string
  /** Names both machines, the thing, and what to do. */
  readonly message: string
}

/** How one machine uses a thing of the host. */
interface Use {
  readonly machine: string
  readonly property: string
  /** The thing: a path, a context id. */
  readonly thing: string
  /** Whether another machine may use it too, if it also only reads. */
  readonly exclusive: boolean
  readonly why: string
}

/**
 * What machines that run at the same time would take from one another: writable images, sockets, devices, taps,
 * addresses, context ids, consoles. Empty where nothing. Paths are compared as text, and inherited descriptors
 * are left out: their numbers mean another file in each process. crosvm itself notices only some of it: it locks
 * disks, but a pmem file that two machines write is refused by nobody.
 */
export function conflicts(machines: Readonly<Record<string, CrosvmSpec>>): readonly MachineConflict[] {
  const uses = Object.entries(machines).flatMap(([machine, spec]) => usesOf(machine, spec))
  const byThing = new Map<string, Use[]>()
  for (const use of uses) byThing.set(use.thing, [...(byThing.get(use.thing) ?? []), use])
  return [...byThing.values()].flatMap((users) =>
    users.flatMap((one, index) =>
      users
        .slice(index + 1)
        .filter((other) => other.machine !== one.machine && (one.exclusive || other.exclusive))
        .map((other) => {
          const exclusive = one.exclusive ? one : other
          const message = `${one.machine} and ${other.machine} both use ${exclusive.thing}: ${exclusive.why}`
          return { machines: [one.machine, other.machine], property: exclusive.property, message } as const
        }),
    ),
  )
}

function usesOf(machine: string, spec: CrosvmSpec): readonly Use[] {
  const found: Use[] = []
  const use = (property: string, thing: string | undefined, exclusive: boolean, why: string) => {
    // A descriptor's number means another file in each process.
    if (thing === undefined || thing.startsWith('/proc/self/fd/')) return
    found.push({ machine, property, thing, exclusive, why })
  }
  const disk = 'one of them writes it: give each its own, or make both read-only'
  for (const device of spec.pmem ?? []) {
    if (device.vmaSize === undefined)
      use('pmem', device.path, !device.readOnly, `${disk} (nothing locks a pmem file)`)
  }
  for (const device of spec.block ?? []) use('block', device.path, !device.readOnly, disk)
  for (const device of spec.scsi ?? []) use('scsi', device.path, !device.readOnly, disk)
  use('pflash', spec.pflash?.path, true, 'both write it: give each its own')
  use('pstore', spec.pstore?.path, true, 'both write it: give each its own')
  use('socket', spec.socket, true, 'a control socket belongs to one machine')
  for (const device of spec.vhostUser ?? [])
    use('vhostUser', device.socket, true, 'a backend serves one machine')
  for (const device of spec.vfio ?? []) use('vfio', device.path, true, 'a device belongs to one machine')
  for (const { backend } of spec.net ?? []) {
    if (backend.kind === 'tap-name')
      use('net', `the tap ${backend.tapName}`, true, 'a tap belongs to one machine')
    if (backend.kind === 'host-ip')
      use('net', `the address ${backend.hostIp}`, true, 'an address belongs to one tap')
  }
  if (spec.vsock) use('vsock', `the context id ${spec.vsock.cid}`, true, 'ids are unique on a host')
  for (const port of spec.serial ?? []) {
    const socket = port.type === 'unix-stream' || port.type === 'file'
    if (socket) use('serial', port.path, true, 'a console belongs to one machine')
  }
  return found
}
