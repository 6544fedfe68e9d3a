import { Buffer } from 'node:buffer'
import { err, ok, type Result } from 'neverthrow'
import type { MonitorError } from './errors.js'
import type {
  BlockDevice,
  MachineDescription,
  MachineDisplay,
  MachineView,
  PmemDevice,
  VolumeDevice,
} from './machine.js'
import type { Files } from './powers.js'
import { escapeAndCut } from './printable.js'

/** Why a description is none that a driver can start; `field` names what is wrong. */
export type InvalidDescription = Extract<MonitorError, { kind: 'invalid-description' }>

/** What one kind of monitor can be told; a description within these is translated without loss. */
export interface DescriptionLimits {
  /** Virtual processors. */
  readonly maxVcpus: number
  /** Bytes of guest memory. */
  readonly maxMemoryBytes: number
  /** Devices at the start (pmem, disks and volumes) and reserved slots together. */
  readonly maxPmemDevices: number
  /** Bytes of the whole kernel command line that are left to the caller. */
  readonly maxKernelParameterBytes: number
  /** Bytes of the longest socket name that the driver appends to `directory`, its slash included. */
  readonly socketNameBytes: number
}

const MIB = 1024 * 1024
const PMEM_ALIGNMENT = 2 * MIB
const SECTOR_BYTES = 512
/** `sun_path` holds 108 bytes with the closing NUL (unix(7)). */
const MAX_SOCKET_PATH_BYTES = 107
const MIN_MEMORY_BYTES = 32 * MIB
/** NUL cannot stand in an argument, and a line break would break every message and every log line. */
const UNREPRESENTABLE = /[\p{Cc}\p{Cs}]/u

/** Checks everything that can be known from the description alone. Pure. */
export function checkDescription(
  machine: MachineDescription,
  limits: DescriptionLimits,
): Result<void, InvalidDescription> {
  const problem =
    nameProblem(machine.name) ??
    pathProblem('kernel', machine.kernel) ??
    pathProblem('initramfs', machine.initramfs) ??
    parametersProblem(machine.kernelParameters, limits) ??
    countProblem('vcpuCount', machine.vcpuCount, 1, limits.maxVcpus) ??
    memoryProblem(machine.memoryBytes, limits) ??
    countProblem('hotplugSlots', machine.hotplugSlots, 0, limits.maxPmemDevices) ??
    deviceListProblem(machine, limits) ??
    volumesProblem(machine.volumes ?? []) ??
    viewProblem(machine.view) ??
    displayProblem(machine.display) ??
    directoryProblem(machine.directory, limits)
  return problem === undefined ? ok(undefined) : err(problem)
}

/** Checks one device, for `addPmem` and for the list of a description. Pure. */
export function pmemProblem(device: PmemDevice, prefix = ''): InvalidDescription | undefined {
  return deviceProblem(device, PMEM_ALIGNMENT, prefix)
}

/** The same for a disk. */
export function blockProblem(device: BlockDevice, prefix = ''): InvalidDescription | undefined {
  return deviceProblem(device, SECTOR_BYTES, prefix)
}

function deviceProblem(
  device: PmemDevice | BlockDevice,
  alignment: number,
  prefix: string,
): InvalidDescription | undefined {
  if (!/^[\x21-\x7e]{1,128}$/.test(device.id))
    return invalid(`${prefix}id`, 'must be 1 to 128 printable ASCII characters without spaces')
  const path = pathProblem(`${prefix}path`, device.path)
  if (path !== undefined) return path
  if (!Number.isSafeInteger(device.sizeBytes) || device.sizeBytes <= 0)
    return invalid(`${prefix}sizeBytes`, `must be a positive whole number of bytes, not ${device.sizeBytes}`)
  if (device.sizeBytes % alignment !== 0)
    return invalid(
      `${prefix}sizeBytes`,
      `must be a multiple of ${alignment} bytes, not ${device.sizeBytes}: pad the file`,
    )
  return undefined
}

