import { err, type Result } from 'neverthrow'
import { type Access, isWhole, type Kernel } from '../descriptor.js'
import { KvmFile } from '../device.js'
import { invalidArgument, type KvmError } from '../errors.js'
import { bytesOf } from '../structures/accessors.js'

/** Memory that only a guest can reach, unless it was made to be mapped. */
export class GuestMemfd extends KvmFile {
  /** Bytes. */
  readonly length: number

  constructor(kernel: Kernel, handle: number, length: number) {
    super(kernel, handle)
    this.length = length
  }
}

/** KVM_CREATE_GUEST_MEMFD. */
export function createGuestMemfd(
  vm: Access,
  length: number,
  flags: number | bigint,
): Result<GuestMemfd, KvmError> {
  if (!isWhole(length) || length === 0 || length % vm.kernel.calls.pageSize !== 0)
    return err(invalidArgument('length', `use a multiple of ${vm.kernel.calls.pageSize}`))
  return vm.kernel
    .make('flags', 'kvm_create_guest_memfd', { size: length, flags })
    .andThen((value) =>
      vm.bytes('KVM_CREATE_GUEST_MEMFD', bytesOf(value), {
        EINVAL: 'this machine takes no such flags',
      }),
    )
    .andThen((fd) => vm.answer('KVM_CREATE_GUEST_MEMFD', vm.kernel.calls.adopt(fd, vm.handle)))
    .map((handle) => new GuestMemfd(vm.kernel, handle, length))
}
