import type { CpuSet, PerCpu } from './grammar/cpu-set.js'
import type {
  Gpu,
  GpuRenderServer,
  Hypervisor,
  InputDevice,
  IrqChip,
  SoundDevice,
} from './options/display.js'
import type { NetDevice, VsockDevice } from './options/network.js'
import type { Architecture } from './options/option.js'
import type {
  CpuAffinity,
  Cpus,
  DeviceTreeOverlay,
  FileBackedMapping,
  FwCfgFile,
  PciLayout,
  Pflash,
  Pstore,
  Smbios,
  StubPciDevice,
} from './options/platform.js'
import type { SerialPort } from './options/serial.js'
import type { SharedDirectory, WaylandSocket } from './options/share.js'
import type { AsyncExecutor, BlockDevice, PmemDevice, PmemExt2Device, ScsiDisk } from './options/storage.js'
import type { CoIommu, VfioDevice, VhostUserDevice } from './options/vhost-user.js'

/** What the machine starts with. */
export type Boot =
  /** An ELF vmlinux, a bzImage or an Image. */
  | { readonly kind: 'kernel'; readonly path: string }
  /** Firmware instead of a kernel: `--bios`. */
  | { readonly kind: 'bios'; readonly path: string }

/** How the devices are confined. `jailed` is the default: a process of its own for each. */
export type Sandbox =
  | {
      readonly kind: 'jailed'
      /** An empty directory that the jails have for a root. Default /var/empty. */
      readonly pivotRoot?: string | undefined
      /** Policies from here instead of those compiled in. */
      readonly seccomp?:
        | { readonly policyDirectory: string; readonly logFailures?: true | undefined }
        | undefined
    }
  | { readonly kind: 'disabled'; readonly unmapGuestMemoryOnFork?: true | undefined }

/** Whether the host may read the guest's memory. Every kind leaves USB and the RNG out. */
export type Protection =
  | { readonly kind: 'protected' }
  | { readonly kind: 'protected-with-firmware'; readonly firmware: string }
  | { readonly kind: 'protected-without-firmware' }
  | { readonly kind: 'unprotected-with-firmware'; readonly firmware: string }

/** The device by which the host asks the guest for memory back. */
export type Balloon =
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'present'
      readonly biasMib?: number | undefined
      /** A socket over which another process controls the balloon. */
      readonly control?: string | undefined
      readonly pageReporting?: true | undefined
      readonly workingSetReporting?: true | undefined
      readonly workingSetBins?: number | undefined
      /** The balloon starts inflated, so that the guest begins with this much. */
      readonly initialMemoryMib?: number | undefined
    }

/** What the vCPUs do at first. Default: run. */
export type Start =
  /** Devices and vCPUs wait for `resume`. */
  | { readonly kind: 'suspended' }
  /** Only the vCPUs wait. */
  | { readonly kind: 'suspended-vcpus' }
  /** A debugger connects to this TCP port. One vCPU. */
  | { readonly kind: 'gdb'; readonly port: number }

/** What crosvm says of itself, and where. */
export interface Logging {
  /** As of env_logger: `warn`, `devices::usb::xhci=debug,warn`. Default `info`. */
  readonly level?: string | undefined
  readonly syslogTag?: string | undefined
  /** `false` keeps messages off the host's syslog. */
  readonly syslog?: false | undefined
}

/**
 * A machine for crosvm: what {@link crosvmSpec} checks and freezes. What crosvm has by default can only be
 * taken away, so those properties hold `false` or nothing.
 */
export interface CrosvmMachine {
  readonly architecture: Architecture
  readonly boot: Boot
  readonly initrd?: string | undefined
  /** Appended to the kernel's command line, joined by spaces. */
  readonly params?: readonly string[] | undefined

  /** Default 256. */
  readonly memoryMib?: number | undefined
  readonly hugepages?: true | undefined
  readonly lockGuestMemory?: true | undefined
  readonly readOnlyMemorySlots?: false | undefined
  /** vmm-swap keeps guest memory here. Needs the sandbox. */
  readonly swapDirectory?: string | undefined
  /** aarch64. Default 64 when protected. */
  readonly swiotlbMib?: number | undefined
  readonly balloon?: Balloon | undefined
  readonly fileBackedMappings?: readonly FileBackedMapping[] | undefined

  readonly cpus?: Cpus | undefined
  /** `hwp` and `itmt` build on one another and are x86-64 only. The guest sees the host's own topology. */
  readonly hostTopology?: 'plain' | 'hwp' | 'hwp-itmt' | undefined
  readonly affinity?: CpuAffinity | undefined
  /** Relative to 1024. */
  readonly cpuCapacity?: PerCpu<number> | undefined
  readonly dynamicPowerCoefficient?: PerCpu<number> | undefined
  /** aarch64; needs `virtCpufreq: 'upstream'`. */
  readonly cpuFrequenciesKhz?: PerCpu<readonly number[]> | undefined
  /** aarch64. */
  readonly cpuIpcRatio?: PerCpu<number> | undefined
  /** aarch64. */
  readonly virtCpufreq?: 'downstream' | 'upstream' | undefined
  readonly smt?: false | undefined
  readonly rtCpus?: CpuSet | undefined
  readonly delayRt?: true | undefined
  readonly boostUclamp?: true | undefined
  readonly coreScheduling?: boolean | undefined
  readonly perVmCoreScheduling?: true | undefined
  readonly vcpuCgroupPath?: string | undefined
  /** Not riscv64. */
  readonly nested?: 'off' | 'auto' | 'on' | undefined
  readonly hypervisor?: Hypervisor | undefined
  readonly irqChip?: IrqChip | undefined