/** Looks at the files a description names. */
export async function inspectDescription(
  machine: MachineDescription,
  files: Files,
): Promise<Result<void, InvalidDescription>> {
  for (const field of ['kernel', 'initramfs'] as const) {
    const facts = await files.inspect(machine[field])
    if (facts?.kind !== 'file')
      return err(invalid(field, `${shown(machine[field])} is no readable file: check the path`))
  }
  const directory = await files.inspect(machine.directory)
  if (directory?.kind !== 'directory')
    return err(invalid('directory', `${shown(machine.directory)} is no directory: make it first, mode 0700`))
  if ((directory.mode & 0o077) !== 0)
    return err(
      invalid('directory', `${shown(machine.directory)} is open to other users: make it mode 0700 (chmod)`),
    )
  for (const list of ['pmem', 'block'] as const) {
    for (const [index, device] of (machine[list] ?? []).entries()) {
      const problem = await inspectDevice(device, files, `${list}[${index}].`)
      if (problem !== undefined) return err(problem)
    }
  }
  for (const [index, volume] of (machine.volumes ?? []).entries()) {
    const problem = await inspectDevice({ ...volume, id: volume.serial }, files, `volumes[${index}].`)
    if (problem !== undefined) return err(problem)
  }
  for (const [field, device, server] of [
    ['view.socket', machine.view, "the view's server"],
    ['display.socket', machine.display, 'the proxy of its windows'],
  ] as const) {
    if (device === undefined) continue
    if ((await files.inspect(device.socket))?.kind !== 'other')
      return err(invalid(field, `${shown(device.socket)} is no socket: start ${server} first`))
  }
  return ok(undefined)
}

export async function inspectDevice(
  device: PmemDevice | BlockDevice,
  files: Files,
  prefix = '',
): Promise<InvalidDescription | undefined> {
  const facts = await files.inspect(device.path)
  if (facts?.kind !== 'file')
    return invalid(`${prefix}path`, `${shown(device.path)} is no readable file: check the path`)
  if (facts.sizeBytes !== device.sizeBytes)
    return invalid(
      `${prefix}sizeBytes`,
      `says ${device.sizeBytes} but ${shown(device.path)} has ${facts.sizeBytes} bytes: they must be equal`,
    )
  return undefined
}

export function invalid(field: string, problem: string): InvalidDescription {
  return { kind: 'invalid-description', field, message: `machine description: ${field}: ${problem}` }
}

function nameProblem(name: string): InvalidDescription | undefined {
  if (/^[a-z][a-z0-9-]{0,31}$/.test(name)) return undefined
  return invalid('name', `${shown(name)} must be a letter and up to 31 more of a-z, 0-9 and -`)
}

function pathProblem(field: string, path: string): InvalidDescription | undefined {
  if (!path.startsWith('/')) return invalid(field, `${shown(path)} must be an absolute path`)
  if (UNREPRESENTABLE.test(path))
    return invalid(field, `${shown(path)} holds a control character, which no argument can carry safely`)
  if (Buffer.byteLength(path) > 4095) return invalid(field, 'is longer than a path may be (4095 bytes)')
  return undefined
}

function parametersProblem(
  parameters: readonly string[],
  limits: DescriptionLimits,
): InvalidDescription | undefined {
  // A quote would swallow the parameters behind it (kernel: Documentation/admin-guide/kernel-parameters).
  for (const [index, parameter] of parameters.entries())
    if (!/^[\x21\x23-\x7e]+$/.test(parameter))
      return invalid(
        `kernelParameters[${index}]`,
        `${shown(parameter)} must be one parameter: printable ASCII without spaces and double quotes`,
      )
  if (Buffer.byteLength(parameters.join(' ')) > limits.maxKernelParameterBytes)
    return invalid('kernelParameters', `are longer than ${limits.maxKernelParameterBytes} bytes together`)
  return undefined
}

