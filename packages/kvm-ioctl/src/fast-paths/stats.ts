import { err, ok, type Result } from 'neverthrow'
import { ACCESS } from '../descriptor.js'
import { KvmFile } from '../device.js'
import type { KvmError } from '../errors.js'
import { overBytes } from '../structures/accessors.js'

/** What one statistic counts; Documentation/virt/kvm/api.rst, KVM_GET_STATS_FD. */
export interface StatDescription {
  /** The kernel's own. */
  readonly name: string
  /** `cumulative` only grows, `instant` is of now, `peak` the largest so far; histograms have several numbers. */
  readonly type: 'cumulative' | 'instant' | 'peak' | 'linear-histogram' | 'log-histogram' | 'unknown'
  /** Of the values, together with `base` and `exponent`. */
  readonly unit: 'none' | 'bytes' | 'seconds' | 'cycles' | 'boolean' | 'unknown'
  /** A value is `number * base ** exponent` of the unit. */
  readonly base: 10 | 2
  /** Negative for fractions: nanoseconds are `seconds` with base 10 and -9. */
  readonly exponent: number
  /** How many numbers it has: above 1 for a histogram. */
  readonly size: number
  /** How wide each bucket of a `linear-histogram` is, in the unit; of no meaning for others. */
  readonly bucketSize: number
}

const TYPES = ['cumulative', 'instant', 'peak', 'linear-histogram', 'log-histogram'] as const
const UNITS = ['none', 'bytes', 'seconds', 'cycles', 'boolean'] as const

/** More than KVM has ever had: a bound on what a broken kernel could make us read. */
const MOST_BYTES = 1 << 20

interface Header {
  readonly name_size: number
  readonly num_desc: number
  readonly desc_offset: number
  readonly data_offset: number
}
interface RawDescription {
  readonly flags: number
  readonly exponent: number
  readonly size: number
  readonly offset: number
  readonly bucket_size: number
}

/** The statistics of a machine or a vCPU, read from a descriptor without disturbing the guest. */
export class Statistics extends KvmFile {
  #found: readonly (StatDescription & { readonly at: number })[] | undefined

  /** What there is to read. The same for as long as it is open. */
  descriptions(): Result<readonly StatDescription[], KvmError> {
    return this.#describe()
  }

  /** All of them as they are now, by name. */
  values(): Result<ReadonlyMap<string, readonly bigint[]>, KvmError> {
    const described = this.#describe()
    if (described.isErr()) return err(described.error)
    const end = described.value.reduce((most, { at, size }) => Math.max(most, at + size * 8), 0)
    const start = described.value.reduce((least, { at }) => Math.min(least, at), end)
    return this.read(end - start, start).map((bytes) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      return new Map(
        described.value.map(({ name, at, size }) => [
          name,
          Array.from({ length: size }, (_, index) => view.getBigUint64(at - start + index * 8, true)),
        ]),
      )
    })
  }

  #describe(): Result<readonly (StatDescription & { readonly at: number })[], KvmError> {
    if (this.#found !== undefined && !this.closed) return ok(this.#found)
    const { structures } = this[ACCESS].kernel.tables
    const headerLayout = structures['kvm_stats_header']!
    const layout = structures['kvm_stats_desc']!
    const header = this.read(headerLayout.size, 0)
    if (header.isErr()) return err(header.error)
    const { name_size, num_desc, desc_offset, data_offset } = overBytes(
      headerLayout,
      header.value,
    ) as unknown as Header
    const stride = layout.size + name_size
    if (stride * num_desc > MOST_BYTES || header.value.length < headerLayout.size) return err(nonsense())
    const all = this.read(stride * num_desc, desc_offset)
    if (all.isErr()) return err(all.error)
    if (all.value.length < stride * num_desc) return err(nonsense())
    this.#found = Array.from({ length: num_desc }, (_, index) => {
      const bytes = all.value.subarray(index * stride, (index + 1) * stride)
      const { flags, exponent, size, offset, bucket_size } = overBytes(
        layout,
        bytes,
      ) as unknown as RawDescription
      const name = bytes.subarray(layout.size)
      const end = name.indexOf(0)
      return {
        name: new TextDecoder('latin1').decode(name.subarray(0, end < 0 ? name.length : end)),
        type: TYPES[flags & 0xf] ?? 'unknown',
        unit: UNITS[(flags >> 4) & 0xf] ?? 'unknown',
        base: ((flags >> 8) & 0xf) === 1 ? 2 : 10,
        exponent,
        size,
        bucketSize: bucket_size,
        at: data_offset + offset,
      }
    })
    const end = this.#found.reduce((most, { at, size }) => Math.max(most, at + size * 8), 0)
    if (end > MOST_BYTES) return err(nonsense())
    return ok(this.#found)
  }
}

function nonsense(): KvmError {
  return {
    kind: 'unsupported',
    message: 'this kernel describes its statistics in a way that is not understood',
    capability: 'KVM_CAP_BINARY_STATS_FD',
  }
}
