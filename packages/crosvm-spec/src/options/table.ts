import { cpus as cpuSet, takeAll } from '../grammar/cpu-set.js'
import { refuse } from '../grammar/refusal.js'
import { choice } from '../grammar/scalar.js'
import { wholeInteger, wholePath, wholeText } from '../grammar/separated.js'
import type { Shape } from '../grammar/shape.js'
import type { Draft } from '../machine.js'
import { many, one, switched, toggle, within, wrapped } from './bind.js'
import * as display from './display.js'
import { balloonOptions, lifeOptions, protectionOptions, sandboxOptions } from './life.js'
import { netDevice, vsockDevice } from './network.js'
import type { Architecture, Option } from './option.js'
import * as platform from './platform.js'
import { serialPort } from './serial.js'
import { sharedDirectory, waylandSocket } from './share.js'
import * as storage from './storage.js'
import { coIommu, vfioDevice, vhostUserDevice } from './vhost-user.js'

const x86: { readonly architectures: readonly Architecture[] } = { architectures: ['x86_64'] }
const arm: { readonly architectures: readonly Architecture[] } = { architectures: ['aarch64'] }
const gpu = { features: ['gpu'] } as const

/** Exactly these two words: there is no bare key and no number here. */
const wholeBoolean: Shape<boolean> = {
  print: (value) => (typeof value === 'boolean' ? String(value) : refuse('expected true or false')),
  read: (cursor) => {
    const word = takeAll(cursor)
    return word === 'true' || (word === 'false' ? false : refuse('expected true or false'))
  },
}

/** A 64-bit number as Rust's `FromStr` reads it. */
const wholeU64: Shape<bigint> = {
  print: (value) => {
    if (typeof value !== 'bigint' || value < 0n || value > 0xffff_ffff_ffff_ffffn) {
      refuse('expected a bigint from 0n to 2n ** 64n - 1n')
    }
    return String(value)
  },
  read: (cursor) => {
    const word = takeAll(cursor)
    const value = /^\+?[0-9]{1,20}$/.test(word) ? BigInt(word.replace('+', '')) : -1n
    return value >= 0n && value <= 0xffff_ffff_ffff_ffffn ? value : refuse(`'${word}' is no 64-bit number`)
  },
}

const videoBackend: Shape<string> = {
  print: (backend) => platform.videoDevice.printTop!({ backend }),
  read: (cursor) => platform.videoDevice.readTop!(cursor).backend,
}

const TOPOLOGIES = ['plain', 'hwp', 'hwp-itmt'] as const
const topologyRank = (draft: Draft): number => {
  if (draft.hostTopology === undefined) return -1
  const rank = TOPOLOGIES.indexOf(draft.hostTopology)
  return rank < 0 ? refuse(`must be one of ${TOPOLOGIES.join(', ')}`) : rank
}

function topology(name: string, rank: number, limits = {}): Option<Draft> {
  return switched(
    name,
    'hostTopology',
    (draft) => topologyRank(draft) >= rank,
    (draft) => {
      draft.hostTopology = TOPOLOGIES[Math.max(rank, topologyRank(draft))]
    },
    limits,
  )
}

function cpufreq(name: string, which: 'downstream' | 'upstream'): Option<Draft> {
  return switched(
    name,
    'virtCpufreq',
    (draft) => draft.virtCpufreq === which,
    (draft) => {
      if (draft.virtCpufreq !== undefined && draft.virtCpufreq !== which)
        refuse('only one virt-cpufreq can be used')
      draft.virtCpufreq = which
    },
    arm,
  )
}

/** The boot options that are named; the kernel itself is positional. */
const bootOptions: readonly Option<Draft>[] = [
  within(
    'bios',
    'boot.path',
    wholePath('bios'),
    (draft) => (draft.boot?.kind === 'bios' ? draft.boot.path : undefined),
    (draft, path) => {
      if (draft.boot !== undefined) refuse('a machine boots a kernel or a bios, not both')
      draft.boot = { kind: 'bios', path }
    },
  ),
  one('initrd', 'initrd', wholePath('initrd'), { short: 'i' }),
  many('params', 'params', wholeText('params'), { short: 'p' }),
]

