import { err, type Result } from 'neverthrow'
import type { Access } from '../descriptor.js'
import { invalidArgument, type KvmError } from '../errors.js'
import { bytesOf } from '../structures/accessors.js'

/** asm/kvm.h: KVM_ARM_FEATURE_ID_RANGE_SIZE, op0 3, op1 of three, crn 0, crm and op2 of eight each. */
const FEATURE_ID_REGISTERS = 3 * 8 * 8
/** One tag for so many bytes. */
const MTE_GRANULE = 16

/** KVM_ARM_MTE_COPY_TAGS. */
export function armMteCopyTags(
  object: Access,
  guestAddress: bigint,
  tags: Uint8Array,
  direction: 'from-guest' | 'to-guest',
): Result<number, KvmError> {
  const layout = object.kernel.tables.structures['kvm_arm_copy_mte_tags']
  if (layout === undefined) return err(invalidArgument('tags', 'aarch64 only'))
  if (!(tags instanceof Uint8Array)) return err(invalidArgument('tags', 'give a Uint8Array'))
  const flags =
    direction === 'from-guest' ? Number(object.kernel.tables.constants['KVM_ARM_TAGS_FROM_GUEST']) : 0
  return object.kernel
    .make('guestAddress', 'kvm_arm_copy_mte_tags', {
      guest_ipa: guestAddress,
      length: tags.length * MTE_GRANULE,
      flags,
    })
    .andThen((value) =>
      object.bytes('KVM_ARM_MTE_COPY_TAGS', bytesOf(value), {}, layout.fields['addr']!.offset, tags),
    )
}

/** KVM_ARM_GET_REG_WRITABLE_MASKS. */
export function armGetRegWritableMasks(object: Access): Result<BigUint64Array, KvmError> {
  const layout = object.kernel.tables.structures['reg_mask_range']
  if (layout === undefined) return err(invalidArgument('request', 'aarch64 only'))
  const masks = new BigUint64Array(FEATURE_ID_REGISTERS)
  return object.kernel
    .make('range', 'reg_mask_range', {})
    .andThen((value) =>
      object.bytes(
        'KVM_ARM_GET_REG_WRITABLE_MASKS',
        bytesOf(value),
        {},
        layout.fields['addr']!.offset,
        new Uint8Array(masks.buffer),
      ),
    )
    .map(() => masks)
}
