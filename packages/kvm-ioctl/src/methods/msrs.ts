import { err, ok, type Result } from 'neverthrow'
import { type Access, isWhole, isWord } from '../descriptor.js'
import { invalidArgument, type KvmError } from '../errors.js'
import { bytesOf } from '../structures/accessors.js'

/** The kernel takes at most so many at once (MAX_IO_MSRS). */
const MOST_AT_ONCE = 256

/** A model-specific register and its value (x86-64). */
export interface Msr {
  /** 32 bits, as the processor's manual numbers it: 0xc0000080 is EFER. */
  readonly index: number
  /** 64 bits. */
  readonly data: number | bigint
}

interface List {
  readonly entries: readonly { readonly data: bigint }[]
}

function request(
  object: Access,
  name: 'KVM_GET_MSRS' | 'KVM_SET_MSRS',
  msrs: readonly Msr[],
  verb: string,
): Result<List, KvmError> {
  if (!Array.isArray(msrs) || msrs.length > MOST_AT_ONCE) {
    return err(invalidArgument('msrs', `give a list of at most ${MOST_AT_ONCE}`))
  }
  for (const msr of msrs) {
    if (!isWhole(msr?.index, 0xffff_ffff))
      return err(invalidArgument('index', 'an MSR has a number of 32 bits'))
    if (!isWord(msr.data)) return err(invalidArgument('data', 'an MSR holds a number of 0 to 2^64 - 1'))
  }
  const entries = msrs.map(({ index, data }) => ({ index, data }))
  return object.kernel
    .make('msrs', 'kvm_msrs', { nmsrs: msrs.length, entries }, msrs.length)
    .andThen((list) =>
      object.bytes(name, bytesOf(list)).andThen((done) => {
        if (done >= msrs.length) return ok(list as unknown as List)
        const { index } = msrs[done]!
        const message = `MSR 0x${index.toString(16)} cannot be ${verb} here; ${done} before it were`
        return err<List, KvmError>({ kind: 'msr-refused', message, index, done })
      }),
    )
}

/** KVM_GET_MSRS: their values, in the order of the indices. */
export function getMsrs(object: Access, indices: readonly number[]): Result<readonly bigint[], KvmError> {
  if (!Array.isArray(indices)) return err(invalidArgument('indices', 'give a list of numbers'))
  const asked = indices.map((index) => ({ index, data: 0n }))
  return request(object, 'KVM_GET_MSRS', asked, 'read').map((list) => list.entries.map(({ data }) => data))
}

/** KVM_SET_MSRS. `msr-refused` names the first that was not taken. */
export function setMsrs(object: Access, msrs: readonly Msr[]): Result<void, KvmError> {
  return request(object, 'KVM_SET_MSRS', msrs, 'written').map(() => undefined)
}
