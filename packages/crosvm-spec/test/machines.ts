/** Generated machines: every property of a spec, with strings that a command line is easily got wrong by. */
import fc from 'fast-check'
import type { CrosvmMachine } from '../src/index.js'

export const hostileWords = [
  '',
  ',',
  "'",
  '"',
  `'"`,
  '[',
  ']',
  '[]',
  '=',
  'a=b',
  '-',
  '-h',
  '--help',
  '-x=1',
  '--',
  'help',
  'run',
  'true',
  'trueish',
  'false',
  '42',
  '-7',
  '0x1f',
  '0b1',
  'ro',
  'path',
  'root=true',
  'a,ro=true',
  '\\',
  '\\"',
  '\\n',
  '\n',
  '\t',
  ' ',
  '  x ',
  '#;&|$(id)`',
  'ünïcødé',
  '日本',
  '😀',
  '\u202e',
  '\u001b[31m',
  '\ufeff',
  '%s%n',
  '..',
  '.',
]

/** Text that any argument can hold. */
export const hostileText = fc
  .oneof(
    fc.constantFrom(...hostileWords),
    fc
      .array(fc.constantFrom(...hostileWords, 'a', '/', ':', ';'), { maxLength: 6 })
      .map((words) => words.join('')),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom('x'.repeat(4096), `,${'"'.repeat(2047)}${"'".repeat(2047)}]`),
  )
  .map((text) => text.replaceAll('\0', ''))

export const hostilePath = hostileText.map((text) => `/${text.slice(0, 60)}`)
const noColonPath = hostilePath.map((text) => text.replaceAll(':', ''))
const noCommaPath = hostilePath.map((text) => text.replaceAll(',', ''))

const bool = fc.boolean()
const yes = fc.constant(true as const)
const no = fc.constant(false as const)
const u16 = fc.integer({ min: 0, max: 0xffff })
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const page = fc.bigInt({ min: 1n, max: 1n << 40n }).map((value) => value * 4096n)
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })
const hex = (width: number, most: number) =>
  fc.integer({ min: 0, max: most }).map((value) => value.toString(16).padStart(width, '0'))
const pci = fc
  .tuple(hex(2, 0xff), hex(2, 0x1f), hex(1, 7))
  .map(([bus, device, fn]) => `${bus}:${device}.${fn}`)
const mac = fc.array(hex(2, 0xff), { minLength: 6, maxLength: 6 }).map((octets) => octets.join(':'))
const ip = fc.ipV4()
const tapName = fc.constantFrom(
  'tap0',
  '42',
  '0x1f',
  'true',
  'trueblue',
  'falsetto',
  "a'b",
  'a,b',
  'ro',
  '-7',
  'a"b',
  '[x]',
)
const cpuSet = fc.array(
  fc.oneof(
    fc.integer({ min: 0, max: 8 }),
    fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 4, max: 9 })) as fc.Arbitrary<
      readonly [number, number]
    >,
  ),
  { minLength: 1, maxLength: 3 },
)

const some = <T>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }, needed: (keyof T)[]) =>
  fc.record(shape, { requiredKeys: needed as never }) as unknown as fc.Arbitrary<Partial<T>>
const listOf = <T>(item: fc.Arbitrary<T>, most = 3) => fc.array(item, { maxLength: most })
const perCpu = <T>(value: fc.Arbitrary<T>) =>
  fc.array(value, { minLength: 1, maxLength: 4 }).map((values) => ({ ...values }) as Record<number, T>)

