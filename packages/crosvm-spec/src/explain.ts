import { cannotSnapshot } from './constraints.js'
import type { CrosvmMachine } from './machine.js'
import type { CrosvmSpec } from './spec.js'

/** How one device process is confined. */
export interface Jail {
  /** Ids of the host do not exist in it. */
  readonly userNamespace: boolean
  /** Its root directory. */
  readonly root: string
  /** Its system-call filter: crosvm's `jail/seccomp/ARCH/NAME.policy`. Absent without the sandbox. */
  readonly seccompPolicy: string | undefined
  /** What it holds beyond an empty jail. */
  readonly keeps: readonly string[]
}

/** One device of a machine, where it runs and what it adds. */
export interface DeviceReport {
  /** `block 0`, `console serial 1`, `rng` … */
  readonly device: string
  /** The property that made it, or that takes it away. */
  readonly property: string
  /** `own`: a jailed process. `main`: crosvm's main process. `other`: a process that is not crosvm's. */
  readonly process: 'own' | 'main' | 'other'
  readonly jail: Jail | undefined
  /** Files and directories of the host that it opens. */
  readonly paths: readonly string[]
  /** Sockets that it connects to or listens on. */
  readonly sockets: readonly string[]
  /** Virtqueues that the guest writes descriptors into; 0 for other kinds of devices. */
  readonly queues: number
  /** What code of the host interprets that the guest chose. */
  readonly parses: string
  /** The guest gets it although nobody asked for it. */
  readonly byDefault: boolean
}

export interface Explanation {
  readonly devices: readonly DeviceReport[]
  /** How many processes run, the main one included. */
  readonly processes: number
  /** What starting takes. */
  readonly privileges: readonly string[]
  /** Every file, directory and device node of the host that is opened. */
  readonly hostPaths: readonly string[]
  readonly hostSockets: readonly string[]
  /** What stands in the way of snapshots. */
  readonly cannotSnapshot: readonly string[]
}

interface Sketch {
  readonly policy?: string
  readonly process?: DeviceReport['process']
  readonly root?: string
  readonly keeps?: readonly string[]
  readonly paths?: readonly (string | undefined)[]
  readonly sockets?: readonly (string | undefined)[]
  readonly queues?: number
  readonly byDefault?: boolean
  /** It forks and pivots its root even without the sandbox, but then has no user namespace and no filter. */
  readonly alwaysForks?: boolean
}

class Inventory {
  readonly devices: DeviceReport[] = []
  readonly #machine: CrosvmMachine

  constructor(machine: CrosvmMachine) {
    this.#machine = machine
  }

  add(device: string, property: string, parses: string, sketch: Sketch): void {
    const { sandbox } = this.#machine
    const jailed = sandbox?.kind !== 'disabled'
    const own = sketch.policy !== undefined && (jailed || sketch.alwaysForks === true)
    const root = sketch.root ?? (sandbox?.kind === 'jailed' ? sandbox.pivotRoot : undefined) ?? '/var/empty'
    this.devices.push({
      device,
      property,
      process: sketch.process ?? (own ? 'own' : 'main'),
      jail: own
        ? {
            userNamespace: jailed,
            root,
            seccompPolicy: jailed ? sketch.policy : undefined,
            keeps: sketch.keeps ?? [],
          }
        : undefined,
      paths: (sketch.paths ?? []).filter((path) => path !== undefined),
      sockets: (sketch.sockets ?? []).filter((path) => path !== undefined),
      queues: sketch.queues ?? 0,
      parses,
      byDefault: sketch.byDefault ?? false,
    })
  }
}

/** Every device of a machine, its process and jail, and what of the host it touches. */
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

