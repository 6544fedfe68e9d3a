import type { SharedDirectory } from '../options/share.js'
import { complain, memoryMib, type Rule } from './rule.js'

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

const swapWantsSandbox: Rule = ({ swapDirectory, sandbox }) =>
  swapDirectory !== undefined && sandbox?.kind === 'disabled'
    ? complain('swapDirectory', 'swap works only with the sandbox: drop one of the two')
    : undefined

const implicitRenderServerWantsNoSandbox: Rule = ({ gpu, sandbox }) =>
  gpu?.implicitRenderServer && sandbox?.kind !== 'disabled'
    ? complain('gpu.implicitRenderServer', 'not with the sandbox: describe a gpuRenderServer instead')
    : undefined

const initialMemoryFits: Rule = (machine) =>
  machine.balloon?.kind === 'present' && (machine.balloon.initialMemoryMib ?? 0) > memoryMib(machine)
    ? complain('balloon.initialMemoryMib', `must be at most the machine's ${memoryMib(machine)} MiB`)
    : undefined

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

const logFailuresWantsPolicies: Rule = ({ sandbox }) =>
  sandbox?.kind === 'jailed' && sandbox.seccomp?.policyDirectory === ''
    ? complain('sandbox.seccomp', 'logFailures does nothing without a policyDirectory: give one')
    : undefined

export const deviceRules: readonly Rule[] = [
  onlyOneRoot,
  serialPortsDiffer,
  oneStdin,
  oneEarlycon,
  protectedHasNoUsb,
  swapWantsSandbox,
  implicitRenderServerWantsNoSandbox,
  initialMemoryFits,
  daxFits,
  writablePmemIsAlone,
  noImageFormatAsPmem,
  onePmemKind,
  tagsDiffer,
  waylandNamesDiffer,
  pmemRefusedWithMte,
  guestAddressIsPci,
  logFailuresWantsPolicies,
]
