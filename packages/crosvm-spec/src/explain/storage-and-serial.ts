import type { CrosvmMachine } from '../machine.js'
import type { Inventory } from './inventory.js'

export function describeStorage(machine: CrosvmMachine, inventory: Inventory): void {
  machine.block?.forEach((disk, index) => {
    const queues = disk.multipleWorkers ? 16 : 1
    const parses = `virtio-blk requests against ${disk.readOnly ? 'a read-only' : 'a writable'} file`
    inventory.add(`block ${index}`, 'block', parses, { policy: 'block_device', paths: [disk.path], queues })
  })
  if (machine.scsi?.length) {
    const paths = machine.scsi.map((disk) => disk.path)
    inventory.add('scsi', 'scsi', 'SCSI commands', { policy: 'scsi_device', paths, queues: 3 })
  }
  machine.pmem?.forEach((device, index) => {
    const parses = device.readOnly
      ? 'flush requests; the memory itself is mapped read-only'
      : 'flush and discard requests; the guest writes the mapped file directly'
    inventory.add(`pmem ${index}`, 'pmem', parses, { policy: 'pmem_device', paths: [device.path], queues: 1 })
  })
  machine.pmemExt2?.forEach((device, index) => {
    const name = `pmem-ext2 ${index}`
    inventory.add(name, 'pmemExt2', 'flush requests; the memory is read-only', {
      alwaysForks: true,
      policy: 'pmem_device',
      queues: 1,
    })
    inventory.add(`${name} builder`, 'pmemExt2', "nothing of the guest's; it ends before the guest starts", {
      policy: 'virtual_ext2',
      alwaysForks: true,
      root: device.path,
      keeps: ['capabilities within its user namespace', 'one descriptor for each file'],
      paths: [device.path],
    })
  })
  if (machine.pflash) {
    inventory.add('pflash', 'pflash', 'flash commands', {
      policy: 'block_device',
      paths: [machine.pflash.path],
    })
  }
  if (machine.pstore) {
    inventory.add('pstore', 'pstore', 'nothing: a shared memory region', { paths: [machine.pstore.path] })
  }
  machine.fileBackedMappings?.forEach((mapping, index) => {
    const parses = mapping.writable
      ? 'nothing: the guest writes the file directly'
      : 'nothing: read-only memory'
    inventory.add(`mapping ${index}`, 'fileBackedMappings', parses, { paths: [mapping.path] })
  })
}

export function describeShares(machine: CrosvmMachine, inventory: Inventory): void {
  machine.sharedDirectories?.forEach((share) => {
    const fs = share.type === 'fs'
    const dax = share.type === 'fs' && share.dax ? ', and mappings of file pages' : ''
    inventory.add(
      `${share.type} '${share.tag}'`,
      'sharedDirectories',
      `${fs ? 'FUSE' : '9P'} requests that read and write the directory${dax}`,
      {
        policy: fs ? 'fs_device' : '9p_device',
        alwaysForks: fs,
        root: share.path,
        keeps: [
          'capabilities within its user namespace',
          'host mounts made later below the directory appear in it',
        ],
        paths: [share.path],
        queues: fs ? 2 : 1,
      },
    )
  })
}

export function describeSerial(machine: CrosvmMachine, inventory: Inventory): void {
  const ports = machine.serial ?? []
  ports.forEach((port) => {
    const { hardware = 'serial', num = 1 } = port
    const isSocket = port.type === 'unix' || port.type === 'unix-stream'
    const virtio = hardware === 'virtio-console'
    inventory.add(`${hardware} ${num}`, 'serial', virtio ? 'virtio-console queues' : 'single port writes', {
      policy: 'serial_device',
      keeps: [
        ...(port.type === 'stdout' ? ['standard output'] : []),
        ...(port.stdin ? ['standard input'] : []),
        ...(port.type === 'syslog' ? ['the log'] : []),
      ],
      paths: [...(isSocket ? [] : [port.path]), port.input],
      sockets: isSocket ? [port.path] : [],
      queues: virtio ? 2 : 0,
    })
  })
  const uarts = new Set(
    ports.filter((port) => (port.hardware ?? 'serial') === 'serial').map((port) => port.num ?? 1),
  )
  const noConsole =
    !ports.some((port) => port.console) && !machine.vhostUser?.some((device) => device.type === 'console')
  for (const num of [1, 2, 3, 4]) {
    if (uarts.has(num)) continue
    const terminal = num === 1 && noConsole
    inventory.add(`serial ${num}`, 'serial', 'single port writes', {
      policy: 'serial_device',
      keeps: terminal ? ['standard input', 'standard output'] : [],
      byDefault: true,
    })
  }
}