const block = some(
  {
    path: hostilePath,
    readOnly: bool,
    sparse: bool,
    direct: bool,
    lock: bool,
    blockSize: fc.constantFrom(512, 4096, 65536),
    id: fc.constantFrom('', 'disk', '42', 'a,b', `q"'`, 'x'.repeat(20)),
    multipleWorkers: bool,
    asyncExecutor: fc.constantFrom('epoll', 'uring'),
    packedQueue: bool,
    bootIndex: fc.nat(),
    pciAddress: pci,
    dontCache: bool,
  },
  ['path'],
)
const ids = {
  uid: u32,
  gid: u32,
  uidMap: listOf(fc.record({ inner: u32, outer: u32, count: u32 })).filter((l) => l.length > 0),
}
const serial = some(
  {
    type: fc.constantFrom('stdout', 'sink', 'syslog'),
    hardware: fc.constantFrom('serial', 'virtio-console', 'debugcon'),
    name: hostileText,
    num: fc.integer({ min: 1, max: 4 }),
    console: bool,
    outTimestamp: bool,
    debugconPort: u16,
  },
  ['type'],
)
const console_ = some(
  {
    type: fc.constantFrom('file', 'unix', 'unix-stream'),
    hardware: fc.constant('virtio-console'),
    path: hostilePath,
    name: hostileText,
    num: fc.integer({ min: 1, max: 200 }),
    input: hostilePath,
    pciAddress: pci,
    maxQueueSizes: fc.array(u16, { minLength: 2, maxLength: 2 }),
  },
  ['type', 'path', 'num', 'hardware'],
)
const touch = some({ path: hostilePath, width: u32, height: u32, name: hostileText }, ['path'])
const input = fc.oneof(
  fc.record({ kind: fc.constantFrom('evdev', 'keyboard', 'mouse', 'rotary', 'switches'), path: hostilePath }),
  fc
    .tuple(fc.constantFrom('single-touch', 'multi-touch', 'trackpad', 'multi-touch-trackpad'), touch)
    .map(([kind, rest]) => ({ kind, ...rest })),
  fc.record({ kind: fc.constant('custom'), path: hostilePath, configPath: hostilePath }),
)
const backend = fc.oneof(
  some({ kind: fc.constant('tap-name'), tapName, mac }, ['kind', 'tapName']),
  some({ kind: fc.constant('tap-fd'), tapFd: fc.integer({ min: 0, max: 5000 }), mac }, ['kind', 'tapFd']),
  fc.record({ kind: fc.constant('host-ip'), hostIp: ip, netmask: ip, mac }),
)
const net = some(
  {
    backend,
    vqPairs: fc.constant(1),
    vhostNet: some({ device: hostilePath }, []),
    packedQueue: bool,
    pciAddress: pci,
    mrgRxbuf: no,
  },
  ['backend'],
)
const fsShare = (path: fc.Arbitrary<string>) =>
  some(
    {
      type: fc.constant('fs'),
      path,
      tag: fc.constantFrom('t', 'a,b', 'true', "q'", '日本'),
      cache: fc.constantFrom('never', 'auto', 'always'),
      timeoutSeconds: fc.nat(),
      writeback: bool,
      rewriteSecurityXattrs: bool,
      posixAcl: bool,
      securityContext: bool,
      maxDynamicPermissions: fc.nat(),
      ...ids,
    },
    ['type', 'path', 'tag'],
  )
const p9Share = (path: fc.Arbitrary<string>) =>
  some(
    { type: fc.constant('p9'), path, tag: fc.constantFrom('n', '9', 'x,y'), asciiCasefold: bool, ...ids },
    ['type', 'path', 'tag'],
  )
const gpu = some(
  {
    backend: fc.constantFrom('2d', 'virglrenderer', 'gfxstream'),
    displays: fc.array(
      some(
        {
          windowed: fc.tuple(fc.integer({ min: 1, max: 4096 }), fc.integer({ min: 1, max: 4096 })),
          hidden: bool,
          dpi: fc.constant([320, 300]),
        },
        ['windowed'],
      ),
      { minLength: 1, maxLength: 2 },
    ),
    contextTypes: fc.subarray(['virgl2', 'cross-domain', 'drm'], { minLength: 1 }),
    pciBarSize: fc.constantFrom(1n << 33n, 1n << 20n),
    vulkan: bool,
    cachePath: hostilePath,
    rendererFeatures: hostileText,
  },
  [],
)
const region = some({ start: u64, size: u64 }, ['start'])

