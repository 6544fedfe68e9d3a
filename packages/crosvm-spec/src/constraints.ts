import { cpusOf } from './grammar/cpu-set.js'
import type { CrosvmMachine } from './machine.js'
import type { SharedDirectory } from './options/share.js'

/** What is known about the host. What is absent is not checked. */
export interface HostFacts {
  /** Online CPUs. */
  readonly onlineCpus?: number | undefined
  /** How many 8 GiB DAX windows the guest-physical address space is sure to hold. Default 2. */
  readonly daxWindows?: number | undefined
}

export interface Complaint {
  readonly property: string
  readonly message: string
}

type Rule = (machine: CrosvmMachine, host: HostFacts) => readonly Complaint[] | Complaint | undefined

/** What each option allows alone and crosvm refuses, misreads or quietly changes in combination. */
export function complaints(machine: CrosvmMachine, host: HostFacts): readonly Complaint[] {
  return rules.flatMap((rule) => rule(machine, host) ?? [])
}

const vcpus = (machine: CrosvmMachine) => machine.cpus?.count ?? 1
const memoryMib = (machine: CrosvmMachine) => machine.memoryMib ?? 256
const complain = (property: string, message: string): Complaint => ({ property, message })

const onlyOneRoot: Rule = ({ block = [], scsi = [], pmem = [] }) => {
  const roots = [...block, ...scsi, ...pmem].filter((device) => device.root)
  if (roots.length <= 1) return undefined
  return complain('root', 'more than one device is the root: leave root on one of block, scsi and pmem')
}

const serialPortsDiffer: Rule = ({ serial = [] }) => {
  const taken = new Set<string>()
  return serial.flatMap(({ hardware = 'serial', num = 1 }, index) => {
    const key = `${hardware} ${num}`
    if (!taken.has(key)) {
      taken.add(key)
      return []
    }
    return complain(`serial.${index}.num`, `${hardware} number ${num} is used twice: give each its own num`)
  })
}

const oneStdin: Rule = ({ serial = [] }) =>
  serial.filter((port) => port.stdin).length > 1
    ? complain('serial.stdin', 'two ports read standard input: leave stdin on one')
    : undefined

const oneEarlycon: Rule = ({ serial = [] }) =>
  serial.filter((port) => port.earlycon).length > 1
    ? complain('serial.earlycon', 'two ports are the early console: leave earlycon on one')
    : undefined

const protectedHasNoUsb: Rule = ({ protection, usb, rng }) => {
  if (protection === undefined || (usb === false && rng === false)) return undefined
  return complain(
    'protection',
    'a protected machine has neither USB nor a random number generator: say usb: false and rng: false',
  )
}

const gdbWantsOneVcpu: Rule = (machine) =>
  machine.start?.kind === 'gdb' && vcpus(machine) !== 1
    ? complain('start', 'gdb works with one vCPU: drop cpus.count')
    : undefined

const swapWantsSandbox: Rule = ({ swapDirectory, sandbox }) =>
  swapDirectory !== undefined && sandbox?.kind === 'disabled'
    ? complain('swapDirectory', 'swap works only with the sandbox: drop one of the two')
    : undefined

const implicitRenderServerWantsNoSandbox: Rule = ({ gpu, sandbox }) =>
  gpu?.implicitRenderServer && sandbox?.kind !== 'disabled'
    ? complain('gpu.implicitRenderServer', 'not with the sandbox: describe a gpuRenderServer instead')
    : undefined

/** What implements neither sleep nor snapshots; see `cannotSnapshot`. */
export function cannotSleep(machine: CrosvmMachine): readonly string[] {
  const found: string[] = []
  if (machine.usb !== false) found.push('the USB controller (say usb: false)')
  for (const share of machine.sharedDirectories ?? []) found.push(`the ${share.type} share '${share.tag}'`)
  if (machine.scsi?.length) found.push('the scsi controller')
  if (machine.vfio?.some((device) => device.iommu !== undefined && device.iommu !== 'off'))
    found.push('the iommu')
  if (machine.vtpmProxy) found.push('the tpm')
  if (machine.videoDecoders?.length || machine.videoEncoders?.length) found.push('the video devices')
  if (machine.mediaDecoders?.length || machine.v4l2Proxies?.length || machine.simpleMediaDevice) {
    found.push('the media devices')
  }
  if (machine.vhostScmi) found.push('vhost-scmi')
  if (machine.net?.some((card) => card.vhostNet)) found.push('vhost-net')
  return found
}

