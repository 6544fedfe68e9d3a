import { leastPrivilege, parseArgv, printArgv } from '@spectrum/crosvm-spec'
import { crosvmMachineSpec, type MachineDescription } from '@spectrum/unit-monitor'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { controlPortArguments } from '../src/crosvm/spec.js'

const MIB = 1024 * 1024
const SOCKETS = {
  console: '/run/m/console.sock',
  control: '/run/m/control.sock',
  port: '/run/m/port.sock',
  vm: '/run/m/vm.sock',
}
const MACHINE: MachineDescription = {
  name: 'left',
  kernel: '/boot/vmlinuz',
  initramfs: '/boot/initramfs',
  kernelParameters: ['of-the-caller'],
  memoryBytes: 256 * MIB,
  vcpuCount: 2,
  pmem: [{ id: 'b', path: '/blobs/b', sizeBytes: 2 * MIB }],
  hotplugSlots: 0,
  directory: '/run/m',
}

describe('the machine that crosvm is told', () => {
  it('has nothing that a unit does not need, and keeps crosvm’s sandbox', () => {
    const spec = crosvmMachineSpec(MACHINE, { sockets: SOCKETS })._unsafeUnwrap()
    // What is left to drop: the keyboard controller, by which a kernel reboots.
    expect(leastPrivilege(spec).map(({ property }) => property)).toEqual(['i8042'])
    const argv = printArgv(spec)
    expect(argv[0]).toBe('--extended-status')
    expect(argv).toEqual(expect.arrayContaining(['--no-usb', '--no-rng', '--no-balloon', '--no-rtc']))
    expect(argv.join(' ')).not.toMatch(/disable-sandbox|--net|--block|--gpu|--vsock|stdin|stdout/)
  })

  it('maps every pmem device read-only, whatever its path holds', () => {
    const path = fc
      .string({ unit: fc.constantFrom('a', ',', '=', ' ', '"', '[', ']', 'é', '-', '.'), maxLength: 60 })
      .map((name) => `/${name}x`)
    fc.assert(
      fc.property(fc.uniqueArray(path, { minLength: 1, maxLength: 4 }), (paths) => {
        const pmem = paths.map((each, index) => ({ id: `b${index}`, path: each, sizeBytes: 2 * MIB }))
        const spec = crosvmMachineSpec({ ...MACHINE, pmem }, { sockets: SOCKETS })._unsafeUnwrap()
        const read = parseArgv(printArgv(spec), { architecture: 'x86_64' })._unsafeUnwrap()
        expect(read.pmem).toEqual(paths.map((each) => ({ path: each, readOnly: true })))
      }),
    )
  })

  it('has a view by vhost-user where it is described with one, and disks that cannot be written', () => {
    const view = { tag: 'store', socket: '/run/v/view.sock' }
    const block = [{ id: 'd', path: '/blobs/d', sizeBytes: 512 }]
    const spec = crosvmMachineSpec({ ...MACHINE, view, block }, { sockets: SOCKETS })._unsafeUnwrap()
    expect(spec.vhostUser?.map(({ type, socket }) => `${type} ${socket}`)).toEqual([
      'console /run/m/port.sock',
      'fs /run/v/view.sock',
    ])
    expect(spec.block).toEqual([{ path: '/blobs/d', readOnly: true }])
    expect(printArgv(spec).join(' ')).not.toContain('disable-sandbox')
  })

  it('has volumes that it may write as such, in crosvm’s sandbox and with its lock', () => {
    const volumes = [{ serial: 'data', path: '/volumes/data.ext4', sizeBytes: 512, readOnly: false }]
    const spec = crosvmMachineSpec({ ...MACHINE, volumes }, { sockets: SOCKETS })._unsafeUnwrap()
    expect(spec.block).toEqual([{ path: '/volumes/data.ext4', readOnly: false, id: 'data' }])
    const argv = printArgv(spec)
    expect(argv).toContain('--block=path=/volumes/data.ext4,ro=false,id=data')
    expect(argv.join(' ')).not.toMatch(/disable-sandbox|lock=false/)
    expect(parseArgv(argv, { architecture: 'x86_64' })._unsafeUnwrap().block).toEqual(spec.block)
    expect(leastPrivilege(spec).map(({ property }) => property)).toContain('block.0.readOnly')
  })

  it('has a GPU that draws nothing where it is described with a display, for contexts that end at its socket', () => {
    const display = { socket: '/run/d/w' }
    const spec = crosvmMachineSpec({ ...MACHINE, display }, { sockets: SOCKETS })._unsafeUnwrap()
    const argv = printArgv(spec)
    expect(argv).toContain('--gpu=backend=2d,max-num-displays=1,context-types=cross-domain')
    expect(argv).toContain('--wayland-sock=/run/d/w')
    expect(argv.join(' ')).not.toContain('disable-sandbox')
    const split = { ...MACHINE, display: { socket: '/run/d,e/w' } }
    expect(crosvmMachineSpec(split, { sockets: SOCKETS })._unsafeUnwrapErr().kind).toBe('invalid-description')
  })

  it('lets the caller’s kernel parameters win over the driver’s', () => {
    const spec = crosvmMachineSpec(MACHINE, { sockets: SOCKETS })._unsafeUnwrap()
    expect(spec.params?.at(-1)).toBe('of-the-caller')
  })

  it('hides hardware virtualisation from the guest where the binary can be told', () => {
    const help = { options: new Set(['nested']) }
    expect(crosvmMachineSpec(MACHINE, { sockets: SOCKETS }, help)._unsafeUnwrap().nested).toBe('off')
    expect(crosvmMachineSpec(MACHINE, { sockets: SOCKETS })._unsafeUnwrap().nested).toBeUndefined()
  })

  it('takes little of the guest’s memory for its control port', () => {
    const [port] = crosvmMachineSpec(MACHINE, { sockets: SOCKETS })._unsafeUnwrap().vhostUser ?? []
    expect(port?.maxQueueSize).toBeLessThanOrEqual(256)
  })

  it('has a control port with a name, on the socket where the host listens', () => {
    const argv = controlPortArguments({ ...SOCKETS, control: '/run/m,with=commas/control.sock' })
    expect(argv.slice(-4)).toEqual([
      'device',
      'console',
      '--socket-path=/run/m/port.sock',
      expect.stringMatching(/^--port=type=unix-stream,/),
    ])
    expect(argv.at(-1)).toContain("path='/run/m,with=commas/control.sock'")
    expect(argv.at(-1)).toMatch(/hardware=virtio-console.*name=control/)
  })
})