function describeStorage(machine: CrosvmMachine, inventory: Inventory): void {
  machine.block?.forEach((disk, index) => {
    const queues = disk.multipleWorkers ? 16 : 1
    const parses = `virtio-blk requests against ${disk.readOnly ? 'a read-only' : 'a writable'} file`
    inventory.add(`block ${index}`, 'block', parses, { policy: 'block_device', paths: [disk.path], queues })
  })
  if (machine.scsi?.length) {
    const paths = machine.scsi.map((disk) => disk.path)
    inventory.add('scsi', 'scsi', 'SCSI commands', { policy: 'scsi_device', paths, queues: 3 })
  }
  machine.pmem?.forEach((device, index) => {
    const parses = device.readOnly
      ? 'flush requests; the memory itself is mapped read-only'
      : 'flush and discard requests; the guest writes the mapped file directly'
    inventory.add(`pmem ${index}`, 'pmem', parses, { policy: 'pmem_device', paths: [device.path], queues: 1 })
  })
  machine.pmemExt2?.forEach((device, index) => {
    const name = `pmem-ext2 ${index}`
    inventory.add(name, 'pmemExt2', 'flush requests; the memory is read-only', {
      alwaysForks: true,
      policy: 'pmem_device',
      queues: 1,
    })
    inventory.add(`${name} builder`, 'pmemExt2', "nothing of the guest's; it ends before the guest starts", {
      policy: 'virtual_ext2',
      alwaysForks: true,
      root: device.path,
      keeps: ['capabilities within its user namespace', 'one descriptor for each file'],
      paths: [device.path],
    })
  })
  if (machine.pflash) {
    inventory.add('pflash', 'pflash', 'flash commands', {
      policy: 'block_device',
      paths: [machine.pflash.path],
    })
  }
  if (machine.pstore) {
    inventory.add('pstore', 'pstore', 'nothing: a shared memory region', { paths: [machine.pstore.path] })
  }
  machine.fileBackedMappings?.forEach((mapping, index) => {
    const parses = mapping.writable
      ? 'nothing: the guest writes the file directly'
      : 'nothing: read-only memory'
    inventory.add(`mapping ${index}`, 'fileBackedMappings', parses, { paths: [mapping.path] })
  })
}

function describeShares(machine: CrosvmMachine, inventory: Inventory): void {
  machine.sharedDirectories?.forEach((share) => {
    const fs = share.type === 'fs'
    const dax = share.type === 'fs' && share.dax ? ', and mappings of file pages' : ''
    inventory.add(
      `${share.type} '${share.tag}'`,
      'sharedDirectories',
      `${fs ? 'FUSE' : '9P'} requests that read and write the directory${dax}`,
      {
        policy: fs ? 'fs_device' : '9p_device',
        alwaysForks: fs,
        root: share.path,
        keeps: [
          'capabilities within its user namespace',
          'host mounts made later below the directory appear in it',
        ],
        paths: [share.path],
        queues: fs ? 2 : 1,
      },
    )
  })
}

function describeSerial(machine: CrosvmMachine, inventory: Inventory): void {
  const ports = machine.serial ?? []
  ports.forEach((port) => {
    const { hardware = 'serial', num = 1 } = port
    const isSocket = port.type === 'unix' || port.type === 'unix-stream'
    const virtio = hardware === 'virtio-console'
    inventory.add(`${hardware} ${num}`, 'serial', virtio ? 'virtio-console queues' : 'single port writes', {
      policy: 'serial_device',
      keeps: [
        ...(port.type === 'stdout' ? ['standard output'] : []),
        ...(port.stdin ? ['standard input'] : []),
        ...(port.type === 'syslog' ? ['the log'] : []),
      ],
      paths: [...(isSocket ? [] : [port.path]), port.input],
      sockets: isSocket ? [port.path] : [],
      queues: virtio ? 2 : 0,
    })
  })
  const uarts = new Set(
    ports.filter((port) => (port.hardware ?? 'serial') === 'serial').map((port) => port.num ?? 1),
  )
  const noConsole =
    !ports.some((port) => port.console) && !machine.vhostUser?.some((device) => device.type === 'console')
  for (const num of [1, 2, 3, 4]) {
    if (uarts.has(num)) continue
    const terminal = num === 1 && noConsole
    inventory.add(`serial ${num}`, 'serial', 'single port writes', {
      policy: 'serial_device',
      keeps: terminal ? ['standard input', 'standard output'] : [],
      byDefault: true,
    })
  }
}

