import { explain } from './explain.js'
import type { CrosvmSpec } from './spec.js'

/** What could be dropped or narrowed, and what that takes away from the attack surface. */
export interface Proposal {
  /** Of {@link CrosvmMachine}: `sandbox`, `usb`. */
  readonly property: string
  /** What to put there, as one would write it in TypeScript: `false`, `{ kind: 'absent' }`. */
  readonly change: string
  /** What is gained, in words. */
  readonly why: string
}

/** Proposes what a machine may not need. A proposal is a question: only the caller knows the answer. */
export function leastPrivilege(spec: CrosvmSpec): readonly Proposal[] {
  const found: Proposal[] = []
  const propose = (when: boolean, property: string, change: string, why: string) => {
    if (when) found.push({ property, change, why })
  }
  const present = new Set(explain(spec).devices.map((device) => device.device))
  propose(
    spec.sandbox?.kind === 'disabled',
    'sandbox',
    'absent',
    'one process holds every device: a bug in any is a bug in all',
  )
  propose(
    present.has('xhci'),
    'usb',
    'false',
    'drops a USB controller, its process and /dev/bus/usb; snapshots become possible',
  )
  propose(present.has('rng'), 'rng', 'false', 'drops a process; guests have RDRAND or a seed of their own')
  propose(
    present.has('balloon') && spec.balloon === undefined,
    'balloon',
    "{ kind: 'absent' }",
    'drops a process and the means to take memory back',
  )
  propose(
    present.has('i8042'),
    'i8042',
    'false',
    'drops a keyboard controller of the main process, and with it the reset by it',
  )
  propose(present.has('cmos'), 'rtc', 'false', 'drops a clock of the main process')
  const terminal = spec.serial === undefined || !spec.serial.some((port) => port.console)
  propose(
    terminal && !spec.vhostUser?.some((device) => device.type === 'console'),
    'serial',
    "[{ type: 'sink', console: true }] or a console of your own",
    "the first serial port holds crosvm's standard input and output",
  )
  spec.block?.forEach((disk, index) => {
    propose(disk.readOnly !== true, `block.${index}.readOnly`, 'true', 'the guest can write the file')
  })
  spec.pmem?.forEach((device, index) => {
    propose(
      device.readOnly !== true,
      `pmem.${index}.readOnly`,
      'true',
      'the guest writes the file directly, and nothing locks it',
    )
  })
  spec.sharedDirectories?.forEach((_, index) => {
    propose(
      true,
      `sharedDirectories.${index}`,
      'pmemExt2, or a read-only bind mount',
      'shares have no read-only mode: the guest can write the directory',
    )
  })
  spec.net?.forEach((card, index) => {
    propose(
      card.backend.kind === 'host-ip',
      `net.${index}.backend`,
      'tap-name',
      'a persistent tap owned by the user needs no CAP_NET_ADMIN',
    )
    propose(
      card.vhostNet !== undefined,
      `net.${index}.vhostNet`,
      'absent',
      "the guest's packets are parsed by a jailed process instead of the host's kernel",
    )
  })
  propose(
    spec.vsock !== undefined,
    'vsock',
    'a virtio-console of type unix-stream',
    "context ids are a namespace of the whole host, and the host's kernel parses the packets",
  )
  propose(
    spec.waylandSockets !== undefined,
    'waylandSockets',
    'the socket of a proxy',
    'the compositor itself gets what the guest sends',
  )
  return found
}
