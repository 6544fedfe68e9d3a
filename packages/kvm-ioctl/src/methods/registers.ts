import { err, ok, type Result } from 'neverthrow'
import { type Access, isWord } from '../descriptor.js'
import { invalidArgument, type KvmError } from '../errors.js'
import { bytesOf } from '../structures/accessors.js'

const SIZE_SHIFT = 52n
const SIZE_MASK = 0xfn
/** A register has at most so many bytes: KVM_REG_SIZE_U2048. */
const MOST_LOG = 8n

/** How many bytes a register has, by its id (KVM_REG_SIZE_…); undefined for what is no id. */
export function registerBytes(id: bigint): number | undefined {
  const log = (id >> SIZE_SHIFT) & SIZE_MASK
  return log > MOST_LOG ? undefined : 1 << Number(log)
}

const MEANINGS = {
  EINVAL: 'this vCPU has no such register, or it cannot hold that value',
  ENOENT: 'this vCPU has no such register',
  EPERM: 'not before the vCPU is initialised, or not any more after that',
  EBUSY: 'not while a vCPU has run',
}

function request(
  object: Access,
  name: 'KVM_GET_ONE_REG' | 'KVM_SET_ONE_REG',
  id: bigint,
  memory: Uint8Array,
): Result<void, KvmError> {
  const address = object.kernel.tables.structures['kvm_one_reg']!.fields['addr']!.offset
  return object.kernel
    .make('id', 'kvm_one_reg', { id })
    .andThen((value) => object.bytes(name, bytesOf(value), MEANINGS, address, memory))
    .map(() => undefined)
}

function sized(id: bigint): Result<Uint8Array, KvmError> {
  const bytes = isWord(id) && typeof id === 'bigint' ? registerBytes(id) : undefined
  if (bytes === undefined) return err(invalidArgument('id', 'use a KVM_REG_… id, a bigint'))
  return ok(new Uint8Array(bytes))
}

/** KVM_GET_ONE_REG: the value of a register of any width, little-endian as everything here. */
export function getOneReg(object: Access, id: bigint): Result<bigint, KvmError> {
  return sized(id).andThen((memory) =>
    request(object, 'KVM_GET_ONE_REG', id, memory).map(() =>
      memory.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n),
    ),
  )
}

/** KVM_SET_ONE_REG. */
export function setOneReg(object: Access, id: bigint, value: bigint): Result<void, KvmError> {
  return sized(id).andThen((memory) => {
    if (typeof value !== 'bigint' || value < 0n || value >= 1n << BigInt(memory.length * 8)) {
      return err(
        invalidArgument('value', `this register holds ${memory.length} bytes: use a bigint that fits`),
      )
    }
    let rest = value
    for (let index = 0; index < memory.length; index += 1) {
      memory[index] = Number(rest & 0xffn)
      rest >>= 8n
    }
    return request(object, 'KVM_SET_ONE_REG', id, memory)
  })
}
