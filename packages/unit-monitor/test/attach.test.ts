import {
  type AttachRequest,
  cloudHypervisorAttachPlan,
  cloudHypervisorPlugBlock,
  cloudHypervisorPlugPmem,
  crosvmAttachPlan,
  firecrackerAttachPlan,
  manageablePmemBytes,
  qemuAttachPlan,
  qemuPlugBlock,
  qemuPlugPmem,
} from '@spectrum/unit-monitor'
import { describe, expect, it } from 'vitest'

const MIB = 1024 * 1024
const device = (name: string, sizeBytes = 2 * MIB) => ({ id: name, path: `/blobs/${name}`, sizeBytes })
const many = (count: number) => Array.from({ length: count }, (_, index) => device(`b${index}`))
const REQUEST: AttachRequest = {
  memoryBytes: 256 * MIB,
  pmem: [device('image'), device('glibc,2', 6 * MIB)],
  block: [device('disk')],
  view: { tag: 'store', socket: '/run/v/view.sock' },
  hotplugSlots: 2,
}
const fixed = { ...REQUEST, hotplugSlots: 0 }

/** The same store on disks. */
const asDisks = (request: AttachRequest): AttachRequest => ({ ...request, pmem: [], block: request.pmem })

describe('the plan to attach a store to', () => {
  it('QEMU’s q35 puts devices on the root bus and keeps room behind a bridge', () => {
    expect(qemuAttachPlan(REQUEST)._unsafeUnwrap()).toEqual({
      monitor: 'qemu',
      board: 'q35',
      memory: 'size=256M,slots=4,maxmem=65800M',
      machineOptions: ['memory-backend=ram'],
      arguments: [
        '-object',
        'memory-backend-memfd,id=ram,size=256M,share=on,seal=on,prealloc=off,merge=off,dump=off',
        '-chardev',
        'socket,id=view,path=/run/v/view.sock,server=off',
        '-device',
        'vhost-user-fs-pci,chardev=view,tag=store,queue-size=1024,bus=pcie.0,addr=0x1.0x2,multifunction=on',
        '-object',
        'memory-backend-file,id=mem0,mem-path=/blobs/image,size=2097152,share=on,readonly=on,prealloc=off,merge=off,dump=off',
        '-device',
        'virtio-pmem-pci,id=pmem0,memdev=mem0,bus=pcie.0,addr=0x2.0x0,multifunction=on',
        '-object',
        'memory-backend-file,id=mem1,mem-path=/blobs/glibc,,2,size=6291456,share=on,readonly=on,prealloc=off,merge=off,dump=off',
        '-device',
        'virtio-pmem-pci,id=pmem1,memdev=mem1,bus=pcie.0,addr=0x2.0x1,multifunction=on',
        '-blockdev',
        'driver=file,node-name=disk0,filename=/blobs/disk,read-only=on,auto-read-only=off',
        '-device',
        'virtio-blk-pci,id=block0,drive=disk0,bus=pcie.0,addr=0x2.0x2,multifunction=on',
        '-device',
        'pcie-pci-bridge,id=hotplug0,bus=pcie.0,addr=0x2.0x3,multifunction=on',
      ],
      places: [
        { bus: 'hotplug0', addr: '0x1' },
        { bus: 'hotplug0', addr: '0x2' },
      ],
      hotplugBytes: 64 * 1024 * MIB,
    })
  })

  it.each([
    ['virt', 'pcie.0'],
    ['pseries', 'pci.0'],
  ] as const)(
    'QEMU’s %s takes disks and a view, and neither persistent memory nor later devices',
    (board, root) => {
      const disks = { ...fixed, pmem: [] }
      const plan = qemuAttachPlan(disks, { board })._unsafeUnwrap()
      expect(plan.memory).toBe('size=256M')
      expect(plan.arguments.filter((each) => /^(virtio|vhost|pcie)-/.test(each))).toEqual([
        `vhost-user-fs-pci,chardev=view,tag=store,queue-size=1024,bus=${root},addr=0x1.0x2,multifunction=on`,
        `virtio-blk-pci,id=block0,drive=disk0,bus=${root},addr=0x2.0x0,multifunction=on`,
      ])
      expect(plan.places).toEqual([])
      expect(qemuAttachPlan(fixed, { board })._unsafeUnwrapErr()).toMatchObject({
        kind: 'unsupported',
        capability: 'pmem',
      })
      expect(qemuAttachPlan({ ...disks, hotplugSlots: 1 }, { board })._unsafeUnwrapErr()).toMatchObject({
        kind: 'unsupported',
        capability: 'hot-plug',
      })
    },
  )

  it('QEMU’s pc keeps whole slots of its root bus free', () => {
    const plan = qemuAttachPlan({ ...REQUEST, view: undefined }, { board: 'pc' })._unsafeUnwrap()
    expect(plan.arguments.filter((each) => each.startsWith('virtio-'))).toEqual([
      'virtio-pmem-pci,id=pmem0,memdev=mem0,bus=pci.0,addr=0x3.0x0,multifunction=on',
      'virtio-pmem-pci,id=pmem1,memdev=mem1,bus=pci.0,addr=0x3.0x1,multifunction=on',
      'virtio-blk-pci,id=block0,drive=disk0,bus=pci.0,addr=0x3.0x2,multifunction=on',
    ])
    expect(plan.machineOptions).toEqual([])
    expect(plan.places).toEqual([
      { bus: 'pci.0', addr: '0x1f' },
      { bus: 'pci.0', addr: '0x1e' },
    ])
  })

  it('a running QEMU says what to do, and how to undo the first half of it', () => {
    const place = { bus: 'hotplug0', addr: '0x3' }
    expect(qemuPlugPmem(device('gdb'), place, '7')).toEqual({
      prepare: {
        execute: 'object-add',
        arguments: {
          'qom-type': 'memory-backend-file',
          id: 'hotmem7',
          'mem-path': '/blobs/gdb',
          size: 2 * MIB,
          share: true,
          readonly: true,
          prealloc: false,
          merge: false,
          dump: false,
        },
      },
      plug: {
        execute: 'device_add',
        arguments: {
          driver: 'virtio-pmem-pci',
          id: 'hotpmem7',
          memdev: 'hotmem7',
          bus: 'hotplug0',
          addr: '0x3',
        },
      },
      undo: { execute: 'object-del', arguments: { id: 'hotmem7' } },
    })
    const disk = qemuPlugBlock(device('gdb'), place, '8')
    expect(disk.prepare.arguments).toMatchObject({ 'read-only': true, 'auto-read-only': false })
    expect(disk.plug.arguments).toMatchObject({ drive: disk.undo.arguments['node-name'], ...place })
  })

  it('crosvm maps files read-only, and gives later software a way in by the view', () => {
    expect(crosvmAttachPlan(fixed)._unsafeUnwrap().arguments).toEqual([
      '--block=path=/blobs/disk,ro=true',
      '--pmem=path=/blobs/image,ro=true',
      "--pmem=path='/blobs/glibc,2',ro=true",
      '--vhost-user=type=fs,socket=/run/v/view.sock,max-queue-size=1024',
    ])
  })

  it('crosvm writes volumes, which the guest finds by their serial numbers, behind the disks of the store', () => {
    const volumes = [
      { serial: 'data', path: '/v/a,b', sizeBytes: MIB, readOnly: false },
      { serial: 'old', path: '/v/old', sizeBytes: MIB, readOnly: true },
    ]
    expect(
      crosvmAttachPlan({ ...fixed, pmem: [], view: undefined, volumes })._unsafeUnwrap().arguments,
    ).toEqual([
      '--block=path=/blobs/disk,ro=true',
      "--block=path='/v/a,b',ro=false,id=data",
      '--block=path=/v/old,ro=true,id=old',
    ])
  })

  it('cloud-hypervisor throws writes away, and spreads devices over segments', () => {
    const plan = cloudHypervisorAttachPlan({ ...REQUEST, hotplugSlots: 22 })._unsafeUnwrap()
    expect(plan).toEqual({
      monitor: 'cloud-hypervisor',
      segments: 2,
      arguments: [
        ...['--platform', 'num_pci_segments=2'],
        ...['--memory', `size=${256 * MIB},shared=on`],
        ...[
          '--pmem',
          'file=/blobs/image,discard_writes=on,pci_segment=0',
          'file="/blobs/glibc,2",discard_writes=on,pci_segment=0',
        ],
        ...['--disk', 'path=/blobs/disk,readonly=on,pci_segment=0'],
        ...['--fs', 'tag=store,socket=/run/v/view.sock,num_queues=1,queue_size=1024'],
      ],
      slots: [...Array<number>(21).fill(0), 1],
    })
    expect(cloudHypervisorPlugPmem(device('gdb'), 1, 'store-1')).toEqual({
      method: 'PUT',
      path: '/api/v1/vm.add-pmem',
      body: { id: 'store-1', file: '/blobs/gdb', discard_writes: true, pci_segment: 1 },
    })
    expect(cloudHypervisorPlugBlock(device('gdb'), 0, 'd')).toMatchObject({
      path: '/api/v1/vm.add-disk',
      body: { readonly: true },
    })
  })

  it('Firecracker is asked before the machine starts', () => {
    const plan = firecrackerAttachPlan({ ...fixed, view: undefined })._unsafeUnwrap()
    expect(plan.requests).toEqual([
      {
        method: 'PUT',
        path: '/pmem/store0',
        body: { id: 'store0', path_on_host: '/blobs/image', root_device: false, read_only: true },
      },
      {
        method: 'PUT',
        path: '/pmem/store1',
        body: { id: 'store1', path_on_host: '/blobs/glibc,2', root_device: false, read_only: true },
      },
      {
        method: 'PUT',
        path: '/drives/disk0',
        body: { drive_id: 'disk0', path_on_host: '/blobs/disk', is_root_device: false, is_read_only: true },
      },
    ])
  })
})

