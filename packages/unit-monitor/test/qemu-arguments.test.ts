import {
  bareQemuArguments,
  type MachineDescription,
  QEMU_LIMITS,
  qemuArguments,
  qemuAttachPlan,
} from '@spectrum/unit-monitor'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { qemuKernelParameters } from '../src/qemu/arguments.js'

const MIB = 1024 * 1024
const SOCKETS = { console: '/run/m/console.sock', control: '/run/m/control.sock', qmp: '/run/m/qmp.sock' }
const MACHINE: MachineDescription = {
  name: 'left',
  kernel: '/boot/vmlinuz',
  initramfs: '/boot/initramfs',
  kernelParameters: ['quiet2'],
  memoryBytes: 256 * MIB,
  vcpuCount: 1,
  pmem: [],
  hotplugSlots: 0,
  directory: '/run/m',
}

const print = (changes: Partial<MachineDescription> = {}) =>
  qemuArguments({ ...MACHINE, ...changes }, { accelerator: 'emulation', sockets: SOCKETS })

const valuesOf = (argv: readonly string[], option: string) =>
  argv.flatMap((argument, index) => (argument === option ? [argv[index + 1] ?? ''] : []))

/** QEMU's own rule for option lists: a comma ends a value, two commas are one. */
function parseOptions(text: string): Map<string, string> {
  const parts: string[] = []
  let part = ''
  for (let at = 0; at <= text.length; at++) {
    if (at < text.length && text[at] !== ',') part += text[at]
    else if (text[at] === ',' && text[at + 1] === ',') {
      part += ','
      at++
    } else {
      parts.push(part)
      part = ''
    }
  }
  return new Map(parts.map((each) => [each.split('=', 1)[0] ?? '', each.slice(each.indexOf('=') + 1)]))
}

const anyPath = fc
  .string({ unit: fc.constantFrom('a', ',', '=', ' ', '"', "'", '\\', 'é', '-', '.'), maxLength: 60 })
  .map((name) => `/${name}`)
const device = (index: number, path = `/blobs/${index}`) => ({ id: `b${index}`, path, sizeBytes: 2 * MIB })

