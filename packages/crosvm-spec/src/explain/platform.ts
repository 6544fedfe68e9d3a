import type { CrosvmMachine } from '../machine.js'
import type { Inventory } from './inventory.js'

export function describeDefaults(machine: CrosvmMachine, inventory: Inventory): void {
  const unprotected = machine.protection === undefined
  if (machine.rng !== false && unprotected) {
    inventory.add('rng', 'rng', 'nothing: it fills buffers', {
      policy: 'rng_device',
      queues: 1,
      paths: ['/dev/urandom'],
      byDefault: true,
    })
  }
  if (machine.usb !== false && unprotected) {
    const paths = ['/dev/bus/usb']
    inventory.add('xhci', 'usb', 'USB rings and descriptors', {
      policy: 'xhci_device',
      paths,
      byDefault: true,
    })
  }
  const { balloon } = machine
  if (balloon?.kind !== 'absent') {
    inventory.add('balloon', 'balloon', 'page frame numbers to give back', {
      policy: 'balloon_device',
      sockets: [balloon?.control],
      queues: 3 + (balloon?.pageReporting ? 1 : 0) + (balloon?.workingSetReporting ? 2 : 0),
      byDefault: balloon === undefined,
    })
  }
  inventory.add('pvpanic', '', 'single port writes', { byDefault: true })
  inventory.add('PCI root and ports', '', 'configuration space accesses', { byDefault: true })
  if (machine.architecture === 'x86_64' && machine.i8042 !== false) {
    inventory.add('i8042', 'i8042', 'single port writes', { byDefault: true })
  }
  if (machine.architecture === 'x86_64' && machine.rtc !== false) {
    inventory.add('cmos', 'rtc', 'single port writes', { byDefault: true })
  }
}

export function describePlatform(machine: CrosvmMachine, inventory: Inventory): void {
  machine.vfio?.forEach((device, index) => {
    inventory.add(
      `vfio ${index}`,
      'vfio',
      'configuration and interrupts; the hardware itself reads and writes guest memory',
      {
        policy: device.path.includes('/platform/') ? 'vfio_platform_device' : 'vfio_device',
        keeps: ['the device'],
        paths: [device.path, '/dev/vfio'],
      },
    )
  })
  if (machine.vfio?.some((device) => device.iommu === 'viommu')) {
    inventory.add('iommu', 'vfio', 'mappings of guest memory', { policy: 'iommu_device', queues: 2 })
  }
  if (machine.vfio?.some((device) => device.iommu === 'coiommu')) {
    inventory.add('coiommu', 'vfio', 'pinned pages', { policy: 'coiommu_device' })
  }
  const simple: readonly (readonly [boolean, string, string, string, string])[] = [
    [machine.battery !== undefined, 'battery', 'battery', 'register accesses', 'battery'],
    [machine.pvclock === true, 'pvclock', 'pvclock', 'clock requests', 'pvclock_device'],
    [machine.vtpmProxy === true, 'tpm', 'vtpmProxy', 'TPM commands', 'vtpm_proxy_device'],
    [
      machine.vhostScmi === true,
      'scmi',
      'vhostScmi',
      "SCMI messages, in the host's kernel",
      'vhost_scmi_device',
    ],
    [
      machine.pciHotplugSlots !== undefined,
      'jail warden',
      'pciHotplugSlots',
      "nothing of the guest's: it jails devices added later",
      'jail_warden',
    ],
    [machine.swapDirectory !== undefined, 'swap monitor', 'swapDirectory', 'page faults', 'swap_monitor'],
  ]
  for (const [present, device, property, parses, policy] of simple) {
    if (present) inventory.add(device, property, parses, { policy })
  }
  if (machine.fwCfgDevice || machine.fwCfg?.length) {
    const x86 = machine.architecture === 'x86_64' ? { policy: 'fw_cfg_device' } : {}
    const paths = (machine.fwCfg ?? []).map((file) => file.path)
    inventory.add('fw_cfg', 'fwCfg', 'selector and offset writes', { ...x86, paths })
  }
  machine.stubPciDevices?.forEach((stub) => {
    inventory.add(`stub ${stub.address}`, 'stubPciDevices', 'configuration space accesses', {})
  })
  const media = [...(machine.v4l2Proxies ?? [])]
  if (media.length > 0 || machine.simpleMediaDevice || machine.mediaDecoders?.length) {
    inventory.add('media', 'v4l2Proxies', 'V4L2 ioctls', { paths: media, queues: 2 })
  }
}