/** What keeps a machine from being snapshot or restored: nothing when the list is empty. */
export function cannotSnapshot(machine: CrosvmMachine): readonly string[] {
  const found = [...cannotSleep(machine)]
  if (machine.waylandSockets?.length) found.push('virtio-wl')
  for (const device of machine.vhostUser ?? []) {
    if (device.type === 'fs' || device.type === 'wl') found.push(`the vhost-user ${device.type} device`)
  }
  return found
}

const restoreWantsSnapshotDevices: Rule = (machine) => {
  if (machine.restore === undefined) return undefined
  const found = cannotSnapshot(machine)
  if (found.length === 0) return undefined
  return complain(
    'restore',
    `no snapshot can hold ${found.join(', ')}: leave it out of a machine to be restored`,
  )
}

/** sockaddr_un.sun_path less the terminating zero. */
const LONGEST_SOCKET = 107

function hostSockets(machine: CrosvmMachine): readonly (readonly [property: string, path: string])[] {
  const { socket, balloon, vhostUser = [], waylandSockets = [], serial = [], viosSound } = machine
  const control = balloon?.kind === 'present' ? balloon.control : undefined
  const ports = serial.filter(({ type }) => type === 'unix' || type === 'unix-stream')
  return (
    [
      ['socket', socket],
      ['balloon.control', control],
      ['viosSound', viosSound],
      ...vhostUser.map((device) => ['vhostUser.socket', device.socket]),
      ...waylandSockets.map((wayland) => ['waylandSockets.path', wayland.path]),
      ...ports.map((port) => ['serial.path', port.path]),
    ] as [string, string | undefined][]
  ).flatMap(([property, path]) => (path === undefined ? [] : [[property, path] as const]))
}

const socketPathsFit: Rule = (machine) =>
  hostSockets(machine)
    .filter(([, path]) => Buffer.byteLength(path) > LONGEST_SOCKET)
    .map(([property]) =>
      complain(property, `a socket's path has at most ${LONGEST_SOCKET} bytes: use a shorter directory`),
    )

const initialMemoryFits: Rule = (machine) =>
  machine.balloon?.kind === 'present' && (machine.balloon.initialMemoryMib ?? 0) > memoryMib(machine)
    ? complain('balloon.initialMemoryMib', `must be at most the machine's ${memoryMib(machine)} MiB`)
    : undefined

const queuePairsFitVcpus: Rule = (machine) =>
  (machine.net ?? []).flatMap((card, index) =>
    (card.vqPairs ?? 1) <= vcpus(machine)
      ? []
      : complain(
          `net.${index}.vqPairs`,
          `must be at most the ${vcpus(machine)} vCPUs, or crosvm quietly makes it 1`,
        ),
  )

const hostTopologyStandsAlone: Rule = (machine, host) => {
  const { hostTopology, affinity, cpuCapacity, cpus, smt, cpuFrequenciesKhz } = machine
  if (hostTopology === undefined) return undefined
  const wrong: Complaint[] = []
  const exclude = (present: boolean, name: string) => {
    if (present) wrong.push(complain('hostTopology', `excludes ${name}: the host's own is used; drop one`))
  }
  exclude(affinity !== undefined, 'affinity')
  exclude(cpuCapacity !== undefined, 'cpuCapacity')
  exclude(cpus?.clusters !== undefined, 'cpus.clusters')
  exclude(cpus?.coreTypes !== undefined, 'cpus.coreTypes')
  exclude(smt === false, 'smt: false')
  exclude(cpuFrequenciesKhz !== undefined, 'cpuFrequenciesKhz')
  if (cpus?.count !== undefined && host.onlineCpus !== undefined && cpus.count !== host.onlineCpus) {
    wrong.push(complain('cpus.count', `must be the host's ${host.onlineCpus} online CPUs, or absent`))
  }
  return wrong
}

