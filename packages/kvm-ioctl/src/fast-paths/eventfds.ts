import { err, type Result } from 'neverthrow'
import { type Access, type Descriptor, isObject, isWhole, isWord } from '../descriptor.js'
import { invalidArgument, type KvmError } from '../errors.js'

/** KVM_IRQFD: whoever adds to the eventfd raises the interrupt, without this program. */
export interface Irqfd {
  /** Of an eventfd; its owner may close it, which ends the connection. */
  readonly fd: Descriptor
  /** Which interrupt, by the machine's routing. */
  readonly gsi: number
  /** For level interrupts: an eventfd that is signalled when the guest has acknowledged it. */
  readonly resample?: Descriptor | undefined
}

/** KVM_IOEVENTFD: a write of the guest signals an eventfd and does not exit. */
export interface Ioeventfd {
  /** An open eventfd; its owner closes it. */
  readonly fd: Descriptor
  /** Guest-physical, or a port. */
  readonly address: number | bigint
  /** Of the write: 1, 2, 4 or 8 bytes; 0 for any. */
  readonly length: 0 | 1 | 2 | 4 | 8
  /** Only writes of this value. */
  readonly datamatch?: bigint | undefined
  /** The address is a port. */
  readonly pio?: boolean | undefined
}

const isDescriptor = (fd: Descriptor | undefined): fd is Descriptor => isWhole(fd?.number, 2 ** 31 - 1)

export function irqfd(object: Access, options: Irqfd, deassign: boolean): Result<void, KvmError> {
  if (!isObject(options)) return err(invalidArgument('options', 'give an eventfd and an interrupt'))
  const { fd, gsi, resample } = options
  const flag = (name: string) => Number(object.kernel.tables.constants[name])
  if (!isDescriptor(fd)) return err(invalidArgument('fd', 'give an open eventfd'))
  if (resample !== undefined && !isDescriptor(resample)) {
    return err(invalidArgument('resample', 'give an open eventfd'))
  }
  const flags =
    (deassign ? flag('KVM_IRQFD_FLAG_DEASSIGN') : 0) |
    (resample && !deassign ? flag('KVM_IRQFD_FLAG_RESAMPLE') : 0)
  return object.kernel
    .make('gsi', 'kvm_irqfd', { fd: fd.number, gsi, flags, resamplefd: resample?.number ?? 0 })
    .andThen((value) =>
      object.structure('KVM_IRQFD', value, {
        EBADF: 'that is no open eventfd',
        EBUSY: 'this eventfd raises that interrupt already',
        EINVAL: 'there is no interrupt controller in the kernel, or that is no eventfd',
      }),
    )
    .map(() => undefined)
}

export function ioeventfd(object: Access, options: Ioeventfd, deassign: boolean): Result<void, KvmError> {
  if (!isObject(options)) return err(invalidArgument('options', 'give an eventfd and an address'))
  const { fd, address, length, datamatch, pio = false } = options
  const flag = (name: string) => Number(object.kernel.tables.constants[name])
  if (!isDescriptor(fd)) return err(invalidArgument('fd', 'give an open eventfd'))
  if (!isWord(address)) return err(invalidArgument('address', 'use a number of 0 to 2^64 - 1'))
  const flags =
    (deassign ? flag('KVM_IOEVENTFD_FLAG_DEASSIGN') : 0) |
    (pio ? flag('KVM_IOEVENTFD_FLAG_PIO') : 0) |
    (datamatch === undefined ? 0 : flag('KVM_IOEVENTFD_FLAG_DATAMATCH'))
  return object.kernel
    .make('ioeventfd', 'kvm_ioeventfd', {
      fd: fd.number,
      addr: address,
      len: length,
      flags,
      datamatch: datamatch ?? 0n,
    })
    .andThen((value) =>
      object.structure('KVM_IOEVENTFD', value, {
        EBADF: 'that is no open eventfd',
        EEXIST: 'something answers at that address already',
        EINVAL: 'use a length of 0, 1, 2, 4 or 8, and datamatch only with a length',
        ENOENT: 'there is no such connection',
        ENOSPC: 'KVM has no room for more of them',
      }),
    )
    .map(() => undefined)
}
