import { posix } from 'node:path'
import type { CrosvmMachine } from './machine.js'
import type { CrosvmSpec } from './spec.js'

/** What must be so on the host before crosvm starts, with the remedy in the message. */
export type Prerequisite =
  | {
      /**
       * `file`: there, readable (`writable` too where said). `directory`: there. `empty-directory`: there and
       * empty. `socket`: something listens there. `absent`: nothing there. `plain-tree`: a directory with
       * nothing but files, directories and symbolic links in it. `device`: a device node that may be opened.
       */
      readonly kind: 'file' | 'directory' | 'empty-directory' | 'socket' | 'absent' | 'plain-tree' | 'device'
      /** Absolute. Paths of inherited descriptors are not among them. */
      readonly path: string
      /** Whether this program must be able to write it, too. */
      readonly writable: boolean
      /** Begins with the path; says what must be so there. */
      readonly message: string
    }
  /** `number` is that in crosvm's process, which inherits it: it must not be close-on-exec there. */
  | { readonly kind: 'descriptor'; readonly number: number; readonly message: string }
  | {
      readonly kind: 'privilege'
      /** capabilities(7), or user_namespaces(7) that anybody may create (root needs none). */
      readonly privilege: 'user-namespaces' | 'CAP_SYS_ADMIN' | 'CAP_NET_ADMIN'
      readonly message: string
    }

const inherited = (path: string) => /^\/proc\/self\/fd\/[0-9]+$/.test(path)

/**
 * Everything a spec takes for granted about the host, each once: paths, then descriptors, then privileges.
 * Nothing is looked at; `missingPrerequisites` of the entry `spawn` does that.
 */
export function prerequisites(spec: CrosvmSpec): readonly Prerequisite[] {
  const found: Prerequisite[] = [...paths(spec), ...descriptors(spec), ...privileges(spec)]
  const seen = new Set<string>()
  return found.filter((item) => {
    const key = JSON.stringify(item)
    return seen.has(key) ? false : seen.add(key)
  })
}