function memoryProblem(bytes: number, limits: DescriptionLimits): InvalidDescription | undefined {
  if (!Number.isSafeInteger(bytes) || bytes % MIB !== 0)
    return invalid('memoryBytes', `must be a multiple of 1 MiB (${MIB}), not ${bytes}`)
  if (bytes < MIN_MEMORY_BYTES || bytes > limits.maxMemoryBytes)
    return invalid('memoryBytes', `must be ${MIN_MEMORY_BYTES} to ${limits.maxMemoryBytes}, not ${bytes}`)
  return undefined
}

function deviceListProblem(
  machine: MachineDescription,
  limits: DescriptionLimits,
): InvalidDescription | undefined {
  const { pmem, block = [], volumes = [], hotplugSlots } = machine
  const total = pmem.length + block.length + volumes.length + hotplugSlots
  if (total > limits.maxPmemDevices)
    return invalid('pmem', `${total} devices and reserved slots, but at most ${limits.maxPmemDevices} fit`)
  const seen = new Set<string>()
  const lists = [
    ...pmem.map((device, index) => ({ device, prefix: `pmem[${index}].`, problemOf: pmemProblem })),
    ...block.map((device, index) => ({ device, prefix: `block[${index}].`, problemOf: blockProblem })),
  ]
  for (const { device, prefix, problemOf } of lists) {
    const problem = problemOf(device, prefix)
    if (problem !== undefined) return problem
    if (seen.has(device.id)) return invalid(`${prefix}id`, `${shown(device.id)} is there twice`)
    seen.add(device.id)
  }
  return undefined
}

function volumesProblem(volumes: readonly VolumeDevice[]): InvalidDescription | undefined {
  const serials = new Set<string>()
  for (const [index, volume] of volumes.entries()) {
    const prefix = `volumes[${index}].`
    if (!/^[A-Za-z0-9._-]{1,20}$/.test(volume.serial))
      return invalid(
        `${prefix}serial`,
        `${shown(volume.serial)} must be 1 to 20 characters of A-Z, a-z, 0-9, ".", "_", "-"`,
      )
    if (serials.has(volume.serial))
      return invalid(`${prefix}serial`, `${shown(volume.serial)} is there twice`)
    serials.add(volume.serial)
    const problem = deviceProblem({ ...volume, id: volume.serial }, SECTOR_BYTES, prefix)
    if (problem !== undefined) return problem
  }
  return undefined
}

function viewProblem(view: MachineView | undefined): InvalidDescription | undefined {
  if (view === undefined) return undefined
  if (!/^[A-Za-z0-9._-]{1,36}$/.test(view.tag))
    return invalid(
      'view.tag',
      `${shown(view.tag)} must be 1 to 36 characters of A-Z, a-z, 0-9, ".", "_", "-"`,
    )
  return socketProblem('view.socket', view.socket)
}

function displayProblem(display: MachineDisplay | undefined): InvalidDescription | undefined {
  return display === undefined ? undefined : socketProblem('display.socket', display.socket)
}

function socketProblem(field: string, path: string): InvalidDescription | undefined {
  return (
    pathProblem(field, path) ??
    (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES
      ? invalid(field, `is longer than a socket address may be (${MAX_SOCKET_PATH_BYTES} bytes)`)
      : undefined)
  )
}

function directoryProblem(path: string, limits: DescriptionLimits): InvalidDescription | undefined {
  const problem = pathProblem('directory', path)
  if (problem !== undefined) return problem
  const most = MAX_SOCKET_PATH_BYTES - limits.socketNameBytes
  const length = Buffer.byteLength(path)
  if (length > most)
    return invalid(
      'directory',
      `has ${length} bytes, at most ${most} fit a socket address: use a shorter path`,
    )
  return undefined
}

function countProblem(
  field: string,
  count: number,
  least: number,
  most: number,
): InvalidDescription | undefined {
  if (Number.isSafeInteger(count) && count >= least && count <= most) return undefined
  return invalid(field, `must be a whole number from ${least} to ${most}, not ${count}`)
}

function shown(text: string): string {
  return `"${escapeAndCut(text, 120)}"`
}
