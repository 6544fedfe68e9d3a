import { err, type Result } from 'neverthrow'
import type { Access } from '../descriptor.js'
import { invalidArgument, type KvmError } from '../errors.js'
import { GuestMemory } from '../memory/guest-memory.js'
import { bytesOf } from '../structures/accessors.js'

/** A command of SEV: its number, the descriptor of /dev/sev, and its structure, which is changed in place. */
export interface EncryptionCommand {
  /** `KVM_SEV_…`. */
  readonly id: number
  /** Number of an open descriptor of /dev/sev; its owner closes it. */
  readonly sevFd: number
  /** The command's structure, changed in place. */
  readonly data: Uint8Array
}

/** KVM_MEMORY_ENCRYPT_OP. */
export function memoryEncryptOp(object: Access, command: EncryptionCommand): Result<number, KvmError> {
  const layout = object.kernel.tables.structures['kvm_sev_cmd']
  if (layout === undefined) return err(invalidArgument('command', 'x86 only'))
  const { id, sevFd, data } = command ?? {}
  if (!(data instanceof Uint8Array)) return err(invalidArgument('data', 'give a Uint8Array'))
  // A command may be longer than the caller knows: what the kernel reads and writes has room.
  const memory = new Uint8Array(Math.max(data.length, object.kernel.calls.pageSize))
  memory.set(data)
  return object.kernel
    .make('command', 'kvm_sev_cmd', { id, sev_fd: sevFd })
    .andThen((value) =>
      object.bytes(
        'KVM_MEMORY_ENCRYPT_OP',
        bytesOf(value),
        { ENOTTY: 'this machine has no encrypted memory' },
        layout.fields['data']!.offset,
        memory,
      ),
    )
    .map((result) => {
      data.set(memory.subarray(0, data.length))
      return result
    })
}

/** KVM_MEMORY_ENCRYPT_REG_REGION and its counterpart. */
export function encryptedRegion(
  object: Access,
  request: string,
  memory: GuestMemory,
): Result<void, KvmError> {
  if (!(memory instanceof GuestMemory)) return err(invalidArgument('memory', 'give a GuestMemory'))
  return memory.bytes.andThen((bytes) =>
    object.kernel
      .make('memory', 'kvm_enc_region', { size: bytes.length })
      .andThen((value) => object.bytes(request, bytesOf(value), {}, 0, bytes))
      .map(() => undefined),
  )
}
