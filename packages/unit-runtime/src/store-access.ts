import type { MonitorCapabilities } from '@spectrum/unit-monitor'

/** How the store's devices reach units: as persistent memory that the guest maps, or as disks. */
export type StoreTransport = 'pmem' | 'block'

/** How software is added to a running unit: by new devices, by its view (virtio-fs), or not at all. */
export type InjectionWay = 'devices' | 'view' | 'none'

/** What a unit and its host share of the unit's store. */
export interface StoreAccess {
  /** Which devices the unit has. */
  readonly transport: StoreTransport
  /** Whether units that hold the same store path hold one copy of it in memory. */
  readonly shared: boolean
  /** In one sentence what is shared, and why. */
  readonly message: string
}

export const ACCESS: Readonly<Record<StoreTransport, StoreAccess>> = {
  pmem: {
    transport: 'pmem',
    shared: true,
    message: 'units map the same pages of host memory, and copy none of them',
  },
  block: {
    transport: 'block',
    shared: false,
    message:
      'nothing is shared: the guest has no persistent memory, or its kernel no DAX, so each unit reads its store ' +
      'like a disk into memory of its own',
  },
}

/** What a caller of `openHost` asks for: `true` takes whichever way the monitor has. */
export type InjectionWish = boolean | 'devices' | 'view' | undefined

/** Devices where the monitor can add them: what comes by them is shared, what comes by a view is copied. */
export function injectionWay(
  wish: InjectionWish,
  transport: StoreTransport,
  capabilities: Pick<MonitorCapabilities, 'pmemHotplug' | 'blockHotplug' | 'view'>,
): InjectionWay {
  const devices = transport === 'pmem' ? capabilities.pmemHotplug : capabilities.blockHotplug
  if (wish !== 'view' && devices) return 'devices'
  return (wish === true || wish === 'view') && capabilities.view ? 'view' : 'none'
}
