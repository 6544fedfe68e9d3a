import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type CrosvmMachine, crosvmSpec, explain, leastPrivilege, printExplanation } from '../src/index.js'

const make = (rest: Partial<CrosvmMachine> = {}) =>
  crosvmSpec({ architecture: 'x86_64', boot: { kind: 'kernel', path: '/k' }, ...rest })._unsafeUnwrap()
const names = (rest?: Partial<CrosvmMachine>) => explain(make(rest)).devices.map((device) => device.device)

describe('the explanation of a machine', () => {
  test('shows what is there although nobody asked for it', () => {
    const unasked = explain(make()).devices.filter((device) => device.byDefault)
    expect(unasked.map((device) => device.device)).toEqual([
      'serial 1',
      'serial 2',
      'serial 3',
      'serial 4',
      'rng',
      'xhci',
      'balloon',
      'pvpanic',
      'PCI root and ports',
      'i8042',
      'cmos',
    ])
  })

  test('loses what the machine drops', () => {
    const bare = names({ usb: false, rng: false, i8042: false, rtc: false, balloon: { kind: 'absent' } })
    expect(bare).toEqual(['serial 1', 'serial 2', 'serial 3', 'serial 4', 'pvpanic', 'PCI root and ports'])
  })

  test('names the process, the jail and the host paths of each device', () => {
    const { devices, processes, privileges, hostPaths, hostSockets } = explain(
      make({
        socket: '/run/c',
        pmem: [{ path: '/blob', readOnly: true }],
        sharedDirectories: [{ type: 'fs', path: '/srv', tag: 't' }],
        vhostUser: [{ type: 'fs', socket: '/run/v' }],
      }),
    )
    const find = (name: string) => devices.find((device) => device.device === name)
    expect(find('pmem 0')).toMatchObject({
      process: 'own',
      jail: { seccompPolicy: 'pmem_device', root: '/var/empty' },
    })
    expect(find("fs 't'")).toMatchObject({
      jail: { seccompPolicy: 'fs_device', root: '/srv', userNamespace: true },
    })
    expect(find('vhost-user fs 0')).toMatchObject({ process: 'main', jail: undefined, sockets: ['/run/v'] })
    expect(processes).toBe(1 + devices.filter((device) => device.process === 'own').length)
    expect(privileges).toHaveLength(2)
    expect(hostPaths).toEqual(expect.arrayContaining(['/k', '/dev/kvm', '/blob', '/srv']))
    expect(hostSockets).toEqual(['/run/c', '/run/v'])
  })

  test('says that without the sandbox virtio-fs needs more privilege, not less', () => {
    const sharedDirectories = [{ type: 'fs', path: '/srv', tag: 't' }] as const
    const { devices, privileges } = explain(make({ sandbox: { kind: 'disabled' }, sharedDirectories }))
    expect(privileges.join()).toContain('CAP_SYS_ADMIN')
    expect(devices.filter((device) => device.process === 'own').map((device) => device.device)).toEqual([
      "fs 't'",
    ])
  })

  test('prints as a table, with nothing in it that a terminal obeys', () => {
    const table = printExplanation(explain(make({ block: [{ path: '/\u001b[31m\u202e' }] })))
    expect(table).toContain('block_device')
    expect(table).toContain('\\x1b')
    expect(table.replaceAll('\n', '')).toMatch(/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u)
  })

  // The policies lie beside the sources that the recorded binary was built from.
  const policies = process.env['CROSVM_SOURCE'] ?? ''
  if (policies === '') {
    console.warn('skipped "names only seccomp policies that crosvm has": no crosvm sources in CROSVM_SOURCE')
  }
  test.skipIf(policies === '')(
    'names only seccomp policies that crosvm has (skipped where CROSVM_SOURCE names no sources)',
    () => {
      const full = make({
        block: [{ path: '/b' }],
        scsi: [{ path: '/s' }],
        pmemExt2: [{ path: '/e' }],
        net: [
          { backend: { kind: 'tap-name', tapName: 't' }, vhostNet: {} },
          { backend: { kind: 'tap-name', tapName: 'u' } },
        ],
        vsock: { cid: 3 },
        sound: [{}],
        waylandSockets: [{ path: '/w' }],
        gpu: {},
        input: [{ kind: 'keyboard', path: '/i' }],
        vfio: [{ path: '/sys/x', iommu: 'viommu' }],
        battery: 'goldfish',
        pvclock: true,
        vtpmProxy: true,
        swapDirectory: '/swap',
        pciHotplugSlots: 1,
        fwCfgDevice: true,
        pflash: { path: '/f' },
        sharedDirectories: [{ type: 'p9', path: '/p', tag: 'p' }],
      })
      for (const { jail } of explain(full).devices) {
        const file = `${policies}/jail/seccomp/x86_64/${jail?.seccompPolicy}.policy`
        expect(jail === undefined || existsSync(file) ? '' : file).toBe('')
      }
    },
  )
})

describe('the least privilege of a machine', () => {
  test('proposes to drop what came by default and to narrow what is wide', () => {
    const proposed = leastPrivilege(
      make({
        sandbox: { kind: 'disabled' },
        block: [{ path: '/d' }],
        net: [
          {
            backend: { kind: 'host-ip', hostIp: '10.0.0.1', netmask: '255.0.0.0', mac: '02:00:00:00:00:01' },
          },
        ],
      }),
    ).map((proposal) => proposal.property)
    expect(proposed).toEqual([
      'sandbox',
      'usb',
      'rng',
      'balloon',
      'i8042',
      'rtc',
      'serial',
      'block.0.readOnly',
      'net.0.backend',
    ])
  })

  test('proposes nothing where nothing is left to drop', () => {
    const tight = make({
      usb: false,
      rng: false,
      i8042: false,
      rtc: false,
      balloon: { kind: 'absent' },
      serial: [{ type: 'sink', hardware: 'virtio-console', console: true }],
      pmem: [{ path: '/blob', readOnly: true }],
    })
    expect(leastPrivilege(tight)).toEqual([])
  })
})