/** The MP table of x86 counts processors in 8 bits: crosvm refuses 255 and more at start. */
const vcpusFit: Rule = (machine) =>
  machine.architecture === 'x86_64' && vcpus(machine) > 254
    ? complain('cpus.count', 'must be at most 254 on x86_64')
    : undefined

const coreTypesNameEveryVcpu: Rule = (machine) => {
  const types = machine.cpus?.coreTypes
  if (types === undefined) return undefined
  const named = [...cpusOf(types.atom), ...cpusOf(types.core)].sort((a, b) => a - b)
  const every = named.length === vcpus(machine) && named.every((cpu, index) => cpu === index)
  return every ? undefined : complain('cpus.coreTypes', `must name each of the ${vcpus(machine)} vCPUs once`)
}

const vcpusInRange: Rule = (machine) => {
  const most = vcpus(machine)
  // With the host's topology the count may be the host's, which is unknown here.
  if (machine.hostTopology !== undefined && machine.cpus?.count === undefined) return undefined
  const wrong: Complaint[] = []
  if ((machine.cpus?.bootCpu ?? 0) >= most) wrong.push(complain('cpus.bootCpu', `must be below ${most}`))
  for (const property of [
    'cpuCapacity',
    'dynamicPowerCoefficient',
    'cpuFrequenciesKhz',
    'cpuIpcRatio',
  ] as const) {
    const named = Object.keys(machine[property] ?? {}).map(Number)
    if (named.some((cpu) => cpu >= most))
      wrong.push(complain(property, `names a vCPU that is not below ${most}`))
  }
  return wrong
}

/** `clusters` and the two lists of core types are sets: crosvm refuses a vCPU that is in two of them. */
const clustersDoNotOverlap: Rule = (machine) => {
  const named = (machine.cpus?.clusters ?? []).flatMap(cpusOf)
  return new Set(named).size === named.length
    ? undefined
    : complain('cpus.clusters', 'a vCPU is in two clusters: name each once')
}

const cpufreqHasItsParts: Rule = ({
  virtCpufreq,
  cpuFrequenciesKhz,
  hostTopology,
  affinity,
  cpuCapacity,
}) => {
  if (cpuFrequenciesKhz !== undefined && virtCpufreq !== 'upstream') {
    return complain('cpuFrequenciesKhz', "needs virtCpufreq: 'upstream'")
  }
  if (virtCpufreq !== 'downstream' || hostTopology !== undefined) return undefined
  return affinity !== undefined && cpuCapacity !== undefined
    ? undefined
    : complain('virtCpufreq', 'needs hostTopology, or both affinity and cpuCapacity')
}

const CMDLINE_LIMIT = { x86_64: 2047, aarch64: 2047, riscv64: 1023 } as const

/** What crosvm itself puts on the kernel's command line, before and between the given parameters. */
export function addedParams(machine: CrosvmMachine): readonly string[] {
  const added = ['panic=-1']
  const { serial = [], block = [], scsi = [], pmem = [], pstore, architecture } = machine
  for (const { hardware = 'serial', num = 1, console, earlycon } of serial) {
    if (console) added.push(hardware === 'serial' ? `console=ttyS${num - 1}` : `console=hvc${num - 1}`)
    if (earlycon)
      added.push(architecture === 'x86_64' ? 'earlycon=uart8250,io,0x3f8' : 'earlycon=uart8250,mmio,0x3f8')
  }
  if (!serial.some((port) => port.console)) added.push('console=ttyS0')
  const roots = [
    ...block.map((device, index) => [device, `/dev/vd${diskLetters(index)}`] as const),
    ...scsi.map((device, index) => [device, `/dev/sd${diskLetters(index)}`] as const),
    ...pmem.map((device, index) => [device, `/dev/pmem${index}`] as const),
  ]
  for (const [device, name] of roots)
    if (device.root) added.push(`root=${name} ${device.readOnly ? 'ro' : 'rw'}`)
  // Sixteen digits for the address, ten for each size.
  if (pstore !== undefined)
    added.push(`ramoops.mem_address=0x${'0'.repeat(16)} ramoops.mem_size=0x${'0'.repeat(8)}`)
  return added
}