/** Properties of any x86-64 machine. `directory` gives paths for what must be there already when crosvm parses. */
export function machineProperties(directory: fc.Arbitrary<string> = noColonPath) {
  return {
    initrd: hostilePath,
    params: listOf(fc.stringMatching(/^[ -~]{0,30}$/)),
    memoryMib: fc.integer({ min: 1, max: 1 << 20 }),
    hugepages: yes,
    lockGuestMemory: yes,
    readOnlyMemorySlots: no,
    balloon: fc.oneof(
      fc.constant({ kind: 'absent' }),
      some(
        {
          kind: fc.constant('present'),
          biasMib: fc.integer({ min: -500, max: 500 }),
          control: hostilePath,
          pageReporting: yes,
          workingSetReporting: yes,
          workingSetBins: fc.integer({ min: 0, max: 255 }),
          initialMemoryMib: fc.constant(1),
        },
        ['kind', 'biasMib'],
      ),
    ),
    fileBackedMappings: listOf(
      some(
        { path: hostilePath, address: page, size: page, offset: u64, writable: bool, sync: bool, ram: bool },
        ['path', 'address', 'size'],
      ),
    ),
    cpus: some(
      {
        count: fc.integer({ min: 10, max: 64 }),
        clusters: fc.constantFrom([[0, [1, 3]]], [[[0, 2]], [3]]),
        bootCpu: fc.nat({ max: 9 }),
        freqDomains: fc.array(cpuSet, { minLength: 1, maxLength: 2 }),
      },
      ['count'],
    ),
    affinity: fc.oneof(
      fc.record({ kind: fc.constant('all'), cpus: cpuSet }),
      fc.record({ kind: fc.constant('each'), cpus: perCpu(cpuSet) }),
    ),
    cpuCapacity: perCpu(u32),
    dynamicPowerCoefficient: perCpu(u32),
    smt: no,
    rtCpus: cpuSet,
    delayRt: yes,
    boostUclamp: yes,
    coreScheduling: bool,
    perVmCoreScheduling: yes,
    vcpuCgroupPath: hostilePath,
    nested: fc.constantFrom('off', 'auto', 'on'),
    hypervisor: some({ kind: fc.constant('kvm'), device: hostilePath }, ['kind']),
    irqChip: fc.constantFrom({ kind: 'kernel' }, { kind: 'split' }, { kind: 'userspace' }),
    block: listOf(block),
    scsi: listOf(
      some(
        { path: hostilePath, readOnly: bool, lock: bool, blockSize: fc.constantFrom(512, 4096), root: no },
        ['path'],
      ),
    ),
    pmem: listOf(
      fc.oneof(
        some({ path: hostilePath, readOnly: yes }, ['path', 'readOnly']),
        fc.record({ path: hostilePath, vmaSize: u64, swapIntervalMs: fc.nat() }),
      ),
    ),
    pmemExt2: listOf(
      some(
        {
          path: noColonPath,
          size: fc.constantFrom(16_777_216, 33_554_432),
          inodesPerGroup: fc.integer({ min: 12, max: 4096 }),
          ...ids,
        },
        ['path'],
      ),
    ),
    sharedDirectories: fc.oneof(
      fsShare(directory).map((share) => [share]),
      p9Share(directory).map((share) => [share]),
    ),
    pstore: fc.record({ path: hostilePath, size: u32 }),
    pflash: some({ path: hostilePath, blockSize: fc.constantFrom(512, 4096) }, ['path']),
    net: listOf(net),
    vsock: some(
      {
        cid: fc.integer({ min: 3, max: 0xffff_fffe }),
        device: hostilePath,
        maxQueueSizes: fc.array(u16, { minLength: 3, maxLength: 3 }),
      },
      ['cid'],
    ),
    serial: fc.oneof(serial, console_).map((port) => [port]),
    gpu,
    xDisplay: hostileText,
    displayWindowKeyboard: yes,
    displayWindowMouse: yes,
    waylandSockets: fc.oneof(
      noCommaPath.map((path) => [{ path }]),
      noCommaPath.map((path) => [{ path }, { path, name: 'named=[1]' }]),
    ),
    input: listOf(input),
    sound: listOf(
      some(
        {
          capture: bool,
          backend: fc.constantFrom('null', 'file'),
          outputDevices: u32,
          playbackPath: hostilePath,
        },
        ['capture'],
      ),
    ),
    vhostUser: listOf(
      some(
        {
          type: fc.constantFrom('net', '9p', 'fs', 'mac80211-hwsim', 'console'),
          socket: hostilePath,
          maxQueueSize: fc.integer({ min: 1, max: 0xffff }),
          pciAddress: pci,
        },
        ['type', 'socket'],
      ),
    ),
    vhostUserConnectTimeoutMs: fc.nat(),
    vfio: listOf(
      some(
        {
          path: hostilePath,
          iommu: fc.constantFrom('off', 'viommu', 'coiommu', 'pkvm-iommu'),
          guestAddress: pci,
          dtSymbol: hostileText,
        },
        ['path'],
      ),
    ),
    vfioIsolateHotplug: yes,
    pciHotplugSlots: fc.integer({ min: 0, max: 255 }),
    usb: no,
    rng: no,
    i8042: no,
    rtc: no,
    virtioIntx: no,
    battery: fc.constant('goldfish'),
    pci: some({ ecam: region, mem: region }, ['mem']),
    stubPciDevices: listOf(
      some(
        {
          address: pci,
          vendor: u16,
          device: u16,
          class: fc.constantFrom(0x020000, 0x0c0330, 0xff0000),
          subsystemVendor: u16,
          revision: fc.integer({ min: 0, max: 255 }),
        },
        ['address'],
      ),
    ),
    smbios: some(
      {
        biosVendor: hostileText,
        productName: hostileText,
        serialNumber: hostileText,
        uuid: fc.uuid(),
        oemStrings: fc.array(hostileText, { minLength: 1, maxLength: 3 }),
      },
      ['productName'],
    ),
    fwCfg: listOf(
      fc.oneof(
        fc.record({ name: fc.constantFrom('opt/a', "x'y", 'a,b'), string: hostileText }),
        fc.record({ name: fc.constant('opt/b'), path: hostilePath }),
      ),
    ),
    fwCfgDevice: yes,
    acpiTables: listOf(hostilePath),
    deviceTreeOverlays: listOf(
      some(
        {
          path: hostilePath,
          selectSymbols: fc.array(hostileText, { minLength: 1, maxLength: 3 }),
          filter: bool,
        },
        ['path'],
      ),
    ),
    fdtPosition: fc.constantFrom('start', 'end', 'after-payload'),
    dumpDeviceTreeBlob: hostilePath,
    androidFstab: hostilePath,
    s2idle: yes,
    breakLinuxPciConfigIo: yes,
    busLockRatelimit: u64,
    forceCalibratedTscLeaf: yes,
    sandbox: fc.oneof(
      some({ kind: fc.constant('disabled'), unmapGuestMemoryOnFork: yes }, ['kind']),
      some(
        {
          kind: fc.constant('jailed'),
          pivotRoot: hostilePath,
          seccomp: some({ policyDirectory: hostilePath, logFailures: yes }, ['policyDirectory']),
        },
        ['kind', 'pivotRoot'],
      ),
    ),
    socket: hostilePath,
    start: fc.constantFrom({ kind: 'suspended' }, { kind: 'suspended-vcpus' }),
    name: fc.constantFrom('', 'unit', '-h', 'a,b', '日本'),
    asyncExecutor: fc.constantFrom('epoll', 'uring'),
    logging: some({ level: fc.constantFrom('info', 'off', 'devices::usb=debug,warn'), syslog: no }, [
      'level',
    ]),
  }
}

export type MachineProperty = keyof ReturnType<typeof machineProperties>

/** Machines that hold a few of the properties. Nearly all of them are valid. */
export function machines(
  kernel: fc.Arbitrary<string>,
  directory?: fc.Arbitrary<string>,
  without: readonly MachineProperty[] = [],
): fc.Arbitrary<CrosvmMachine> {
  const all = machineProperties(directory)
  const names = (Object.keys(all) as MachineProperty[]).filter((name) => !without.includes(name))
  return fc.subarray(names, { maxLength: 12 }).chain((chosen) =>
    fc.record({
      architecture: fc.constant('x86_64'),
      boot: fc.record({ kind: fc.constant('kernel'), path: kernel }),
      ...Object.fromEntries(chosen.map((name) => [name, all[name]])),
    }),
  ) as unknown as fc.Arbitrary<CrosvmMachine>
}