const cpuOptions: readonly Option<Draft>[] = [
  one('cpus', 'cpus', platform.cpus, { short: 'c' }),
  topology('host-cpu-topology', 0),
  topology('enable-hwp', 1, x86),
  topology('itmt', 2, x86),
  one('cpu-affinity', 'affinity', platform.cpuAffinity),
  one('cpu-capacity', 'cpuCapacity', platform.numberPerCpu),
  one('dynamic-power-coefficient', 'dynamicPowerCoefficient', platform.numberPerCpu),
  one('cpu-frequencies-khz', 'cpuFrequenciesKhz', platform.numbersPerCpu, arm),
  one('cpu-ipc-ratio', 'cpuIpcRatio', platform.numberPerCpu, arm),
  cpufreq('virt-cpufreq', 'downstream'),
  cpufreq('virt-cpufreq-upstream', 'upstream'),
  toggle('no-smt', 'smt', false),
  one('rt-cpus', 'rtCpus', cpuSet),
  toggle('delay-rt', 'delayRt', true),
  toggle('boost-uclamp', 'boostUclamp', true),
  one('core-scheduling', 'coreScheduling', wholeBoolean),
  toggle('per-vm-core-scheduling', 'perVmCoreScheduling', true),
  one('vcpu-cgroup-path', 'vcpuCgroupPath', wholePath('vcpuCgroupPath')),
  wrapped(
    'nested',
    'nested',
    platform.nested,
    (mode) => ({ mode }),
    ({ mode }) => mode,
    {
      architectures: ['x86_64', 'aarch64'],
    },
  ),
  one('hypervisor', 'hypervisor', display.hypervisor),
  one('irqchip', 'irqChip', display.irqChip),
]

const storageOptions: readonly Option<Draft>[] = [
  many('block', 'block', storage.blockDevice, { short: 'b' }),
  many('scsi-block', 'scsi', storage.scsiDisk),
  many('pmem', 'pmem', storage.pmemDevice),
  many('pmem-ext2', 'pmemExt2', storage.pmemExt2Device),
  many('shared-dir', 'sharedDirectories', sharedDirectory),
  one('pstore', 'pstore', platform.pstore),
  one('pflash', 'pflash', platform.pflash),
  many('file-backed-mapping', 'fileBackedMappings', platform.fileBackedMapping),
]

const displayOptions: readonly Option<Draft>[] = [
  one('gpu', 'gpu', display.gpu, gpu),
  one('gpu-render-server', 'gpuRenderServer', display.gpuRenderServer, gpu),
  one('gpu-cgroup-path', 'gpuCgroupPath', wholePath('gpuCgroupPath'), gpu),
  one('gpu-server-cgroup-path', 'gpuServerCgroupPath', wholePath('gpuServerCgroupPath'), gpu),
  one('x-display', 'xDisplay', wholeText('xDisplay')),
  one('android-display-service', 'androidDisplayService', wholeText('androidDisplayService'), {
    features: ['android_display'],
  }),
  toggle('display-window-keyboard', 'displayWindowKeyboard', true),
  toggle('display-window-mouse', 'displayWindowMouse', true),
  many('wayland-sock', 'waylandSockets', waylandSocket),
  many('input', 'input', display.inputDevice),
  many('virtio-snd', 'sound', display.soundDevice, { features: ['audio'] }),
  one('sound', 'viosSound', wholePath('viosSound'), { features: ['audio'] }),
  ...(
    [
      ['video-decoder', 'videoDecoders', ['video-decoder']],
      ['video-encoder', 'videoEncoders', ['video-encoder']],
      ['media-decoder', 'mediaDecoders', ['media', 'video-decoder']],
    ] as const
  ).map(([name, property, features]) => many(name, property, videoBackend, { features })),
  many('v4l2-proxy', 'v4l2Proxies', wholePath('v4l2Proxies'), { features: ['media'] }),
  toggle('simple-media-device', 'simpleMediaDevice', true, { features: ['media'] }),
]