/** a … z, aa, ab … */
export function diskLetters(index: number): string {
  const letter = String.fromCharCode(97 + (index % 26))
  return index < 26 ? letter : diskLetters(Math.floor(index / 26) - 1) + letter
}

const commandLineFits: Rule = (machine) => {
  const params = machine.params ?? []
  const wrong: Complaint[] = []
  if (params.some((param) => !/^[ -~]*$/.test(param))) {
    wrong.push(complain('params', "the kernel's command line holds printable ASCII only"))
  }
  const length = [...addedParams(machine), ...params].join(' ').length
  const limit = CMDLINE_LIMIT[machine.architecture]
  if (length > limit) {
    wrong.push(
      complain('params', `makes ${length} bytes with what crosvm adds; ${machine.architecture} has ${limit}`),
    )
  }
  return wrong
}

const PROC_FD = /^\/proc\/self\/fd\/([0-9]+)$/

/** The inherited descriptors that a machine names by /proc/self/fd/N, each as often as it is named. */
export function namedDescriptors(machine: unknown): readonly number[] {
  if (typeof machine === 'string') {
    const found = PROC_FD.exec(machine)
    return found ? [Number(found[1])] : []
  }
  if (typeof machine !== 'object' || machine === null) return []
  return Object.values(machine).flatMap(namedDescriptors)
}

const descriptorsDiffer: Rule = (machine) => {
  const taps = (machine.net ?? []).flatMap(({ backend }) =>
    backend.kind === 'tap-fd' ? [backend.tapFd] : [],
  )
  const all = [...namedDescriptors(machine), ...taps]
  const twice = all.find((fd, index) => all.indexOf(fd) !== index)
  return twice === undefined
    ? undefined
    : complain(
        '/proc/self/fd',
        `descriptor ${twice} is used twice and would share one file offset: duplicate it`,
      )
}

const daxFits: Rule = ({ architecture, sharedDirectories = [] }, host) => {
  const dax = sharedDirectories.filter((share: SharedDirectory) => share.type === 'fs' && share.dax)
  if (dax.length === 0) return undefined
  if (architecture !== 'x86_64') {
    return complain('sharedDirectories.dax', `crosvm quietly turns dax off on ${architecture}: drop it`)
  }
  const most = host.daxWindows ?? 2
  return dax.length <= most
    ? undefined
    : complain(
        'sharedDirectories.dax',
        `${dax.length} windows of 8 GiB; at most ${most} are sure to fit: drop some`,
      )
}

const writablePmemIsAlone: Rule = ({ pmem = [] }) =>
  pmem.flatMap((device, index) => {
    const others = pmem.some((other, at) => at !== index && other.path === device.path)
    if (device.readOnly || !others) return []
    return complain(
      `pmem.${index}.path`,
      'a writable file is mapped twice and nothing locks it: make it read-only',
    )
  })

const noImageFormatAsPmem: Rule = ({ pmem = [] }) =>
  pmem.flatMap((device, index) =>
    /\.(qcow2?|vmdk|vdi|vhdx?)$/i.test(device.path)
      ? complain(`pmem.${index}.path`, 'pmem maps a raw file as it is: convert the image to raw first')
      : [],
  )

/** Seen with crosvm f1e797a: both kinds count their memory from 0, so the second to be made finds it taken. */
const onePmemKind: Rule = ({ pmem = [], pmemExt2 = [] }) =>
  pmem.length > 0 && pmemExt2.length > 0
    ? complain('pmemExt2', 'crosvm fails to start with both pmem and pmemExt2: use one of the two')
    : undefined

