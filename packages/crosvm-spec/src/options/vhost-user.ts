import { type PciAddress, pciAddress } from '../grammar/network.js'
import { optional, record, required } from '../grammar/record.js'
import { bounded64, choice, integer, u64 } from '../grammar/scalar.js'
import type { Shape } from '../grammar/shape.js'
import { path, text } from '../grammar/text.js'

const types = [
  'net',
  'block',
  'console',
  'rng',
  'balloon',
  'scsi',
  '9p',
  'gpu',
  'input',
  'vsock',
  'iommu',
  'sound',
  'fs',
  'pmem',
  'mac80211-hwsim',
  'video-encoder',
  'video-decoder',
  'scmi',
  'wl',
  'tpm',
  'pvclock',
  'media',
] as const

/** Kinds of devices that another process may serve. */
export type VhostUserType = (typeof types)[number]

/** A device that another process implements: `--vhost-user`. That process must already listen. */
export interface VhostUserDevice {
  readonly type: VhostUserType
  /** A Unix stream socket; it serves one machine. */
  readonly socket: string
  /** Default 32768; crosvm takes the power of two below. */
  readonly maxQueueSize?: number | undefined
  readonly pciAddress?: PciAddress | undefined
}

export const vhostUserDevice: Shape<VhostUserDevice> = record<VhostUserDevice>({
  type: required('type', choice(types)),
  socket: required('socket', path('socket')),
  maxQueueSize: optional('max-queue-size', integer(1, 0xffff)),
  pciAddress: optional('pci-address', pciAddress),
})

/** A host device handed to the guest: `--vfio`. */
export interface VfioDevice {
  /** Its directory in sysfs. */
  readonly path: string
  /** Default `off`. */
  readonly iommu?: 'off' | 'viommu' | 'coiommu' | 'pkvm-iommu' | undefined
  readonly guestAddress?: PciAddress | undefined
  readonly dtSymbol?: string | undefined
}

export const vfioDevice: Shape<VfioDevice> = record<VfioDevice>({
  path: required('path', path('path')),
  iommu: optional('iommu', choice(['off', 'viommu', 'coiommu', 'pkvm-iommu'])),
  guestAddress: optional('guest-address', pciAddress),
  dtSymbol: optional('dt-symbol', text({ name: 'dtSymbol' })),
})

/** When pages that a passed-through device had pinned are let go. */
export interface CoIommu {
  readonly unpinPolicy?: 'off' | 'lru' | undefined
  readonly unpinIntervalSeconds?: bigint | undefined
  readonly unpinLimit?: bigint | undefined
  readonly unpinGenerationThreshold?: bigint | undefined
}

export const coIommu: Shape<CoIommu> = record<CoIommu>({
  unpinPolicy: optional('unpin_policy', choice(['off', 'lru'])),
  unpinIntervalSeconds: optional('unpin_interval', u64),
  unpinLimit: optional('unpin_limit', bounded64(1n)),
  unpinGenerationThreshold: optional('unpin_gen_threshold', u64),
})
