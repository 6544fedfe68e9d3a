/** One test for each way in which people get a crosvm command line wrong by hand. */
import { describe, expect, test } from 'vitest'
import {
  type CrosvmMachine,
  cannotSnapshot,
  crosvmSpec,
  namedDescriptors,
  parseArgv,
  printArgv,
} from '../src/index.js'
import { prerequisites } from '../src/prerequisites.js'

const base = {
  architecture: 'x86_64',
  boot: { kind: 'kernel', path: '/boot/vmlinux' },
} as const satisfies CrosvmMachine

type Rest = Omit<Partial<CrosvmMachine>, 'boot'>
const spec = (rest: Rest) => crosvmSpec({ ...base, ...rest })
const argv = (rest: Rest) => printArgv(spec(rest)._unsafeUnwrap())
const refusal = (rest: Rest) =>
  spec(rest)
    ._unsafeUnwrapErr()
    .map((error) => error.message)
    .join('\n')
const parse = (...words: string[]) =>
  parseArgv(['--extended-status', 'run', ...words], { architecture: 'x86_64' })
const rejected = (...words: string[]) => parse(...words)._unsafeUnwrapErr()

describe('what is got wrong by hand', () => {
  test('1: the extended status is asked for, and before run', () => {
    expect(argv({ logging: { level: 'warn', syslog: false } }).slice(0, 4)).toEqual([
      '--extended-status',
      '--log-level=warn',
      '--no-syslog',
      'run',
    ])
    expect(rejected('--extended-status', '/k').kind).toBe('malformed')
  })

  test('2: each option is one word, so a value may start with a dash, hold = or be -h', () => {
    const params = ['-x=1', '-h', '--help', '']
    expect(argv({ params })).toEqual([
      '--extended-status',
      'run',
      '--params=-x=1',
      '--params=-h',
      '--params=--help',
      '--params=',
      '/boot/vmlinux',
    ])
    expect(parse('--params', '-x=1', '/k').isErr()).toBe(true)
    expect(parse('--params', '-h', '/k')._unsafeUnwrap().params).toEqual(['--help'])
    expect(parse('-p=-x=1', '/k')._unsafeUnwrap().params).toEqual(['-x=1'])
  })

  test('3: commas, brackets and quotes in paths are quoted, and never with quotes a borrowed string cannot have', () => {
    expect(argv({ block: [{ path: '/a,b[1].img' }] })).toContain("--block=path='/a,b[1].img'")
    expect(argv({ block: [{ path: `/it's, ok` }] })).toContain(`--block=path="/it's, ok"`)
    expect(rejected('--cpus=clusters=[["0-1"]]', '/k').message).toContain('double quotes')
  })

  test('4: the first key is always named', () => {
    expect(argv({ block: [{ path: '/ro' }, { path: '/a=b.img' }] })).toEqual(
      expect.arrayContaining(['--block=path=/ro', '--block=path=/a=b.img']),
    )
    expect(rejected('--block=a=b.img', '/k').message).toContain("unknown key 'a'")
  })

  test('5: a tap that looks like a number is quoted, vhost-net is a bare key, mrg-rxbuf is spelled so', () => {
    const net = [{ backend: { kind: 'tap-name', tapName: '42' }, vhostNet: {}, mrgRxbuf: true }] as const
    expect(argv({ net })).toContain("--net=tap-name='42',vhost-net,mrg-rxbuf=true")
    for (const value of ['tap-name=42', 'tap-name=a,vhost-net=true', 'tap-name=a,mrg_rxbuf', 'tap0']) {
      expect(rejected(`--net=${value}`, '/k').kind).toBe('malformed')
    }
    expect(refusal({ net: [{ ...net[0], packedQueue: true }] })).toContain('exclude each other')
  })

  test('6: shared directories have colons, the rest commas, and no bare keys between colons', () => {
    const share = { type: 'fs', path: '/srv', tag: 't', writeback: true } as const
    expect(argv({ sharedDirectories: [share] })).toContain('--shared-dir=/srv:t:type=fs:writeback=true')
    expect(rejected('--shared-dir=/srv:t:writeback', '/k').message).toContain('needs a value')
    expect(argv({ pmemExt2: [{ path: '/a,b', inodesPerGroup: 99 }] })).toContain(
      '--pmem-ext2=/a,b:inodes_per_group=99',
    )
  })

  test('7: a colon in a shared path and a comma in a Wayland path are refused', () => {
    expect(refusal({ sharedDirectories: [{ type: 'fs', path: '/a:b', tag: 't' }] })).toContain(
      'symbolic link',
    )
    expect(refusal({ pmemExt2: [{ path: '/a:b' }] })).toContain('symbolic link')
    expect(refusal({ waylandSockets: [{ path: '/a,b' }] })).toContain('symbolic link')
    const block = spec({ block: [{ path: '/a:b,c' }] })
    expect(block.isOk()).toBe(true)
  })

  test('8: the type of a share is always said', () => {
    expect(argv({ sharedDirectories: [{ type: 'p9', path: '/s', tag: 't' }] })).toContain(
      '--shared-dir=/s:t:type=p9',
    )
    expect(refusal({ sharedDirectories: [{ path: '/s', tag: 't' } as never] })).toContain('fs or p9')
  })

  test('9: keys are spelled as each option wants them', () => {
    const words = argv({
      sharedDirectories: [{ type: 'fs', path: '/s', tag: 't', negativeTimeoutSeconds: 1 }],
      sound: [{ outputDevices: 1 }],
      pflash: { path: '/p', blockSize: 512 },
      block: [{ path: '/b', blockSize: 512 }],
      vfio: [{ path: '/v', iommu: 'coiommu' }],
      coIommu: { unpinPolicy: 'lru' },
    })
    expect(words).toEqual(
      expect.arrayContaining([
        '--shared-dir=/s:t:type=fs:negative_timeout=1',
        '--virtio-snd=num_output_devices=1',
        '--pflash=path=/p,block_size=512',
        '--block=path=/b,block-size=512',
        '--coiommu=unpin_policy=lru',
      ]),
    )
    // crosvm passes over the misspelt key without a word, so that is the machine it makes.
    expect(parse('--pflash=path=/p,block-size=512', '/k')._unsafeUnwrap().pflash).toEqual({ path: '/p' })
  })

  test('10: dax is refused where crosvm turns it off, and where its windows may not fit', () => {
    const share = (tag: string) => ({ type: 'fs', path: '/s', tag, dax: true }) as const
    expect(refusal({ architecture: 'aarch64', sharedDirectories: [share('a')] })).toContain(
      'quietly turns dax off',
    )
    const three = { sharedDirectories: [share('a'), share('b'), share('c')] }
    expect(refusal(three)).toContain('8 GiB')
    expect(crosvmSpec({ ...base, ...three }, { daxWindows: 3 }).isOk()).toBe(true)
  })

  test('11: shared directories and the pivot root are absolute, and /var/empty is asked for', () => {
    expect(refusal({ sharedDirectories: [{ type: 'fs', path: 'srv', tag: 't' }] })).toContain('absolute')
    expect(refusal({ sandbox: { kind: 'jailed', pivotRoot: 'empty' } })).toContain('absolute')
    expect(prerequisites(spec({})._unsafeUnwrap())).toContainEqual(
      expect.objectContaining({ kind: 'empty-directory', path: '/var/empty' }),
    )
  })

  test('12: pmem: no writable file twice, no image format, and swapping only whole and writable', () => {
    expect(refusal({ pmem: [{ path: '/d' }, { path: '/d', readOnly: true }] })).toContain('mapped twice')
    expect(
      spec({
        pmem: [
          { path: '/d', readOnly: true },
          { path: '/d', readOnly: true },
        ],
      }).isOk(),
    ).toBe(true)
    expect(refusal({ pmem: [{ path: '/d.qcow2' }] })).toContain('raw')
    expect(refusal({ pmem: [{ path: '/d', vmaSize: 4096n }] })).toContain('go together')
    expect(refusal({ pmem: [{ path: '/d', readOnly: true, vmaSize: 4096n, swapIntervalMs: 1 }] })).toContain(
      'writable',
    )
  })

  test('13: the size of a pmem-ext2 is a multiple of its groups and below 4 GiB', () => {
    expect(refusal({ pmemExt2: [{ path: '/d', size: 16_777_217 }] })).toContain('33554432')
    expect(refusal({ pmemExt2: [{ path: '/d', size: 2 ** 32 }] })).toContain('4294967295')
    expect(refusal({ pmemExt2: [{ path: '/d', inodesPerGroup: 11 }] })).toContain('reserves')
    expect(spec({ pmemExt2: [{ path: '/d', size: 2 ** 32 - 16_777_216 }] }).isOk()).toBe(true)
    expect(prerequisites(spec({ pmemExt2: [{ path: '/d' }] })._unsafeUnwrap())).toContainEqual(
      expect.objectContaining({ kind: 'plain-tree', path: '/d' }),
    )
  })

  test('14: one device is the root', () => {
    expect(refusal({ block: [{ path: '/a', root: true }], pmem: [{ path: '/b', root: true }] })).toContain(
      'more than one',
    )
  })

  test('14: pmem and pmem-ext2, whose numbers would depend on one another, do not mix', () => {
    expect(refusal({ pmem: [{ path: '/a' }], pmemExt2: [{ path: '/b' }] })).toContain('one of the two')
  })

  test('15: serial ports', () => {
    const serial = (...ports: NonNullable<CrosvmMachine['serial']>) => refusal({ serial: ports })
    expect(serial({ type: 'sink' }, { type: 'stdout', num: 1 })).toContain('used twice')
    expect(serial({ type: 'sink', stdin: true }, { type: 'sink', num: 2, stdin: true })).toContain(
      'standard input',
    )
    expect(serial({ type: 'sink', hardware: 'virtio-console', earlycon: true })).toContain('earlycon')
    expect(serial({ type: 'sink', earlycon: true }, { type: 'sink', num: 2, earlycon: true })).toContain(
      'early',
    )
    expect(serial({ type: 'sink', num: 0 })).toContain('from 1')
    expect(serial({ type: 'sink', num: 5 })).toContain('1 to 4')
    expect(serial({ type: 'sink', pciAddress: '00:01.0' })).toContain('virtio-console only')
    expect(serial({ type: 'sink', stdin: true, input: '/i' })).toContain('exclude')
    expect(serial({ type: 'file' })).toContain('needs a path')
    expect(
      spec({
        serial: [
          { type: 'sink', hardware: 'virtio-console', num: 5 },
          { type: 'sink', num: 4 },
        ],
      }).isOk(),
    ).toBe(true)
  })

  test('16: one protection mode, and a protected machine says that it has no USB and no RNG', () => {
    expect(rejected('--protected-vm', '--protected-vm-without-firmware', '/k').message).toContain(
      'one protection mode',
    )
    expect(refusal({ protection: { kind: 'protected' } })).toContain('usb: false')
    expect(argv({ protection: { kind: 'protected' }, usb: false, rng: false })).toContain('--protected-vm')
    expect(parse('--protected-vm', '/k')._unsafeUnwrap().usb).toBe(false)
  })

  test('17: gdb, suspension, swap and unmapping exclude what they exclude', () => {
    expect(refusal({ start: { kind: 'gdb', port: 1234 }, cpus: { count: 2 } })).toContain('one vCPU')
    expect(rejected('--gdb=1234', '--suspended', '/k').message).toContain('one way')
    expect(rejected('--suspended', '--suspended-vcpus', '/k').message).toContain('one way')
    expect(refusal({ swapDirectory: '/s', sandbox: { kind: 'disabled' } })).toContain('sandbox')
    expect(parse('--unmap-guest-memory-on-fork', '--disable-sandbox', '/k').isOk()).toBe(true)
    expect(refusal({ sandbox: { kind: 'jailed', unmapGuestMemoryOnFork: true } as never })).toContain(
      'no property',
    )
  })

  test('18: what cannot be snapshot is known beforehand', () => {
    expect(cannotSnapshot(spec({})._unsafeUnwrap()).join()).toContain('USB')
    expect(refusal({ restore: '/snap' })).toContain('usb: false')
    const share = { type: 'fs', path: '/s', tag: 't' } as const
    expect(refusal({ restore: '/snap', usb: false, sharedDirectories: [share] })).toContain("share 't'")
    expect(refusal({ restore: '/snap', usb: false, scsi: [{ path: '/d' }] })).toContain('scsi')
    expect(spec({ restore: '/snap', usb: false }).isOk()).toBe(true)
  })

  test('19: a socket path fits its 107 bytes, is not there yet, and its directory is', () => {
    const path = (length: number) => `/${'s'.repeat(length - 1)}`
    expect(spec({ socket: path(107) }).isOk()).toBe(true)
    expect(refusal({ socket: path(108) })).toContain('107')
    expect(refusal({ socket: `/${'ü'.repeat(54)}` })).toContain('107')
    expect(prerequisites(spec({ socket: '/run/u/c' })._unsafeUnwrap())).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ kind: 'absent', path: '/run/u/c' }),
        expect.objectContaining({ kind: 'directory', path: '/run/u' }),
      ]),
    )
  })

  test('20: memory is a number of MiB, and the guest does not begin with more than it has', () => {
    expect(argv({ memoryMib: 2048 })).toContain('--mem=size=2048')
    expect(refusal({ memoryMib: '2G' as never })).toContain('whole number')
    expect(rejected('--mem=2G', '/k').message).toContain('without a unit')
    expect(refusal({ memoryMib: 64, balloon: { kind: 'present', initialMemoryMib: 65 } })).toContain('64 MiB')
  })

  test('21: queue pairs, host topology and core types agree with the vCPUs', () => {
    const net = [{ backend: { kind: 'tap-name', tapName: 'tap0' }, vqPairs: 3 }] as const
    expect(refusal({ net, cpus: { count: 2 } })).toContain('2 vCPUs')
    expect(spec({ net, cpus: { count: 3 } }).isOk()).toBe(true)
    expect(refusal({ cpus: { count: 255 } })).toContain('254')
    expect(refusal({ hostTopology: 'plain', smt: false })).toContain('excludes')
    expect(refusal({ hostTopology: 'plain', affinity: { kind: 'all', cpus: [0] } })).toContain('excludes')
    const eight = crosvmSpec({ ...base, hostTopology: 'hwp-itmt', cpus: { count: 4 } }, { onlineCpus: 8 })
    expect(eight._unsafeUnwrapErr()[0]?.message).toContain('8 online')
    expect(refusal({ cpus: { count: 4, coreTypes: { atom: [0], core: [[1, 2]] } } })).toContain(
      'each of the 4',
    )
    expect(spec({ cpus: { count: 4, coreTypes: { atom: [0], core: [[1, 3]] } } }).isOk()).toBe(true)
  })

  test("22: the kernel's command line fits with what crosvm adds to it", () => {
    // "panic=-1 console=ttyS0 " is what crosvm adds here.
    const added = 23
    expect(spec({ params: ['x'.repeat(2047 - added)] }).isOk()).toBe(true)
    expect(refusal({ params: ['x'.repeat(2048 - added)] })).toContain('2048 bytes')
    expect(refusal({ architecture: 'riscv64', params: ['x'.repeat(1024 - added)] })).toContain('1023')
    expect(refusal({ params: ['é'] })).toContain('ASCII')
  })

  test('23: options of another architecture are refused; POWER is unsupported', () => {
    expect(refusal({ swiotlbMib: 64 })).toContain('aarch64 only')
    expect(refusal({ architecture: 'aarch64', s2idle: true })).toContain('x86_64 only')
    expect(refusal({ architecture: 'aarch64', irqChip: { kind: 'split' } })).toContain('x86_64 only')
    expect(rejected('--no-pmu', '/k').message).toContain('aarch64 only')
    expect(crosvmSpec({ ...base, architecture: 'powerpc64le' as never })._unsafeUnwrapErr()).toMatchObject([
      { kind: 'unsupported-architecture', architecture: 'powerpc64le' },
    ])
  })

  test('24: inherited descriptors are listed for whoever spawns, and none is used twice', () => {
    const two = spec({ block: [{ path: '/proc/self/fd/5' }], pmem: [{ path: '/proc/self/fd/6' }] })
    expect(namedDescriptors(two._unsafeUnwrap())).toEqual([5, 6])
    expect(refusal({ block: [{ path: '/proc/self/fd/5' }], pmem: [{ path: '/proc/self/fd/5' }] })).toContain(
      'twice',
    )
  })
})