function paths(machine: CrosvmMachine): readonly Prerequisite[] {
  const found: Prerequisite[] = []
  type Kind = Extract<Prerequisite, { path: string }>['kind']
  const need = (kind: Kind, path: string | undefined, message: string, writable = false) => {
    if (path !== undefined && !inherited(path))
      found.push({ kind, path, writable, message: `${path}: ${message}` })
  }
  const image = (path: string | undefined, what: string, readOnly = true) =>
    need('file', path, `${what} is a file that crosvm can ${readOnly ? 'read' : 'read and write'}`, !readOnly)

  image(machine.boot.path, machine.boot.kind)
  image(machine.initrd, 'the initrd')
  for (const device of machine.block ?? []) image(device.path, 'the disk', device.readOnly ?? false)
  for (const device of machine.scsi ?? []) image(device.path, 'the disk', device.readOnly ?? false)
  for (const device of machine.pmem ?? []) {
    // With vmaSize the path only names the memory.
    if (device.vmaSize === undefined) image(device.path, 'the raw image', device.readOnly ?? false)
  }
  for (const device of machine.pmemExt2 ?? []) {
    need(
      'plain-tree',
      device.path,
      'a tree of files, directories and links only: sockets and FIFOs stop the start',
    )
  }
  for (const share of machine.sharedDirectories ?? [])
    need('directory', share.path, 'the shared directory exists', true)
  for (const mapping of machine.fileBackedMappings ?? [])
    image(mapping.path, 'the mapped file', !mapping.writable)
  image(machine.pflash?.path, 'the flash image', false)
  for (const file of machine.fwCfg ?? []) image(file.path, 'the firmware file')
  for (const table of machine.acpiTables ?? []) image(table, 'the ACPI table')
  for (const overlay of machine.deviceTreeOverlays ?? []) image(overlay.path, 'the device-tree overlay')
  if (machine.protection && 'firmware' in machine.protection)
    image(machine.protection.firmware, 'the firmware')
  for (const port of machine.serial ?? []) {
    image(port.input, 'the input of a serial port')
    if (port.type === 'unix' || port.type === 'unix-stream') {
      need('socket', port.path, 'the serial port connects to a socket that already listens')
    }
  }
  for (const device of machine.vhostUser ?? []) {
    if ((machine.vhostUserConnectTimeoutMs ?? 0) === 0) {
      need('socket', device.socket, 'the backend already listens, or vhostUserConnectTimeoutMs gives it time')
    }
  }
  for (const socket of machine.waylandSockets ?? [])
    need('socket', socket.path, 'the compositor listens there')
  for (const input of machine.input ?? []) {
    need(input.kind === 'evdev' ? 'device' : 'socket', input.path, 'the input source is there')
  }
  if (machine.vsock) need('device', machine.vsock.device ?? '/dev/vhost-vsock', 'load vhost_vsock', true)
  for (const card of machine.net ?? []) {
    if (card.vhostNet) need('device', card.vhostNet.device ?? '/dev/vhost-net', 'load vhost_net', true)
  }
  if (machine.hypervisor?.kind === 'kvm' || machine.hypervisor === undefined) {
    need('device', machine.hypervisor?.device ?? '/dev/kvm', 'load KVM and grant access to it', true)
  }
  need('directory', machine.restore, 'the snapshot exists')
  need('directory', machine.swapDirectory, 'the swap directory exists', true)
  if (machine.sandbox?.kind !== 'disabled') {
    const root = machine.sandbox?.pivotRoot ?? '/var/empty'
    need('empty-directory', root, 'the root of the jails: mkdir -p it, owned by root, with nothing in it')
    need('directory', machine.sandbox?.seccomp?.policyDirectory, 'the seccomp policies are there')
  }
  if (machine.socket !== undefined && !inherited(machine.socket)) {
    need('directory', posix.dirname(machine.socket), 'the directory of the control socket exists', true)
    need(
      'absent',
      machine.socket,
      'a socket left by a killed crosvm: nothing connects any more, so remove it',
    )
  }
  return found
}

function descriptors(machine: CrosvmMachine): readonly Prerequisite[] {
  const numbers = new Set<number>()
  const walk = (value: unknown): void => {
    const number = typeof value === 'string' ? /^\/proc\/self\/fd\/([0-9]+)$/.exec(value)?.[1] : undefined
    if (number !== undefined) numbers.add(Number(number))
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(walk)
  }
  walk(machine)
  for (const { backend } of machine.net ?? []) if (backend.kind === 'tap-fd') numbers.add(backend.tapFd)
  return [...numbers].map((number) => ({
    kind: 'descriptor',
    number,
    message: `descriptor ${number} is passed to crosvm without close-on-exec`,
  }))
}

function privileges(machine: CrosvmMachine): readonly Prerequisite[] {
  const found: Prerequisite[] = []
  const disabled = machine.sandbox?.kind === 'disabled'
  if (!disabled) {
    const message = 'root, or user namespaces that anybody may create: the jails are made of them'
    found.push({ kind: 'privilege', privilege: 'user-namespaces', message })
  }
  const pivots =
    machine.sharedDirectories?.some((share) => share.type === 'fs') || (machine.pmemExt2?.length ?? 0) > 0
  if (disabled && pivots) {
    const message =
      'without the sandbox, virtio-fs and pmem-ext2 pivot their root with this: keep the sandbox'
    found.push({ kind: 'privilege', privilege: 'CAP_SYS_ADMIN', message })
  }
  if (machine.net?.some((card) => card.backend.kind === 'host-ip')) {
    const message = 'to make the tap: or make a persistent tap owned by the user, and name it'
    found.push({ kind: 'privilege', privilege: 'CAP_NET_ADMIN', message })
  }
  return found
}