function describeNetwork(machine: CrosvmMachine, inventory: Inventory): void {
  machine.net?.forEach((card, index) => {
    const pairs = card.vqPairs ?? 1
    const vhost = card.vhostNet !== undefined
    inventory.add(
      `net ${index}`,
      'net',
      vhost ? "packets, in the host's kernel" : 'packets and offload headers',
      {
        policy: vhost ? 'vhost_net_device' : 'net_device',
        keeps: ['the tap'],
        paths: ['/dev/net/tun', ...(vhost ? [card.vhostNet?.device ?? '/dev/vhost-net'] : [])],
        queues: pairs * 2 + 1,
      },
    )
  })
  if (machine.vsock) {
    inventory.add('vsock', 'vsock', "stream packets, in the host's kernel", {
      policy: 'vhost_vsock_device',
      keeps: ['the vhost device'],
      paths: [machine.vsock.device ?? '/dev/vhost-vsock'],
      queues: 3,
    })
  }
  machine.vhostUser?.forEach((device, index) => {
    inventory.add(
      `vhost-user ${device.type} ${index}`,
      'vhostUser',
      'what its backend parses; the backend maps all guest memory',
      {
        process: 'main',
        sockets: [device.socket],
      },
    )
  })
}

function describeDisplay(machine: CrosvmMachine, inventory: Inventory): void {
  const wayland = (machine.waylandSockets ?? []).map((socket) => socket.path)
  if (machine.gpu) {
    inventory.add('gpu', 'gpu', 'graphics commands of its context types, into host drivers', {
      policy: 'gpu_device',
      keeps: ['/dev/dri', '/sys/devices', '/sys/dev/char', 'host graphics libraries'],
      paths: [machine.gpu.cachePath, '/dev/dri'],
      sockets: wayland.slice(0, 1),
      queues: 2,
    })
  }
  if (machine.gpuRenderServer) {
    inventory.add('gpu render server', 'gpuRenderServer', 'command streams of the gpu', {
      policy: 'gpu_render_server',
      keeps: ['/dev/dri'],
      paths: [machine.gpuRenderServer.path],
    })
  }
  if (wayland.length > 0) {
    inventory.add('wl', 'waylandSockets', 'Wayland messages and descriptors, unchecked, for the compositor', {
      policy: 'wl_device',
      keeps: ["the sockets' directories"],
      sockets: wayland,
      queues: 2,
    })
  }
  machine.input?.forEach((input, index) => {
    const evdev = input.kind === 'evdev'
    inventory.add(`input ${index}`, 'input', 'event and status queues', {
      policy: 'input_device',
      paths: evdev ? [input.path] : [],
      sockets: evdev ? [] : [input.path],
      queues: 2,
    })
  })
  machine.sound?.forEach((sound, index) => {
    const policies = {
      null: 'snd_null_device',
      file: 'snd_null_device',
      cras: 'snd_cras_device',
      aaudio: 'snd_aaudio_device',
    }
    inventory.add(`snd ${index}`, 'sound', 'PCM requests', {
      policy: policies[sound.backend ?? 'null'],
      queues: 4,
    })
  })
  if (machine.viosSound !== undefined) {
    inventory.add('vios sound', 'viosSound', 'PCM requests', {
      policy: 'vios_audio_device',
      sockets: [machine.viosSound],
    })
  }
  for (const kind of ['videoDecoders', 'videoEncoders'] as const) {
    machine[kind]?.forEach((backend, index) => {
      inventory.add(`${kind} ${index}`, kind, `video streams, by ${backend}`, {
        policy: 'video_device',
        queues: 2,
      })
    })
  }
}

