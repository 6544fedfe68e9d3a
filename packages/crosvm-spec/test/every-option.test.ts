/** Every option that a machine covers is printed by some machine here, and read back. */
import { expect, test } from 'vitest'
import { type CrosvmMachine, crosvmSpec, parseArgv, printArgv } from '../src/index.js'
import { options } from '../src/options/table.js'

const boot = { kind: 'kernel', path: '/k' } as const
const x86 = { architecture: 'x86_64', boot } as const
const arm = { architecture: 'aarch64', boot } as const

const examples: readonly CrosvmMachine[] = [
  { ...x86, boot: { kind: 'bios', path: '/b' }, initrd: '/i', params: ['a=b'], memoryMib: 64 },
  {
    ...x86,
    cpus: { count: 2, coreTypes: { atom: [0], core: [1] }, clusters: [[0], [1]], freqDomains: [[0, 1]] },
    affinity: { kind: 'all', cpus: [0] },
    cpuCapacity: { 0: 1024 },
    dynamicPowerCoefficient: { 1: 5 },
    smt: false,
    rtCpus: [[0, 1]],
    delayRt: true,
    boostUclamp: true,
    coreScheduling: false,
    perVmCoreScheduling: true,
    vcpuCgroupPath: '/sys/fs/cgroup/v',
    nested: 'off',
    hypervisor: { kind: 'kvm', device: '/dev/kvm' },
    irqChip: { kind: 'split' },
  },
  { ...x86, hostTopology: 'hwp-itmt' },
  {
    ...x86,
    block: [{ path: '/b' }],
    scsi: [{ path: '/s' }],
    pmem: [{ path: '/p', readOnly: true }],
    sharedDirectories: [
      {
        type: 'fs',
        path: '/d',
        tag: 't',
        dax: true,
        negativeTimeoutSeconds: 2,
        maxDynamicXattrs: 1,
        privilegedQuotaUids: [0, 1000],
        unmapGuestMemoryOnFork: true,
        ugidMap: [{ guestUid: 0, guestGid: 0, hostUid: 1000, hostGid: 100, umask: 0o77, path: '/a,b' }],
      },
    ],
    pstore: { path: '/ps', size: 4096 },
    pflash: { path: '/pf' },
    fileBackedMappings: [{ path: '/f', address: 4096n, size: 4096n, align: true }],
  },
  { ...x86, pmemExt2: [{ path: '/e' }] },
  {
    ...x86,
    net: [{ backend: { kind: 'tap-name', tapName: 'tap0' } }],
    vsock: { cid: 3 },
    serial: [{ type: 'sink' }],
    vhostUser: [{ type: 'fs', socket: '/v' }],
    vhostUserConnectTimeoutMs: 5,
    vfio: [{ path: '/sys/bus/pci/devices/x', iommu: 'coiommu' }],
    vfioIsolateHotplug: true,
    coIommu: { unpinPolicy: 'lru', unpinLimit: 1n },
    pciHotplugSlots: 2,
    usb: false,
    rng: false,
    i8042: false,
    rtc: false,
    virtioIntx: false,
    battery: 'goldfish',
  },
  {
    ...x86,
    gpu: { backend: 'virglrenderer', wsi: 'vk', audioDeviceMode: 'one-global', snapshotScratchPath: '/sc' },
    gpuRenderServer: { path: '/r', ldPreloadPath: '/l.so' },
    gpuCgroupPath: '/g',
    gpuServerCgroupPath: '/h',
    xDisplay: ':0',
    androidDisplayService: 'a',
    displayWindowKeyboard: true,
    displayWindowMouse: true,
    waylandSockets: [{ path: '/w' }],
    input: [{ kind: 'rotary', path: '/i' }],
    sound: [{ backend: 'cras', cardIndex: 1, playbackSize: 5 }],
    viosSound: '/vs',
    videoDecoders: ['ffmpeg'],
    videoEncoders: ['libvda-vd'],
    mediaDecoders: ['vaapi'],
    v4l2Proxies: ['/dev/video0'],
    simpleMediaDevice: true,
  },
  {
    ...x86,
    vtpmProxy: true,
    pvclock: true,
    pci: { mem: { start: 1n }, ecam: { start: 2n, size: 3n } },
    stubPciDevices: [{ address: '00:1f.3' }],
    smbios: { uuid: '0a1b2c3d-0000-4000-8000-0123456789ab' },
    fwCfg: [{ name: 'n', string: 's' }],
    fwCfgDevice: true,
    acpiTables: ['/t'],
    deviceTreeOverlays: [{ path: '/o', selectSymbols: ['a'] }],
    fdtPosition: 'end',
    dumpDeviceTreeBlob: '/dtb',
    androidFstab: '/fstab',
    s2idle: true,
    breakLinuxPciConfigIo: true,
    busLockRatelimit: 9n,
    forceCalibratedTscLeaf: true,
    hugepages: true,
    lockGuestMemory: true,
    readOnlyMemorySlots: false,
    swapDirectory: '/swap',
    sandbox: { kind: 'jailed', pivotRoot: '/e', seccomp: { policyDirectory: '/p', logFailures: true } },
    socket: '/run/s',
    start: { kind: 'suspended' },
    name: 'unit',
    asyncExecutor: 'uring',
    logging: { level: 'warn', syslogTag: 'x', syslog: false },
  },
  { ...x86, restore: '/snap', usb: false, start: { kind: 'suspended-vcpus' } },
  { ...x86, start: { kind: 'gdb', port: 1234 }, sandbox: { kind: 'disabled', unmapGuestMemoryOnFork: true } },
  { ...x86, balloon: { kind: 'absent' } },
  {
    ...x86,
    balloon: {
      kind: 'present',
      biasMib: -5,
      control: '/bc',
      pageReporting: true,
      workingSetReporting: true,
      workingSetBins: 5,
      initialMemoryMib: 64,
    },
  },
  {
    ...arm,
    cpus: { count: 2, mte: { auto: true }, sve: { auto: false } },
    cpuFrequenciesKhz: { 0: [1000, 2000], 1: [3] },
    cpuIpcRatio: { 0: 1024 },
    virtCpufreq: 'upstream',
    pmu: false,
    swiotlbMib: 32,
    smcccTrng: true,
    vhostScmi: true,
    devicePowerManagement: 'pkvm-hvc',
    vfioPlatformPm: true,
    hypervisor: { kind: 'gunyah', trustedVmId: 1, trustedVmPasId: 2 },
    irqChip: { kind: 'kernel', allowVgicIts: true },
    pci: { cam: { start: 1n } },
  },
  {
    ...arm,
    virtCpufreq: 'downstream',
    affinity: { kind: 'each', cpus: { 0: [1] } },
    cpuCapacity: { 0: 1 },
    hypervisor: { kind: 'geniezone', device: '/dev/gz' },
  },
  { ...arm, protection: { kind: 'protected' }, usb: false, rng: false, hypervisor: { kind: 'halla' } },
  { ...arm, protection: { kind: 'protected-without-firmware' }, usb: false, rng: false },
  { ...arm, protection: { kind: 'protected-with-firmware', firmware: '/fw' }, usb: false, rng: false },
  { ...arm, protection: { kind: 'unprotected-with-firmware', firmware: '/fw' }, usb: false, rng: false },
  { architecture: 'riscv64', boot, usb: false, block: [{ path: '/b' }] },
]

test('every option is printed by some machine and read back as that machine', () => {
  const printed = new Set<string>()
  for (const machine of examples) {
    const spec = crosvmSpec(machine)
    expect(spec.isErr() ? spec.error : undefined).toBeUndefined()
    const argv = printArgv(spec._unsafeUnwrap())
    for (const word of argv) printed.add(word.split('=')[0]!.slice(2))
    expect(parseArgv(argv, { architecture: machine.architecture })._unsafeUnwrap()).toEqual(
      spec._unsafeUnwrap(),
    )
  }
  expect(options.map(({ name }) => name).filter((name) => !printed.has(name))).toEqual([])
})
