import { cannotSleep, cannotSnapshot } from '../constraints.js'
import type { CrosvmMachine } from '../machine.js'
import type { ControlError } from './errors.js'
import type { ControlRequest } from './request.js'

/** ACPIPM_GPE_MAX of devices/src/acpi.rs. */
const LAST_GPE = 255

/**
 * Cargo features of the binary that decide whether a request does something, and that its help does not tell.
 */
export type ControlFeature = 'registered_events'

/**
 * Why crosvm would answer a request without doing anything, or could only fail: the sentence to refuse it with,
 * before it is sent. `undefined` when it makes sense for this machine.
 */
export function pointless<D>(
  request: ControlRequest<D>,
  machine: CrosvmMachine,
  features: readonly ControlFeature[],
): Extract<ControlError, { kind: 'unsupported' | 'invalid-argument' }> | undefined {
  const unsupported = (why: string) =>
    ({ kind: 'unsupported', request: request.kind, message: `${request.kind}: ${why}` }) as const
  const wrong = (argument: string, why: string) =>
    ({ kind: 'invalid-argument', argument, message: `${request.kind}: ${argument} ${why}` }) as const
  const x86 = machine.architecture === 'x86_64'
  const memory = BigInt(machine.memoryMib ?? 256) << 20n

  switch (request.kind) {
    case 'power-button':
    case 'sleep-button':
    case 'gpe':
    case 'pci-pme':
    case 'rtc':
      if (!x86) return unsupported(`${machine.architecture} has no device for it: ask an agent in the guest`)
      return request.kind === 'gpe' && request.gpe > LAST_GPE
        ? wrong('gpe', `is at most ${LAST_GPE}: crosvm answers Ok to others and does nothing`)
        : undefined
    case 'suspend':
    case 'resume': {
      const found = cannotSleep(machine)
      return found.length === 0 ? undefined : unsupported(`${found.join(', ')} cannot sleep`)
    }
    case 'take-snapshot': {
      const found = cannotSnapshot(machine)
      if (found.length > 0) return unsupported(`no snapshot can hold ${found.join(', ')}`)
      return request.path.startsWith('/') ? undefined : wrong('path', 'must be absolute')
    }
    case 'adjust-balloon':
      if (request.bytes < 0n || request.bytes > memory) {
        return wrong(
          'bytes',
          `is the size of the balloon, not of the guest: at most its ${memory} bytes of memory`,
        )
      }
      return machine.balloon?.kind === 'absent' ? unsupported('this machine has no balloon') : undefined
    case 'balloon-stats':
      return machine.balloon?.kind === 'absent' ? unsupported('this machine has no balloon') : undefined
    case 'balloon-working-set':
    case 'configure-working-set':
      return machine.balloon?.kind === 'present' && machine.balloon.workingSetReporting
        ? undefined
        : unsupported('describe a balloon with workingSetReporting')
    case 'resize-disk': {
      const disk = machine.block?.[request.index]
      if (disk === undefined) return wrong('index', `names none of the ${machine.block?.length ?? 0} disks`)
      return disk.readOnly ? unsupported('the disk is read-only') : undefined
    }
    case 'attach-usb':
    case 'attach-security-key':
    case 'detach-usb':
    case 'list-usb':
      return machine.usb === false ? unsupported('this machine has no USB controller') : undefined
    case 'plug-vfio':
      if (!x86) return unsupported(`crosvm answers Ok on ${machine.architecture} and does nothing`)
      return request.path.startsWith('/sys/') ? undefined : wrong('path', 'must be a directory of /sys')
    case 'add-tap':
    case 'remove-tap':
      if (x86 && (machine.pciHotplugSlots ?? 0) > 0) return undefined
      return unsupported('describe pciHotplugSlots, on x86_64')
    case 'add-displays':
    case 'list-displays':
    case 'remove-displays':
      return machine.gpu === undefined ? unsupported('this machine has no gpu') : undefined
    case 'set-mouse-mode':
      return unsupported('on Linux crosvm answers that it is done and does nothing')
    case 'battery':
      return machine.battery === undefined ? unsupported('this machine has no battery') : undefined
    case 'mute-sound':
      return machine.sound === undefined ? unsupported('this machine has no sound') : undefined
    case 'swap-enable':
    case 'swap-trim':
    case 'swap-out':
    case 'swap-disable':
    case 'swap-status':
      return machine.swapDirectory === undefined ? unsupported('describe a swapDirectory') : undefined
    case 'make-rt':
      return machine.delayRt && machine.rtCpus
        ? undefined
        : unsupported('describe rtCpus and delayRt, or the vCPUs are as they will be')
    case 'register-listener':
    case 'unregister-listener':
    case 'unregister':
      return features.includes('registered_events')
        ? undefined
        : unsupported('without the feature registered_events crosvm answers Ok and does nothing')
    case 'throttle':
      return request.vcpu < (machine.cpus?.count ?? 1)
        ? undefined
        : wrong('vcpu', 'is no vCPU of this machine')
    case 'register-memory':
      return request.start % 4096n === 0n && request.end % 4096n === 0n && request.end > request.start
        ? undefined
        : wrong('start and end', 'must be multiples of the page size, and end the greater')
    default:
      return undefined
  }
}

/** What no field of the protocol can hold, wherever it is in a request: the name of the property. */
export function unsendable(request: object): string | undefined {
  for (const [name, value] of Object.entries(request)) {
    if (typeof value === 'number' && !(Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff))
      return name
    if (typeof value === 'bigint' && (value < 0n || value > 0xffff_ffff_ffff_ffffn)) return name
    if (typeof value === 'string' && (value.length > 4096 || /[\0\p{Cs}]/u.test(value))) return name
    if (Array.isArray(value) && value.length > 64) return name
    // Only plain data is looked into: a descriptor is somebody else's object.
    const plain = Array.isArray(value) || Object.getPrototypeOf(value ?? 0) === Object.prototype
    const inner = plain ? unsendable(value) : undefined
    if (inner !== undefined) return `${name}.${inner}`
  }
  return undefined
}