describe('a plan is refused, before anything is touched,', () => {
  const bare = { ...fixed, view: undefined, block: [], pmem: [] }
  const fits = {
    q35: 232,
    pc: 232,
    'virt (disks)': 240,
    'pseries (disks)': 240,
    crosvm: 232,
    'cloud-hypervisor': 2304,
    firecracker: 28,
    'firecracker-lines': 16,
  }
  const plans = {
    q35: (request: AttachRequest) => qemuAttachPlan(request),
    pc: (request: AttachRequest) => qemuAttachPlan(request, { board: 'pc' }),
    'virt (disks)': (request: AttachRequest) => qemuAttachPlan(asDisks(request), { board: 'virt' }),
    'pseries (disks)': (request: AttachRequest) => qemuAttachPlan(asDisks(request), { board: 'pseries' }),
    crosvm: crosvmAttachPlan,
    'cloud-hypervisor': cloudHypervisorAttachPlan,
    firecracker: (request: AttachRequest) => firecrackerAttachPlan(request),
    'firecracker-lines': (request: AttachRequest) => firecrackerAttachPlan(request, { pci: false }),
  } as const

  it.each(Object.entries(fits))('by %s when more devices than its %i places are asked for', (name, most) => {
    const plan = plans[name as keyof typeof plans]
    const memoryBytes = 1024 * MIB
    expect(plan({ ...bare, memoryBytes, pmem: many(most) }).isOk()).toBe(true)
    expect(plan({ ...bare, memoryBytes, pmem: many(most + 1) })._unsafeUnwrapErr()).toMatchObject({
      kind: 'no-room',
      what: 'ports',
      needed: most + 1,
      available: most,
    })
  })

  it('by q35 and cloud-hypervisor when reserved slots leave no place, by pc when no whole slot is left', () => {
    expect(plans.q35({ ...bare, pmem: many(200), hotplugSlots: 32 }).isOk()).toBe(true)
    expect(plans.q35({ ...bare, pmem: many(200), hotplugSlots: 33 }).isErr()).toBe(true)
    expect(plans.pc({ ...bare, pmem: many(9), hotplugSlots: 27 }).isOk()).toBe(true)
    expect(plans.pc({ ...bare, pmem: many(9), hotplugSlots: 28 })._unsafeUnwrapErr()).toMatchObject({
      what: 'ports',
      needed: 30,
      available: 29,
    })
    expect(plans['cloud-hypervisor']({ ...bare, hotplugSlots: 2305 }).isErr()).toBe(true)
  })

  const withPmem = Object.keys(fits).filter((name) => !name.endsWith('(disks)'))
  it.each(withPmem)('by %s when the guest could not manage so much persistent memory', (name) => {
    const plan = plans[name as keyof typeof plans]
    const most = manageablePmemBytes(bare.memoryBytes)
    expect(most).toBe(8 * 1024 * MIB)
    expect(plan({ ...bare, pmem: [device('a', most)] }).isOk()).toBe(true)
    expect(plan({ ...bare, pmem: [device('a', most + 2 * MIB)] })._unsafeUnwrapErr()).toMatchObject({
      kind: 'no-room',
      what: 'guest-memory',
    })
    // Disks cost no such memory.
    expect(plan({ ...bare, block: [device('a', most + 2 * MIB)] }).isOk()).toBe(true)
  })

  it('by monitors that add nothing to a running machine', () => {
    for (const name of ['crosvm', 'firecracker'] as const)
      expect(plans[name]({ ...bare, hotplugSlots: 1 })._unsafeUnwrapErr()).toMatchObject({
        kind: 'unsupported',
        capability: 'hotplug',
      })
    expect(plans.firecracker({ ...bare, view: REQUEST.view })._unsafeUnwrapErr()).toMatchObject({
      kind: 'unsupported',
      capability: 'view',
    })
  })

  it('by monitors whose plans have no disks to write, which say whose have', () => {
    const volumes = [{ serial: 'data', path: '/v', sizeBytes: MIB, readOnly: false }]
    for (const name of ['cloud-hypervisor', 'firecracker'] as const)
      expect(plans[name]({ ...bare, volumes })._unsafeUnwrapErr()).toMatchObject({
        kind: 'unsupported',
        capability: 'volumes',
        message: expect.stringContaining('use crosvm or QEMU'),
      })
  })

  it('by crosvm when volumes and the store together are more than its places', () => {
    const volumes = Array.from({ length: 2 }, (_, index) => ({
      ...{ serial: `v${index}`, path: `/v/${index}`, sizeBytes: MIB, readOnly: false },
    }))
    const memoryBytes = 1024 * MIB
    expect(plans.crosvm({ ...bare, memoryBytes, pmem: many(230), volumes }).isOk()).toBe(true)
    expect(plans.crosvm({ ...bare, memoryBytes, pmem: many(231), volumes })._unsafeUnwrapErr()).toMatchObject(
      {
        kind: 'no-room',
        needed: 233,
      },
    )
  })

  it.each(['/a"b', '/a[b', '/a]b', '/a '])('by cloud-hypervisor when it cannot be told %s', (path) => {
    const pmem = [{ ...device('a'), path }]
    expect(cloudHypervisorAttachPlan({ ...bare, pmem })._unsafeUnwrapErr()).toMatchObject({
      kind: 'unrepresentable',
      value: path,
    })
  })
})
