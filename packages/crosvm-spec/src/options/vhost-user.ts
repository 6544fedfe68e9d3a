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

/**
 * Kinds of devices that another process may serve, by crosvm's names: a sound card is `sound`.
 *
 * @useDeclaredType
 */
export type VhostUserType = (typeof types)[number]

/**
 * A device that another process implements, by the vhost-user protocol: `--vhost-user`. That process must already
 * listen, or `vhostUserConnectTimeoutMs` gives it time. It gets descriptors of the guest's RAM.
 */
export interface VhostUserDevice {
  /** What the guest sees. */
  readonly type: VhostUserType
  /** A Unix stream socket, absolute and below 108 bytes; it serves one machine. Or `/proc/self/fd/N`. */
  readonly socket: string
  /** The most descriptors of a queue, 1 to 65535. Default 32768; crosvm takes the power of two below. */
  readonly maxQueueSize?: number | undefined
  /** Default: the next that is free. */
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
  /**
   * Its directory in sysfs, an absolute path such as /sys/bus/pci/devices/0000:00:1f.3. The device is bound to
   * vfio already.
   */
  readonly path: string
  /**
   * Behind which IOMMU the guest sees it. Default `off`: none. With another one the machine cannot be suspended
   * or snapshot.
   */
  readonly iommu?: 'off' | 'viommu' | 'coiommu' | 'pkvm-iommu' | undefined
  /** Only PCI devices. Default: the address that it has on the host. */
  readonly guestAddress?: PciAddress | undefined
  /** The label of its node in a device-tree overlay. */
  readonly dtSymbol?: string | undefined
}

export const vfioDevice: Shape<VfioDevice> = record<VfioDevice>({
  path: required('path', path('path')),
  iommu: optional('iommu', choice(['off', 'viommu', 'coiommu', 'pkvm-iommu'])),
  guestAddress: optional('guest-address', pciAddress),
  dtSymbol: optional('dt-symbol', text({ name: 'dtSymbol' })),
})

/** When pages that a passed-through device had pinned are let go: `--coiommu`. */
export interface CoIommu {
  /** `lru` lets go of those that were not used for longest. Default `off`: none. */
  readonly unpinPolicy?: 'off' | 'lru' | undefined
  /** Seconds between two looks. Default 60. */
  readonly unpinIntervalSeconds?: bigint | undefined
  /** Pages let go of at one look, from 1. Default: any number. */
  readonly unpinLimit?: bigint | undefined
  /** Looks for which a page must be busy until it is looked at less often. Default 10. */
  readonly unpinGenerationThreshold?: bigint | undefined
}

export const coIommu: Shape<CoIommu> = record<CoIommu>({
  unpinPolicy: optional('unpin_policy', choice(['off', 'lru'])),
  unpinIntervalSeconds: optional('unpin_interval', u64),
  unpinLimit: optional('unpin_limit', bounded64(1n)),
  unpinGenerationThreshold: optional('unpin_gen_threshold', u64),
})