function describeDefaults(machine: CrosvmMachine, inventory: Inventory): void {
  const unprotected = machine.protection === undefined
  if (machine.rng !== false && unprotected) {
    inventory.add('rng', 'rng', 'nothing: it fills buffers', {
      policy: 'rng_device',
      queues: 1,
      paths: ['/dev/urandom'],
      byDefault: true,
    })
  }
  if (machine.usb !== false && unprotected) {
    const paths = ['/dev/bus/usb']
    inventory.add('xhci', 'usb', 'USB rings and descriptors', {
      policy: 'xhci_device',
      paths,
      byDefault: true,
    })
  }
  const { balloon } = machine
  if (balloon?.kind !== 'absent') {
    inventory.add('balloon', 'balloon', 'page frame numbers to give back', {
      policy: 'balloon_device',
      sockets: [balloon?.control],
      queues: 3 + (balloon?.pageReporting ? 1 : 0) + (balloon?.workingSetReporting ? 2 : 0),
      byDefault: balloon === undefined,
    })
  }
  inventory.add('pvpanic', '', 'single port writes', { byDefault: true })
  inventory.add('PCI root and ports', '', 'configuration space accesses', { byDefault: true })
  if (machine.architecture === 'x86_64' && machine.i8042 !== false) {
    inventory.add('i8042', 'i8042', 'single port writes', { byDefault: true })
  }
  if (machine.architecture === 'x86_64' && machine.rtc !== false) {
    inventory.add('cmos', 'rtc', 'single port writes', { byDefault: true })
  }
}

function describePlatform(machine: CrosvmMachine, inventory: Inventory): void {
  machine.vfio?.forEach((device, index) => {
    inventory.add(
      `vfio ${index}`,
      'vfio',
      'configuration and interrupts; the hardware itself reads and writes guest memory',
      {
        policy: device.path.includes('/platform/') ? 'vfio_platform_device' : 'vfio_device',
        keeps: ['the device'],
        paths: [device.path, '/dev/vfio'],
      },
    )
  })
  if (machine.vfio?.some((device) => device.iommu === 'viommu')) {
    inventory.add('iommu', 'vfio', 'mappings of guest memory', { policy: 'iommu_device', queues: 2 })
  }
  if (machine.vfio?.some((device) => device.iommu === 'coiommu')) {
    inventory.add('coiommu', 'vfio', 'pinned pages', { policy: 'coiommu_device' })
  }
  const simple: readonly (readonly [boolean, string, string, string, string])[] = [
    [machine.battery !== undefined, 'battery', 'battery', 'register accesses', 'battery'],
    [machine.pvclock === true, 'pvclock', 'pvclock', 'clock requests', 'pvclock_device'],
    [machine.vtpmProxy === true, 'tpm', 'vtpmProxy', 'TPM commands', 'vtpm_proxy_device'],
    [
      machine.vhostScmi === true,
      'scmi',
      'vhostScmi',
      "SCMI messages, in the host's kernel",
      'vhost_scmi_device',
    ],
    [
      machine.pciHotplugSlots !== undefined,
      'jail warden',
      'pciHotplugSlots',
      "nothing of the guest's: it jails devices added later",
      'jail_warden',
    ],
    [machine.swapDirectory !== undefined, 'swap monitor', 'swapDirectory', 'page faults', 'swap_monitor'],
  ]
  for (const [present, device, property, parses, policy] of simple) {
    if (present) inventory.add(device, property, parses, { policy })
  }
  if (machine.fwCfgDevice || machine.fwCfg?.length) {
    const x86 = machine.architecture === 'x86_64' ? { policy: 'fw_cfg_device' } : {}
    const paths = (machine.fwCfg ?? []).map((file) => file.path)
    inventory.add('fw_cfg', 'fwCfg', 'selector and offset writes', { ...x86, paths })
  }
  machine.stubPciDevices?.forEach((stub) => {
    inventory.add(`stub ${stub.address}`, 'stubPciDevices', 'configuration space accesses', {})
  })
  const media = [...(machine.v4l2Proxies ?? [])]
  if (media.length > 0 || machine.simpleMediaDevice || machine.mediaDecoders?.length) {
    inventory.add('media', 'v4l2Proxies', 'V4L2 ioctls', { paths: media, queues: 2 })
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
