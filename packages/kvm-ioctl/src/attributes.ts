import { err, ok, type Result } from 'neverthrow'
import { type Access, isObject, isWhole, isWord, shown } from './descriptor.js'
import { invalidArgument, type KvmError } from './errors.js'
import { bytesOf } from './structures/accessors.js'

/** KVM_ENABLE_CAP's arguments; what they mean api.rst says for each capability. */
export interface EnableCap {
  /** By its name in linux/kvm.h: `KVM_CAP_…`. */
  readonly cap: string
  /** 0 unless api.rst says otherwise for this capability. */
  readonly flags?: number
  /** At most 4 words of 64 bits, which mean what api.rst says for this capability. */
  readonly args?: readonly (number | bigint)[]
}

export function enableCap(object: Access, options: EnableCap): Result<number, KvmError> {
  if (!isObject(options)) return err(invalidArgument('options', 'name a capability'))
  const { cap, flags = 0, args = [] } = options
  const number = capabilityNumber(object, cap)
  if (number === undefined) return err(invalidArgument('cap', `there is no capability ${shown(cap)}`))
  return object.kernel.make('args', 'kvm_enable_cap', { cap: number, flags, args }).andThen((value) =>
    object.bytes('KVM_ENABLE_CAP', bytesOf(value), {
      EINVAL: `KVM does not know ${cap} here, or takes other arguments or flags`,
      EPERM: `${cap} cannot be switched on any more`,
    }),
  )
}

/** Which attribute of a device, a vCPU, a virtual machine or KVM itself: groups and numbers are in api.rst. */
export interface Attribute {
  /** Of the kernel's documentation of the device: `KVM_DEV_ARM_VGIC_GRP_ADDR` … */
  readonly group: number
  /** Within the group; 64 bits. */
  readonly attr: number | bigint
}

/** More than any attribute has: the kernel, not the caller, decides how much it reads or writes. */
const MOST_ATTRIBUTE_BYTES = 65_536

const ATTRIBUTE_MEANINGS = {
  ENXIO: 'there is no such attribute here, or this kernel or machine lacks it',
  EPERM: 'this attribute cannot be set any more, or not from outside',
}

function attribute(
  object: Access,
  request: string,
  which: Attribute,
  memory: Uint8Array,
): Result<void, KvmError> {
  if (!isObject(which)) return err(invalidArgument('which', 'give a group and an attribute'))
  const { group, attr } = which
  if (!isWhole(group, 0xffff_ffff)) return err(invalidArgument('group', 'use a number of 32 bits'))
  if (!isWord(attr)) return err(invalidArgument('attr', 'use a number of 64 bits'))
  const layout = object.kernel.tables.structures['kvm_device_attr']!
  return object.kernel
    .make('attribute', 'kvm_device_attr', { group, attr })
    .andThen((value) =>
      object.bytes(request, bytesOf(value), ATTRIBUTE_MEANINGS, layout.fields['addr']!.offset, memory),
    )
    .map(() => undefined)
}

/** KVM_HAS_DEVICE_ATTR. */
export function hasAttribute(object: Access, which: Attribute): Result<boolean, KvmError> {
  return attribute(object, 'KVM_HAS_DEVICE_ATTR', which, new Uint8Array())
    .map(() => true)
    .orElse((problem) => (problem.kind === 'refused' && problem.errno === 'ENXIO' ? ok(false) : err(problem)))
}

/** KVM_GET_DEVICE_ATTR: its first `bytes` bytes. */
export function getAttribute(object: Access, which: Attribute, bytes: number): Result<Uint8Array, KvmError> {
  if (!isWhole(bytes, MOST_ATTRIBUTE_BYTES)) {
    return err(invalidArgument('bytes', `an attribute has at most ${MOST_ATTRIBUTE_BYTES} bytes`))
  }
  const memory = new Uint8Array(MOST_ATTRIBUTE_BYTES)
  return attribute(object, 'KVM_GET_DEVICE_ATTR', which, memory).map(() => memory.slice(0, bytes))
}

/** KVM_SET_DEVICE_ATTR. */
export function setAttribute(object: Access, which: Attribute, value: Uint8Array): Result<void, KvmError> {
  if (!(value instanceof Uint8Array) || value.length > MOST_ATTRIBUTE_BYTES) {
    return err(invalidArgument('value', `give a Uint8Array of at most ${MOST_ATTRIBUTE_BYTES} bytes`))
  }
  const memory = new Uint8Array(MOST_ATTRIBUTE_BYTES)
  memory.set(value)
  return attribute(object, 'KVM_SET_DEVICE_ATTR', which, memory)
}

/** undefined for what is no name of a capability. */
export const capabilityNumber = (object: Access, name: unknown): number | undefined =>
  typeof name === 'string' && Object.hasOwn(object.kernel.tables.capabilities, name)
    ? object.kernel.tables.capabilities[name]
    : undefined
