import type { CrosvmMachine } from '../machine.js'
import { complain, type Rule } from './rule.js'

/**
 * What implements neither sleep nor snapshots, in words that name the device: `suspend` is refused with it. Empty
 * where nothing does. Source: the defaults of crosvm's virtio_device.rs. See {@link cannotSnapshot}.
 */
export function cannotSleep(machine: CrosvmMachine): readonly string[] {
  const found: string[] = []
  if (machine.usb !== false) found.push('the USB controller (say usb: false)')
  for (const share of machine.sharedDirectories ?? []) found.push(`the ${share.type} share '${share.tag}'`)
  if (machine.scsi?.length) found.push('the scsi controller')
  if (machine.vfio?.some((device) => device.iommu !== undefined && device.iommu !== 'off'))
    found.push('the iommu')
  if (machine.vtpmProxy) found.push('the tpm')
  if (machine.videoDecoders?.length || machine.videoEncoders?.length) found.push('the video devices')
  if (machine.mediaDecoders?.length || machine.v4l2Proxies?.length || machine.simpleMediaDevice) {
    found.push('the media devices')
  }
  if (machine.vhostScmi) found.push('vhost-scmi')
  if (machine.net?.some((card) => card.vhostNet)) found.push('vhost-net')
  return found
}

/** What keeps a machine from being snapshot or restored: nothing when the list is empty. */
export function cannotSnapshot(machine: CrosvmMachine): readonly string[] {
  const found = [...cannotSleep(machine)]
  if (machine.waylandSockets?.length) found.push('virtio-wl')
  for (const device of machine.vhostUser ?? []) {
    if (device.type === 'fs' || device.type === 'wl') found.push(`the vhost-user ${device.type} device`)
  }
  return found
}

export const restoreWantsSnapshotDevices: Rule = (machine) => {
  if (machine.restore === undefined) return undefined
  const found = cannotSnapshot(machine)
  if (found.length === 0) return undefined
  return complain(
    'restore',
    `no snapshot can hold ${found.join(', ')}: leave it out of a machine to be restored`,
  )
}
