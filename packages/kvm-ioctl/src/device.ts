import { err, type Result } from 'neverthrow'
import { type Attribute, getAttribute, hasAttribute, setAttribute } from './attributes.js'
import { ACCESS, isWhole, KvmObject } from './descriptor.js'
import { invalidArgument, type KvmError } from './errors.js'
import { rawIoctl } from './methods/raw.js'

/** A descriptor that KVM handed out and that is read or written: statistics, a hash table, guest_memfd. */
export class KvmFile extends KvmObject {
  /** Reads at most `length` bytes at `position`, or where the descriptor stands. Fewer at the end. */
  read(length: number, position = -1): Result<Uint8Array, KvmError> {
    if (!isWhole(length, 2 ** 31 - 1)) return err(invalidArgument('length', 'use 0 to 2^31 - 1'))
    if (position !== -1 && !isWhole(position, 2 ** 31 - 1))
      return err(invalidArgument('position', 'use 0 to 2^31 - 1'))
    const bytes = new Uint8Array(length)
    const result = this[ACCESS].kernel.calls.read(this[ACCESS].handle, bytes, position)
    return this[ACCESS].answer('read', result).map((count) => bytes.subarray(0, count))
  }

  /** Writes; gives how many bytes were taken. */
  write(bytes: Uint8Array): Result<number, KvmError> {
    if (!(bytes instanceof Uint8Array)) return err(invalidArgument('bytes', 'give a Uint8Array'))
    return this[ACCESS].answer('write', this[ACCESS].kernel.calls.write(this[ACCESS].handle, bytes))
  }
}

/** A device in the kernel: an interrupt controller, VFIO, …. Everything about it is an attribute. */
export class Device extends KvmObject {
  /** KVM_HAS_DEVICE_ATTR. */
  hasDeviceAttr(which: Attribute): Result<boolean, KvmError> {
    return hasAttribute(this[ACCESS], which)
  }

  /** KVM_GET_DEVICE_ATTR: the first `bytes` bytes of its value. */
  getDeviceAttr(which: Attribute, bytes: number): Result<Uint8Array, KvmError> {
    return getAttribute(this[ACCESS], which, bytes)
  }

  /** KVM_SET_DEVICE_ATTR. */
  setDeviceAttr(which: Attribute, value: Uint8Array): Result<void, KvmError> {
    return setAttribute(this[ACCESS], which, value)
  }

  /** What the tables do not know; see `rawIoctl`. */
  ioctl(request: string, argument?: Uint8Array | number | bigint): Result<number, KvmError> {
    return rawIoctl(this[ACCESS], request, argument)
  }
}