  readonly block?: readonly BlockDevice[] | undefined
  readonly scsi?: readonly ScsiDisk[] | undefined
  readonly pmem?: readonly PmemDevice[] | undefined
  readonly pmemExt2?: readonly PmemExt2Device[] | undefined
  readonly sharedDirectories?: readonly SharedDirectory[] | undefined
  readonly pstore?: Pstore | undefined
  /** x86-64. */
  readonly pflash?: Pflash | undefined

  readonly net?: readonly NetDevice[] | undefined
  readonly vsock?: VsockDevice | undefined
  readonly serial?: readonly SerialPort[] | undefined
  readonly gpu?: Gpu | undefined
  readonly gpuRenderServer?: GpuRenderServer | undefined
  readonly gpuCgroupPath?: string | undefined
  readonly gpuServerCgroupPath?: string | undefined
  readonly xDisplay?: string | undefined
  readonly androidDisplayService?: string | undefined
  readonly displayWindowKeyboard?: true | undefined
  readonly displayWindowMouse?: true | undefined
  readonly waylandSockets?: readonly WaylandSocket[] | undefined
  readonly input?: readonly InputDevice[] | undefined
  readonly sound?: readonly SoundDevice[] | undefined
  /** The socket of a VioS server: `--sound`. */
  readonly viosSound?: string | undefined
  readonly videoDecoders?: readonly string[] | undefined
  readonly videoEncoders?: readonly string[] | undefined
  readonly mediaDecoders?: readonly string[] | undefined
  readonly v4l2Proxies?: readonly string[] | undefined
  readonly simpleMediaDevice?: true | undefined

  readonly vhostUser?: readonly VhostUserDevice[] | undefined
  /** How long to try a backend that does not listen yet. 0: not again. */
  readonly vhostUserConnectTimeoutMs?: number | undefined
  readonly vfio?: readonly VfioDevice[] | undefined
  readonly vfioIsolateHotplug?: true | undefined
  /** aarch64. */
  readonly vfioPlatformPm?: true | undefined
  readonly coIommu?: CoIommu | undefined
  /** x86-64. */
  readonly pciHotplugSlots?: number | undefined

  readonly usb?: false | undefined
  readonly rng?: false | undefined
  /** x86-64. */
  readonly i8042?: false | undefined
  /** x86-64. */
  readonly rtc?: false | undefined
  /** aarch64. */
  readonly pmu?: false | undefined
  readonly virtioIntx?: false | undefined
  readonly vtpmProxy?: true | undefined
  readonly pvclock?: true | undefined
  /** aarch64. */
  readonly smcccTrng?: true | undefined
  /** aarch64. */
  readonly vhostScmi?: true | undefined
  /** aarch64. */
  readonly devicePowerManagement?: 'pkvm-hvc' | undefined
  readonly battery?: 'goldfish' | undefined
  readonly pci?: PciLayout | undefined
  readonly stubPciDevices?: readonly StubPciDevice[] | undefined
  /** x86-64. */
  readonly smbios?: Smbios | undefined
  readonly fwCfg?: readonly FwCfgFile[] | undefined
  readonly fwCfgDevice?: true | undefined
  readonly acpiTables?: readonly string[] | undefined
  readonly deviceTreeOverlays?: readonly DeviceTreeOverlay[] | undefined
  readonly fdtPosition?: 'start' | 'end' | 'after-payload' | undefined
  readonly dumpDeviceTreeBlob?: string | undefined
  readonly androidFstab?: string | undefined
  /** x86-64. Suspend to idle, not to RAM. */
  readonly s2idle?: true | undefined
  /** x86-64. */
  readonly breakLinuxPciConfigIo?: true | undefined
  /** x86-64. Bus locks a second. */
  readonly busLockRatelimit?: bigint | undefined
  /** x86-64. */
  readonly forceCalibratedTscLeaf?: true | undefined

  readonly protection?: Protection | undefined
  readonly sandbox?: Sandbox | undefined
  /** The control socket, made by crosvm: nothing may be there, the directory must be. Below 108 bytes. */
  readonly socket?: string | undefined
  readonly start?: Start | undefined
  /** A snapshot directory to start from. */
  readonly restore?: string | undefined
  /** At most 15 bytes; names the process. */
  readonly name?: string | undefined
  readonly asyncExecutor?: AsyncExecutor | undefined
  readonly logging?: Logging | undefined
}

/** A machine that is being put together, before it is checked. */
export type Draft = { -readonly [K in keyof CrosvmMachine]?: CrosvmMachine[K] }
