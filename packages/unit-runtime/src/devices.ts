import type { Attachment, Blob, DeviceFile } from '@spectrum/store-share'
import type { BlockDevice, PmemDevice } from '@spectrum/unit-monitor'

/** The devices of an attachment, metadata image first. Paths of equal content share one blob, hence one device. */
export function distinctDevices({ metadata, blobs }: Attachment): readonly (DeviceFile | Blob)[] {
  const { id, file, sizeBytes } = metadata
  const all: readonly (DeviceFile | Blob)[] = [{ id, file, sizeBytes }, ...blobs]
  return [...new Map(all.map((device) => [device.id, device])).values()]
}

/** A device as a monitor knows it, of either transport. */
export function machineDevice({ id, file, sizeBytes }: DeviceFile): PmemDevice & BlockDevice {
  return { id, path: file, sizeBytes }
}

/** The blobs among a machine's devices; what is left are metadata images. */
export function heldBlobs(devices: ReadonlyMap<string, DeviceFile | Blob>): readonly Blob[] {
  return [...devices.values()].filter((device): device is Blob => 'storePaths' in device)
}