const tagsDiffer: Rule = ({ sharedDirectories = [] }) => {
  const tags = sharedDirectories.map((share) => share.tag)
  const twice = tags.find((tag, index) => tags.indexOf(tag) !== index)
  return twice === undefined ? undefined : complain('sharedDirectories.tag', `'${twice}' is used twice`)
}

const waylandNamesDiffer: Rule = ({ waylandSockets = [] }) => {
  const names = waylandSockets.map((socket) => socket.name ?? '')
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice === undefined) return undefined
  return complain(
    'waylandSockets.name',
    twice === '' ? 'two sockets have no name' : `'${twice}' is used twice`,
  )
}

const pmemRefusedWithMte: Rule = ({ cpus, pmem = [], pmemExt2 = [], pstore }) =>
  cpus?.mte?.auto && (pmem.length > 0 || pmemExt2.length > 0 || pstore !== undefined)
    ? complain('cpus.mte', 'crosvm refuses pmem and pstore where memory tagging may be on: drop one')
    : undefined

const guestAddressIsPci: Rule = ({ vfio = [], coIommu }) => {
  const wrong = vfio.flatMap((device, index) =>
    device.guestAddress !== undefined && /\/platform\//.test(device.path)
      ? complain(`vfio.${index}.guestAddress`, 'a platform device has no PCI address: drop it')
      : [],
  )
  const unused = coIommu !== undefined && !vfio.some((device) => device.iommu === 'coiommu')
  return unused ? [...wrong, complain('coIommu', 'no vfio device uses it: drop it')] : wrong
}

const cpuConfigOfArchitecture: Rule = ({ architecture, cpus, pci, irqChip, hypervisor }) => {
  const wrong: Complaint[] = []
  const only = (present: boolean, property: string, where: string) => {
    if (present && architecture !== where) wrong.push(complain(property, `exists on ${where} only: drop it`))
  }
  only(cpus?.coreTypes !== undefined, 'cpus.coreTypes', 'x86_64')
  only(cpus?.mte !== undefined, 'cpus.mte', 'aarch64')
  only(cpus?.sve !== undefined, 'cpus.sve', 'aarch64')
  only(pci?.ecam !== undefined, 'pci.ecam', 'x86_64')
  only(pci?.cam !== undefined, 'pci.cam', 'aarch64')
  only(irqChip?.kind === 'split', 'irqChip', 'x86_64')
  only(irqChip?.kind === 'kernel' && irqChip.allowVgicIts !== undefined, 'irqChip.allowVgicIts', 'aarch64')
  only(hypervisor !== undefined && hypervisor.kind !== 'kvm', 'hypervisor', 'aarch64')
  return wrong
}

const logFailuresWantsPolicies: Rule = ({ sandbox }) =>
  sandbox?.kind === 'jailed' && sandbox.seccomp?.policyDirectory === ''
    ? complain('sandbox.seccomp', 'logFailures does nothing without a policyDirectory: give one')
    : undefined

const rules: readonly Rule[] = [
  onlyOneRoot,
  serialPortsDiffer,
  oneStdin,
  oneEarlycon,
  protectedHasNoUsb,
  gdbWantsOneVcpu,
  swapWantsSandbox,
  implicitRenderServerWantsNoSandbox,
  restoreWantsSnapshotDevices,
  socketPathsFit,
  initialMemoryFits,
  queuePairsFitVcpus,
  hostTopologyStandsAlone,
  vcpusFit,
  coreTypesNameEveryVcpu,
  vcpusInRange,
  clustersDoNotOverlap,
  cpufreqHasItsParts,
  commandLineFits,
  descriptorsDiffer,
  daxFits,
  writablePmemIsAlone,
  noImageFormatAsPmem,
  onePmemKind,
  tagsDiffer,
  waylandNamesDiffer,
  pmemRefusedWithMte,
  guestAddressIsPci,
  cpuConfigOfArchitecture,
  logFailuresWantsPolicies,
]
