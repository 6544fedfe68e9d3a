import { err, type Result } from 'neverthrow'
import { type Access, isObject, isWhole } from '../descriptor.js'
import { invalidArgument, type KvmError } from '../errors.js'
import { bitmapBytes } from '../memory/dirty-log.js'
import { bytesOf } from '../structures/accessors.js'

/** One of the kernel's MSR filter ranges: a set bit lets the guest through, a clear one denies. */
export interface MsrFilterRange {
  /** Index of the first MSR. */
  readonly base: number
  /** How many MSRs it covers. */
  readonly count: number
  /** Whether it decides about reads. */
  readonly read?: boolean
  /** Whether it decides about writes. */
  readonly write?: boolean
  /** One bit per MSR, the lowest first. */
  readonly bitmap: Uint8Array
}

const MOST_FILTER_RANGES = 16
/** KVM_MSR_FILTER_MAX_BITMAP_SIZE. */
const MOST_FILTER_BYTES = 0x600

/** KVM_X86_SET_MSR_FILTER. */
export function setMsrFilter(
  object: Access,
  ranges: readonly MsrFilterRange[],
  denyOthers: boolean,
): Result<void, KvmError> {
  if (!Array.isArray(ranges) || ranges.length > MOST_FILTER_RANGES)
    return err(invalidArgument('ranges', `give at most ${MOST_FILTER_RANGES}`))
  const { constants, structures } = object.kernel.tables
  const layout = structures['kvm_msr_filter']
  const range = structures['kvm_msr_filter_range']
  const list = layout?.fields['ranges']
  if (range === undefined || list === undefined) return err(invalidArgument('ranges', 'x86 only'))
  const places: (number | Uint8Array)[] = []
  const fields = []
  for (const [index, wanted] of ranges.entries()) {
    if (!isObject(wanted)) return err(invalidArgument('ranges', 'give a list of ranges'))
    const { base, count, read = true, write = true, bitmap } = wanted as MsrFilterRange
    if (!isWhole(count, MOST_FILTER_BYTES * 8) || !(bitmap instanceof Uint8Array))
      return err(invalidArgument('bitmap', `use at most ${MOST_FILTER_BYTES * 8} MSRs and a Uint8Array`))
    const flags =
      (read ? Number(constants['KVM_MSR_FILTER_READ']) : 0) |
      (write ? Number(constants['KVM_MSR_FILTER_WRITE']) : 0)
    fields.push({ flags, nmsrs: count, base })
    // The kernel reads whole words of bits, whatever the caller's array has.
    const bits = new Uint8Array(bitmapBytes(count))
    bits.set(bitmap.subarray(0, bits.length))
    places.push(list.offset + index * range.size + range.fields['bitmap']!.offset, bits)
  }
  const deny = denyOthers ? Number(constants['KVM_MSR_FILTER_DEFAULT_DENY']) : 0
  return object.kernel
    .make('ranges', 'kvm_msr_filter', { flags: deny, ranges: fields })
    .andThen((value) => object.bytes('KVM_X86_SET_MSR_FILTER', bytesOf(value), {}, ...places))
    .map(() => undefined)
}