describe('the arguments for QEMU', () => {
  it('have a locked disk with its serial number for each volume, behind the read-only ones', () => {
    const volume = (serial: string, path: string, readOnly = false) => ({
      serial,
      path,
      readOnly,
      sizeBytes: 16 * MIB,
    })
    const volumes = [volume('data', '/v/a,b'), volume('old', '/v/old', true)]
    const argv = print({ block: [device(0)], volumes })._unsafeUnwrap()
    const [, data, old] = valuesOf(argv, '-blockdev').map(parseOptions)
    expect(Object.fromEntries(data!)).toEqual({
      driver: 'file',
      'node-name': 'volume0',
      filename: '/v/a,b',
      locking: 'on',
      'read-only': 'off',
      discard: 'unmap',
    })
    expect([old!.get('read-only'), old!.get('auto-read-only')]).toEqual(['on', 'off'])
    const disks = valuesOf(argv, '-device').filter((value) => value.startsWith('virtio-blk-pci'))
    expect(disks.map((value) => parseOptions(value).get('serial'))).toEqual([undefined, 'data', 'old'])
    expect(new Set(disks.map((value) => parseOptions(value).get('addr'))).size).toBe(3)
  })

  it.each([
    ['', 'serial'],
    ['x'.repeat(21), 'serial'],
    ['a,b', 'serial'],
  ])('refuse a volume with the serial number "%s"', (serial, field) => {
    const volumes = [{ serial, path: '/v', sizeBytes: MIB, readOnly: false }]
    expect(print({ volumes })._unsafeUnwrapErr()).toMatchObject({ field: `volumes[0].${field}` })
  })

  it('refuse two volumes with one serial number', () => {
    const volumes = ['/v', '/w'].map((path) => ({ serial: 'a', path, sizeBytes: MIB, readOnly: false }))
    expect(print({ volumes })._unsafeUnwrapErr()).toMatchObject({ field: 'volumes[1].serial' })
  })

  it('start from nothing and give the machine only what it was described with', () => {
    const argv = print()._unsafeUnwrap()
    expect(argv).toContain('-nodefaults')
    expect(argv).toContain('-no-user-config')
    expect(argv).toContain('-no-reboot')
    expect(valuesOf(argv, '-sandbox')[0]).toMatch(/^on,.*spawn=deny/)
    const drivers = valuesOf(argv, '-device').map((value) => value.split(',')[0])
    expect(drivers).toEqual(['virtio-serial-pci', 'virtserialport', 'virtio-rng-pci'])
    expect(argv.join(' ')).not.toMatch(/netdev|-net |-drive|-blockdev|-vnc|server=on/)
  })

  it('represent every path that passes the check so that QEMU reads the same one', () => {
    fc.assert(
      fc.property(anyPath, anyPath, (blob, socket) => {
        const sockets = { ...SOCKETS, control: socket }
        const machine = { ...MACHINE, pmem: [device(0, blob)], kernel: blob }
        const argv = qemuArguments(machine, { accelerator: 'kvm', sockets })._unsafeUnwrap()
        const memory = valuesOf(argv, '-object').map(parseOptions)
        expect(memory.find((each) => each.has('mem-path'))?.get('mem-path')).toBe(blob)
        const control = valuesOf(argv, '-chardev').map(parseOptions)
        expect(control.find((each) => each.get('id') === 'control')?.get('path')).toBe(socket)
        expect(valuesOf(argv, '-kernel')).toEqual([blob])
      }),
    )
  })

  it('map every pmem file shared and read-only, and count slots and address space', () => {
    const pmem = [device(0), { ...device(1), sizeBytes: 6 * MIB }]
    const argv = print({ pmem, hotplugSlots: 3 })._unsafeUnwrap()
    for (const value of valuesOf(argv, '-object').filter((each) => each.includes('mem-path'))) {
      const memory = parseOptions(value)
      expect([memory.get('share'), memory.get('readonly')]).toEqual(['on', 'on'])
    }
    const memory = parseOptions(valuesOf(argv, '-m')[0] ?? '')
    expect(memory.get('slots')).toBe('5')
    expect(memory.get('maxmem')).toBe(`${256 + 8 + 64 * 1024}M`)
    expect(argv.filter((value) => value.startsWith('pcie-pci-bridge'))).toHaveLength(1)
  })

  it('give every device an address of its own, up to the last function of the last slot', () => {
    const count = QEMU_LIMITS.maxPmemDevices
    const all = Array.from({ length: count - 1 }, (_, index) => device(index))
    const argv = print({ pmem: all, hotplugSlots: 1 })._unsafeUnwrap()
    const addresses = valuesOf(argv, '-device').flatMap((value) => parseOptions(value).get('addr') ?? [])
    expect(new Set(addresses).size).toBe(count + 2)
    expect(addresses.at(-1)).toBe('0x1e.0x7')
    const most = print({ hotplugSlots: count })._unsafeUnwrap()
    const bridges = valuesOf(most, '-device').filter((value) => value.startsWith('pcie-pci-bridge'))
    const { places } = qemuAttachPlan({ ...MACHINE, hotplugSlots: count })._unsafeUnwrap()
    expect(bridges.map((value) => parseOptions(value).get('id'))).toEqual([
      ...new Set(places.map((place) => place.bus)),
    ])
    expect(new Set(places.map(({ bus, addr }) => `${bus} ${addr}`)).size).toBe(count)
    expect([places[0]?.addr, places[30]?.addr, places[31]?.bus]).toEqual(['0x1', '0x1f', 'hotplug1'])
    expect(print({ hotplugSlots: count + 1 })._unsafeUnwrapErr().field).toBe('hotplugSlots')
    expect(print({ pmem: [device(0)], hotplugSlots: count })._unsafeUnwrapErr().field).toBe('pmem')
  })

  it('put the parameters of the caller last, where they win', () => {
    const [append] = valuesOf(print({ kernelParameters: ['loglevel=7', 'a=b'] })._unsafeUnwrap(), '-append')
    expect(append).toMatch(/^quiet loglevel=4 .*console=ttyS0.* loglevel=7 a=b$/)
    const longest = print({ kernelParameters: ['x'.repeat(1800)] })._unsafeUnwrap()
    expect(valuesOf(longest, '-append')[0]?.length).toBeLessThan(2048)
    expect(print({ kernelParameters: ['x'.repeat(1801)] })._unsafeUnwrapErr().field).toBe('kernelParameters')
  })

  it('leave out nothing but the supervision for a bare machine', () => {
    const launch = { accelerator: 'kvm', sockets: SOCKETS } as const
    const bare = bareQemuArguments(MACHINE, launch)._unsafeUnwrap()
    const full = qemuArguments(MACHINE, launch)._unsafeUnwrap()
    expect(full.slice(0, bare.length)).toEqual(bare)
    expect(full.slice(bare.length).join(' ')).toContain('mode=control')
  })

  it.each([
    ['name', { name: '' }, { name: 'a' }],
    ['name', { name: `a${'b'.repeat(32)}` }, { name: `a${'b'.repeat(31)}` }],
    ['memoryBytes', { memoryBytes: 31 * MIB }, { memoryBytes: 32 * MIB }],
    ['memoryBytes', { memoryBytes: Number.NaN }, { memoryBytes: 512 * 1024 * MIB }],
    ['vcpuCount', { vcpuCount: 65 }, { vcpuCount: 64 }],
    ['kernelParameters[0]', { kernelParameters: [''] }, { kernelParameters: ["a='b'"] }],
    ['kernelParameters[0]', { kernelParameters: ['a"b'] }, { kernelParameters: [] }],
    ['pmem[0].id', { pmem: [{ ...device(0), id: '' }] }, { pmem: [{ ...device(0), id: 'x'.repeat(128) }] }],
    ['pmem[0].id', { pmem: [{ ...device(0), id: 'x'.repeat(129) }] }, {}],
    ['pmem[0].sizeBytes', { pmem: [{ ...device(0), sizeBytes: 0 }] }, {}],
    ['pmem[0].sizeBytes', { pmem: [{ ...device(0), sizeBytes: 2 * MIB + 1 }] }, {}],
    ['directory', { directory: `/${'d'.repeat(94)}` }, { directory: `/${'d'.repeat(93)}` }],
    ['kernel', { kernel: '/\u009b' }, { kernel: `/${'k'.repeat(4094)}` }],
  ])('refuse a wrong %s and take its nearest right one', (field, wrong, right) => {
    expect(print(wrong)._unsafeUnwrapErr()).toMatchObject({ kind: 'invalid-description', field })
    expect(print(right).isOk()).toBe(true)
  })

  it.each([
    ['q35', 'kvm', 'host', 'console=ttyS0', []],
    ['q35', 'emulation', 'max,la57=off', 'console=ttyS0', ['sata=off']],
    ['virt', 'kvm', 'host', 'console=ttyAMA0', ['gic-version=host']],
    ['virt', 'emulation', 'cortex-a72', 'console=ttyAMA0', ['gic-version=3']],
    ['pseries', 'kvm', 'host', 'console=hvc0', ['x-vof=on']],
    ['pseries', 'emulation', 'POWER9', 'console=hvc0', ['x-vof=on', 'cap-cfpc=broken']],
  ] as const)(
    'name the machine, the processor and the console of %s with %s',
    (board, accelerator, cpu, console, own) => {
      const argv = qemuArguments(MACHINE, { accelerator, board, sockets: SOCKETS })._unsafeUnwrap()
      expect(valuesOf(argv, '-cpu')).toEqual([cpu])
      const machine = valuesOf(argv, '-machine')[0]!.split(',')
      expect(machine[0]).toBe(board)
      expect(machine).toEqual(expect.arrayContaining(['dump-guest-core=off', 'mem-merge=off', ...own]))
      expect(valuesOf(argv, '-append')[0]).toContain(` ${console} panic=-1 quiet2`)
    },
  )

  it('let no x86 kernel try its timer, which fails on a host that is too busy to run it meanwhile', () => {
    expect(qemuKernelParameters('q35')).toContain('no_timer_check')
    expect(qemuKernelParameters('virt')).not.toContain('no_timer_check')
  })

  it('refuse a pseries whose memory is no multiple of 256 MiB, and later devices on it, with the field', () => {
    const refused = (changes: Partial<MachineDescription>) => {
      const launch = { accelerator: 'emulation', board: 'pseries', sockets: SOCKETS } as const
      return qemuArguments({ ...MACHINE, ...changes }, launch).match(
        () => undefined,
        ({ field }) => field,
      )
    }
    const sizes = [255, 256, 257, 512].map((mib) => refused({ memoryBytes: mib * MIB }))
    expect(sizes).toEqual(['memoryBytes', undefined, 'memoryBytes', undefined])
    expect(refused({ hotplugSlots: 1 })).toBe('hotplugSlots')
    expect(refused({ pmem: [device(0)] })).toBe('pmem')
  })
})