describe('a description', () => {
  test('is copied and frozen: later changes change nothing', () => {
    const params = ['a']
    const made = crosvmSpec({ ...base, params })._unsafeUnwrap()
    params.push('b')
    expect(made.params).toEqual(['a'])
    expect(Object.isFrozen(made) && Object.isFrozen(made.params) && Object.isFrozen(made.boot)).toBe(true)
  })

  test('gives all its errors at once, each with its property', () => {
    const errors = crosvmSpec({
      ...base,
      memoryMib: 0,
      name: 'x'.repeat(16),
      bogus: 1,
    } as never)._unsafeUnwrapErr()
    expect(errors.map((error) => error.kind)).toEqual([
      'unknown-property',
      'unrepresentable',
      'unrepresentable',
    ])
  })

  test('of anything but plain data is refused, and nothing throws', () => {
    const loop: Record<string, unknown> = { ...base }
    loop['cpus'] = loop
    for (const value of [
      null,
      undefined,
      1,
      'x',
      [],
      {},
      loop,
      { ...base, boot: null },
      { ...base, block: {} },
      { ...base, params: [() => 1] },
      { ...base, serial: [null] },
      { ...base, balloon: null },
      { ...base, affinity: 3 },
      { ...base, net: [{}] },
    ]) {
      expect(crosvmSpec(value as never).isErr()).toBe(true)
    }
  })

  test('with __proto__ for a kind or a key reaches no prototype', () => {
    const wrong = JSON.parse('{"kind":"__proto__","path":"/x","__proto__":{"kind":"mouse"}}')
    expect(spec({ input: [wrong] }).isErr()).toBe(true)
    expect(spec({ irqChip: { kind: 'constructor' } as never }).isErr()).toBe(true)
    expect(spec({ balloon: { kind: 'toString' } as never }).isErr()).toBe(true)
  })
})