const platformOptions: readonly Option<Draft>[] = [
  many('vhost-user', 'vhostUser', vhostUserDevice),
  one(
    'vhost-user-connect-timeout-ms',
    'vhostUserConnectTimeoutMs',
    wholeInteger(0, Number.MAX_SAFE_INTEGER, 64),
  ),
  many('vfio', 'vfio', vfioDevice),
  toggle('vfio-isolate-hotplug', 'vfioIsolateHotplug', true),
  toggle('vfio-platform-pm', 'vfioPlatformPm', true, arm),
  one('coiommu', 'coIommu', coIommu),
  toggle('no-usb', 'usb', false),
  toggle('no-rng', 'rng', false),
  toggle('no-i8042', 'i8042', false, x86),
  toggle('no-rtc', 'rtc', false, x86),
  toggle('no-pmu', 'pmu', false, arm),
  toggle('disable-virtio-intx', 'virtioIntx', false),
  toggle('vtpm-proxy', 'vtpmProxy', true, { features: ['vtpm'] }),
  toggle('pvclock', 'pvclock', true, { features: ['pvclock'] }),
  toggle('smccc-trng', 'smcccTrng', true, arm),
  toggle('vhost-scmi', 'vhostScmi', true, arm),
  one('dev-pm', 'devicePowerManagement', choice(['pkvm-hvc']), arm),
  wrapped(
    'battery',
    'battery',
    platform.battery,
    (type) => ({ type }),
    ({ type = 'goldfish' }) => type,
  ),
  one('pci', 'pci', platform.pciLayout),
  many('stub-pci-device', 'stubPciDevices', platform.stubPciDevice),
  one('smbios', 'smbios', platform.smbios, x86),
  many('fw-cfg', 'fwCfg', platform.fwCfgFile),
  toggle('enable-fw-cfg', 'fwCfgDevice', true),
  many('acpi-table', 'acpiTables', wholePath('acpiTables')),
  many('device-tree-overlay', 'deviceTreeOverlays', platform.deviceTreeOverlay),
  one('fdt-position', 'fdtPosition', choice(['start', 'end', 'after-payload'])),
  one('dump-device-tree-blob', 'dumpDeviceTreeBlob', wholePath('dumpDeviceTreeBlob')),
  one('android-fstab', 'androidFstab', wholePath('androidFstab')),
  toggle('s2idle', 's2idle', true, x86),
  toggle('break-linux-pci-config-io', 'breakLinuxPciConfigIo', true, x86),
  one('bus-lock-ratelimit', 'busLockRatelimit', wholeU64, x86),
  toggle('force-calibrated-tsc-leaf', 'forceCalibratedTscLeaf', true, x86),
]

/** Every option of `crosvm run` that a spec covers, in the order in which it is printed. */
export const options: readonly Option<Draft>[] = [
  ...bootOptions,
  wrapped(
    'mem',
    'memoryMib',
    platform.memory,
    (sizeMib) => ({ sizeMib }),
    ({ sizeMib }) => sizeMib,
    { short: 'm' },
  ),
  ...cpuOptions,
  ...storageOptions,
  many('net', 'net', netDevice, { features: ['net'] }),
  one('vsock', 'vsock', vsockDevice),
  many('serial', 'serial', serialPort),
  ...displayOptions,
  ...platformOptions,
  ...balloonOptions,
  ...protectionOptions,
  ...sandboxOptions,
  ...lifeOptions,
]

/** What stands for an option that crosvm still parses but that a spec does not keep. */
export const deprecated: Readonly<Record<string, string>> = {
  disk: '--block=path=…,ro=true',
  rwdisk: '--block=path=…',
  root: '--block=path=…,ro=true,root=true',
  rwroot: '--block=path=…,root=true',
  'pmem-device': '--pmem=path=…,ro=true',
  'rw-pmem-device': '--pmem=path=…',
  cid: '--vsock=cid=…',
  'vhost-vsock-device': '--vsock=cid=…,device=…',
  'vhost-vsock-fd': '--vsock=cid=…,device=/proc/self/fd/…',
  'tap-name': '--net=tap-name=…',
  'tap-fd': '--net=tap-fd=…',
  'host-ip': '--net=host-ip=…,netmask=…,mac=…',
  netmask: '--net=host-ip=…,netmask=…,mac=…',
  mac: '--net=host-ip=…,netmask=…,mac=…',
  'net-vq-pairs': '--net=…,vq-pairs=…',
  'vhost-net': '--net=…,vhost-net',
  'vhost-net-device': '--net=…,vhost-net=[device=…]',
  keyboard: '--input=keyboard[path=…]',
  mouse: '--input=mouse[path=…]',
  'single-touch': '--input=single-touch[path=…]',
  'multi-touch': '--input=multi-touch[path=…]',
  trackpad: '--input=trackpad[path=…]',
  switches: '--input=switches[path=…]',
  rotary: '--input=rotary[path=…]',
  evdev: '--input=evdev[path=…]',
  'gpu-display': '--gpu=displays=[[…]]',
  'kvm-device': '--hypervisor=kvm[device=…]',
  'split-irqchip': '--irqchip=split',
  'cpu-cluster': '--cpus=clusters=[[…]]',
  'oem-strings': '--smbios=oem-strings=[…]',
  'pci-start': '--pci=mem=[start=…]',
  'vfio-platform': '--vfio=path=…',
  'syslog-tag': '--syslog-tag=… before run',
  mte: '--cpus=mte=[auto=true]',
  'mmio-address-range': 'nothing: crosvm ignores it',
}