describe('an argument vector', () => {
  test('in other spellings gives the same machine', () => {
    const made = parse('-m', '512', '-c', 'num-cores=2,', '/k', '-b', '/d,ro', '-s', '/run/s', '--')
    expect(made._unsafeUnwrap()).toEqual(
      spec({ memoryMib: 512, cpus: { count: 2 }, block: [{ path: '/d', readOnly: true }], socket: '/run/s' })
        .map((other) => ({ ...other, boot: { kind: 'kernel', path: '/k' } }))
        ._unsafeUnwrap(),
    )
  })

  test('with a deprecated option is answered with what replaces it', () => {
    expect(rejected('--rwdisk', '/d', '/k')).toMatchObject({
      kind: 'not-covered',
      option: 'rwdisk',
      index: 2,
    })
    expect(rejected('-d', '/d', '/k').message).toContain('--block')
  })

  test('that crosvm would not parse is malformed, with the place', () => {
    expect(rejected('--mem=1', '--bogus', '/k')).toMatchObject({ kind: 'malformed', index: 3 })
    expect(rejected('--disable-sandbox=true', '/k').kind).toBe('malformed')
    expect(rejected('--mem=1', '--mem=2', '/k').message).toContain('twice')
    expect(rejected('/k', '/l').message).toContain('second kernel')
    expect(rejected('--bios=/b', '/l').message).toContain('not both')
    expect(rejected('--param=x', '/k').kind).toBe('malformed')
    expect(rejected('--mem').message).toContain('missing')
    expect(rejected()).toMatchObject({ kind: 'no-machine' })
    expect(parseArgv(['run', '--version'], { architecture: 'x86_64' }).isErr()).toBe(true)
  })
})
