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
  /**
   * An ELF vmlinux, a bzImage or an Image. `path` is absolute; `/proc/self/fd/N` names an inherited descriptor.
   */
  | { readonly kind: 'kernel'; readonly path: string }
  /** Firmware instead of a kernel: `--bios`. `path` as for a kernel. */
  | { readonly kind: 'bios'; readonly path: string }

/**
 * How the devices are confined. `jailed` is the default: a process of its own for each, with namespaces and a
 * system-call filter. `disabled` is `--disable-sandbox`: one process, except for `fs` shares and `pmemExt2`,
 * which fork even so.
 */
export type Sandbox =
  | {
      readonly kind: 'jailed'
      /** An empty directory that the jails have for a root: `--pivot-root`. Absolute. Default /var/empty. */
      readonly pivotRoot?: string | undefined
      /**
       * Policies from an absolute directory instead of those compiled in: `--seccomp-policy-dir`. `logFailures`
       * logs a forbidden system call instead of killing for it.
       */
      readonly seccomp?:
        | { readonly policyDirectory: string; readonly logFailures?: true | undefined }
        | undefined
    }
  /** `unmapGuestMemoryOnFork` sets MADV_DONTFORK on the guest's memory: `--unmap-guest-memory-on-fork`. */
  | { readonly kind: 'disabled'; readonly unmapGuestMemoryOnFork?: true | undefined }

/**
 * Whether the host may read the guest's memory: the `--protected-vm` options and
 * `--unprotected-vm-with-firmware`. Every kind leaves USB and the RNG out, so say `usb: false` and `rng: false`,
 * else it is a `conflict`. `firmware` is an absolute path of a custom VM firmware.
 */
export type Protection =
  /** The host may not: `--protected-vm`. */
  | { readonly kind: 'protected' }
  /** The host may not, with firmware of yours; for debugging: `--protected-vm-with-firmware`. */
  | { readonly kind: 'protected-with-firmware'; readonly firmware: string }
  /** The host may not, without the firmware for it; experimental: `--protected-vm-without-firmware`. */
  | { readonly kind: 'protected-without-firmware' }
  /** The host may, with firmware of yours; for debugging: `--unprotected-vm-with-firmware`. */
  | { readonly kind: 'unprotected-with-firmware'; readonly firmware: string }

/**
 * The device by which the host asks the guest for memory back. Absent from a machine: there, with nothing set up.
 * Feature `balloon` of the binary.
 */
export type Balloon =
  /** The machine has none: `--no-balloon`. */
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'present'
      /**
       * MiB by which the balance between host and guest is shifted as the balloon inflates; may be negative.
       * Within ±2 ** 30. Default 0.
       */
      readonly biasMib?: number | undefined
      /**
       * The absolute path, below 108 bytes, of a socket over which another process controls the balloon:
       * `--balloon-control`.
       */
      readonly control?: string | undefined
      /** The guest reports pages that it has freed: `--balloon-page-reporting`. */
      readonly pageReporting?: true | undefined
      /**
       * The guest reports how recently its memory was used: `--balloon-ws-reporting`. Requests for working sets
       * need it.
       */
      readonly workingSetReporting?: true | undefined
      /** Into how many ages a working set is sorted: `--balloon-ws-num-bins`, 0 to 255 here. Default 4. */
      readonly workingSetBins?: number | undefined
      /**
       * MiB that the guest begins with: the balloon starts inflated by the rest (`--init-mem`). At most
       * `memoryMib`, which is the default.
       */
      readonly initialMemoryMib?: number | undefined
    }

/** What the vCPUs do at first. Default: run. */
export type Start =
  /** Devices and vCPUs wait for `resume` on the control socket: `--suspended`. */
  | { readonly kind: 'suspended' }
  /** Only the vCPUs wait, for `resumeVcpus`: `--suspended-vcpus`. */
  | { readonly kind: 'suspended-vcpus' }
  /** A debugger connects to this TCP port, 1 to 65535: `--gdb`. One vCPU. Feature `gdb`. */
  | { readonly kind: 'gdb'; readonly port: number }

/** What crosvm says of itself, and where. */
export interface Logging {
  /** As of env_logger: `warn`, `devices::usb::xhci=debug,warn`. Default `info`. */
  readonly level?: string | undefined
  /** What the host's syslog calls the machine: `--syslog-tag`, which stands before `run`. */
  readonly syslogTag?: string | undefined
  /** `false` keeps messages off the host's syslog: `--no-syslog`. Standard error has them in any case. */
  readonly syslog?: false | undefined
}

/**
 * A machine for crosvm: what {@link crosvmSpec} checks and freezes. What crosvm has by default can only be taken
 * away, so those properties hold `false` or nothing; what it can be given holds `true` or nothing.
 *
 * Paths are of the host and absolute: jailed devices have another working directory. `/proc/self/fd/N` names an
 * inherited descriptor instead, for `boot`, `initrd`, `pflash`, `block`, `pmem`, `fileBackedMappings`, files of
 * `serial`, `socket` and sockets of `vhostUser`. Each property is an option of `crosvm run`, by whose `--help`
 * and sources (f1e797a, 2026-08) ranges and defaults are given.
 */
export interface CrosvmMachine {
  /** What the guest and the host are: crosvm emulates no other processor. Decides which options exist. */
  readonly architecture: Architecture
  /** A kernel or a firmware, one of the two: `KERNEL` or `--bios`. */
  readonly boot: Boot
  /** An absolute path of an initial ramdisk: `--initrd`. */
  readonly initrd?: string | undefined
  /**
   * Appended to the kernel's command line, joined by spaces: `--params`. Printable ASCII; with what crosvm adds
   * itself (see {@link addedParams}) at most 2047 bytes, 1023 on riscv64, else a `conflict`.
   */
  readonly params?: readonly string[] | undefined

  /** The guest's memory, in MiB from 1 to 2 ** 30: `--mem`. Default 256. */
  readonly memoryMib?: number | undefined
  /**
   * Advises the kernel to back the guest's memory with huge pages (madvise(2), no hugetlbfs). Where that fails,
   * crosvm only says so.
   */
  readonly hugepages?: true | undefined
  /** Keeps all of the guest's memory in RAM: mlock(2). Where that fails, crosvm only says so. */
  readonly lockGuestMemory?: true | undefined
  /**
   * `false` does without KVM's read-only memory slots, for a hypervisor that promises them wrongly:
   * `--force-disable-readonly-mem`.
   */
  readonly readOnlyMemorySlots?: false | undefined
  /**
   * vmm-swap keeps guest memory in an unnamed file on the file system of this directory, an absolute path:
   * `--swap`. Needs the sandbox. Feature `swap`.
   */
  readonly swapDirectory?: string | undefined
  /**
   * aarch64. The virtio bounce buffer in MiB: `--swiotlb`, experimental. Default 64 with `protected` and
   * `protected-without-firmware`.
   */
  readonly swiotlbMib?: number | undefined
  /** Default: there, with nothing set up. */
  readonly balloon?: Balloon | undefined
  /** Host files in the guest's memory, in the order given. */
  readonly fileBackedMappings?: readonly FileBackedMapping[] | undefined

  /** Default: one vCPU. */
  readonly cpus?: Cpus | undefined
  /**
   * The guest sees the host's own topology (`--host-cpu-topology`); `hwp` (`--enable-hwp`) and `itmt` (`--itmt`)
   * build on one another and are x86-64 only. `cpus.count` must be the host's or absent; excludes `affinity`,
   * `cpuCapacity`, `cpuFrequenciesKhz`, clusters, core types and `smt: false`.
   */
  readonly hostTopology?: 'plain' | 'hwp' | 'hwp-itmt' | undefined
  /** On which host CPUs the vCPUs run. Default: on any. */
  readonly affinity?: CpuAffinity | undefined
  /**
   * The relative capacity of each vCPU, by its number, where 1024 is a whole CPU: `--cpu-capacity`. 32 bits.
   */
  readonly cpuCapacity?: PerCpu<number> | undefined
  /** For the guest's model of power, by vCPU, in µW/MHz/V²: `--dynamic-power-coefficient`. 32 bits. */
  readonly dynamicPowerCoefficient?: PerCpu<number> | undefined
  /** aarch64; needs `virtCpufreq: 'upstream'`. The frequencies of each vCPU, by its number, in kHz. */
  readonly cpuFrequenciesKhz?: PerCpu<readonly number[]> | undefined
  /**
   * aarch64. Instructions per cycle of each vCPU relative to its host CPU, where 1024 (the default) is equal:
   * `--cpu-ipc-ratio`.
   */
  readonly cpuIpcRatio?: PerCpu<number> | undefined
  /**
   * aarch64. A virtual cpufreq device, for the driver of upstream Linux or the older one:
   * `--virt-cpufreq-upstream`, `--virt-cpufreq`. `downstream` needs `hostTopology`, or both `affinity` and
   * `cpuCapacity`.
   */
  readonly virtCpufreq?: 'downstream' | 'upstream' | undefined
  /** `false` shows the guest no hyperthreads: `--no-smt`. */
  readonly smt?: false | undefined
  /** The vCPUs, by number from 0, whose threads get real-time priority: `--rt-cpus`. */
  readonly rtCpus?: CpuSet | undefined
  /** They get it only when `makeRealTime` is asked for on the control socket: `--delay-rt`. */
  readonly delayRt?: true | undefined
  /**
   * A minimum utilisation for the vCPU threads, which hints the host's scheduler at higher frequencies:
   * `--boost-uclamp`.
   */
  readonly boostUclamp?: true | undefined
  /**
   * Lets no foreign thread share a core with a vCPU (PR_SCHED_CORE), against attacks across hyperthreads. Default
   * true.
   */
  readonly coreScheduling?: boolean | undefined
  /** As `coreScheduling`, with one cookie for the whole machine, so that its own vCPUs may share a core. */
  readonly perVmCoreScheduling?: true | undefined
  /**
   * An absolute path of a cgroup to which the vCPU threads are moved: `--vcpu-cgroup-path`. Default: they stay.
   */
  readonly vcpuCgroupPath?: string | undefined
  /**
   * Not riscv64. Whether the guest may run guests: `auto` where the host can, `on` or crosvm ends, `off` never.
   * Default `auto` on x86-64, `off` on aarch64.
   */
  readonly nested?: 'off' | 'auto' | 'on' | undefined
  /** Default: the first device of the host that exists, /dev/kvm before the others. */
  readonly hypervisor?: Hypervisor | undefined
  /** Default `kernel`. `split` is x86-64 only. */
  readonly irqChip?: IrqChip | undefined

  /** Virtio disks, in the order of /dev/vda, /dev/vdb …; `resizeDisk` counts them from 0. */
  readonly block?: readonly BlockDevice[] | undefined
  /** Disks of one virtio-scsi controller, in the order of /dev/sda, /dev/sdb … */
  readonly scsi?: readonly ScsiDisk[] | undefined
  /** Persistent memory, in the order of /dev/pmem0, /dev/pmem1 … Not together with `pmemExt2`. */
  readonly pmem?: readonly PmemDevice[] | undefined
  /**
   * Directories as ext2 images in persistent memory. Not together with `pmem`: crosvm fails to start with both.
   */
  readonly pmemExt2?: readonly PmemExt2Device[] | undefined
  /**
   * Directories of the host in the guest. Their tags must differ. They keep a machine from being suspended and
   * snapshot.
   */
  readonly sharedDirectories?: readonly SharedDirectory[] | undefined
  /** Where the guest's last messages outlive it. Default: nowhere. */
  readonly pstore?: Pstore | undefined
  /** x86-64. A flash chip, for the variables of a UEFI firmware. */
  readonly pflash?: Pflash | undefined

  /** Network cards, in the order given. Feature `net`. */
  readonly net?: readonly NetDevice[] | undefined
  /** A socket family between guest and host: vsock(7). */
  readonly vsock?: VsockDevice | undefined
  /**
   * Serial ports and consoles; (`hardware`, `num`) differ. With no `console` among them, crosvm makes COM1 one,
   * on standard output and input.
   */
  readonly serial?: readonly SerialPort[] | undefined
  /** Feature `gpu`, as for the three properties after it. */
  readonly gpu?: Gpu | undefined
  /** A process that renders for the GPU: what `implicitRenderServer` is without the sandbox. */
  readonly gpuRenderServer?: GpuRenderServer | undefined
  /** An absolute path of a cgroup to which the GPU's threads are moved. Default: they stay. */
  readonly gpuCgroupPath?: string | undefined
  /** As `gpuCgroupPath`, for the threads of the render server. */
  readonly gpuServerCgroupPath?: string | undefined
  /**
   * The X11 display that windows appear on, such as `:0`: `--x-display`. A Wayland socket without a name goes
   * before it.
   */
  readonly xDisplay?: string | undefined
  /** The name under which Android's service manager knows the display. Feature `android_display`. */
  readonly androidDisplayService?: string | undefined
  /** The display's window is a keyboard to the guest: `--display-window-keyboard`. */
  readonly displayWindowKeyboard?: true | undefined
  /** The display's window is a mouse to the guest: `--display-window-mouse`. */
  readonly displayWindowMouse?: true | undefined
  /** Compositors that the guest can reach; their names differ, and one may have none. */
  readonly waylandSockets?: readonly WaylandSocket[] | undefined
  /** Virtio-input devices, in the order given. */
  readonly input?: readonly InputDevice[] | undefined
  /** Virtio-snd cards, in the order given. Feature `audio`. */
  readonly sound?: readonly SoundDevice[] | undefined
  /** The socket of a VioS server, an absolute path below 108 bytes: `--sound`. Feature `audio`. */
  readonly viosSound?: string | undefined
  /**
   * Backends of virtio-video decoders: `libvda`, `libvda-vd`, `ffmpeg` or `vaapi`. Experimental. Feature
   * `video-decoder`.
   */
  readonly videoDecoders?: readonly string[] | undefined
  /** Backends of virtio-video encoders, by the same names. Experimental. Feature `video-encoder`. */
  readonly videoEncoders?: readonly string[] | undefined
  /** Backends of virtio-media decoders, by the same names. Features `media` and `video-decoder`. */
  readonly mediaDecoders?: readonly string[] | undefined
  /** Absolute paths of V4L2 devices that the guest gets by virtio-media: `--v4l2-proxy`. Feature `media`. */
  readonly v4l2Proxies?: readonly string[] | undefined
  /** A virtual camera with a fixed pattern, for tests: `--simple-media-device`. Feature `media`. */
  readonly simpleMediaDevice?: true | undefined

  /** Devices that other processes serve, in the order given. */
  readonly vhostUser?: readonly VhostUserDevice[] | undefined
  /**
   * Milliseconds for which a backend is tried again that does not listen yet: `--vhost-user-connect-timeout-ms`.
   * 0, the default: not again.
   */
  readonly vhostUserConnectTimeoutMs?: number | undefined
  /** Devices of the host that belong to the guest while it runs. */
  readonly vfio?: readonly VfioDevice[] | undefined
  /** Devices that `plugVfio` adds later lie behind a virtio-iommu: `--vfio-isolate-hotplug`. */
  readonly vfioIsolateHotplug?: true | undefined
  /**
   * aarch64. Lets the guest put platform devices to sleep (VFIO's LOW_POWER_ENTRY and EXIT). Experimental.
   */
  readonly vfioPlatformPm?: true | undefined
  /** Only where a `vfio` device has `iommu: 'coiommu'`, else a `conflict`. */
  readonly coIommu?: CoIommu | undefined
  /**
   * x86-64. How many PCI slots wait for `addTap`, 0 to 255: `--pci-hotplug-slots`. Default none. Feature
   * `pci-hotplug`.
   */
  readonly pciHotplugSlots?: number | undefined

  /** `false` leaves the xHCI controller out: `--no-usb`. With it no machine can be suspended or snapshot. */
  readonly usb?: false | undefined
  /** `false` leaves the virtio random number generator out: `--no-rng`. */
  readonly rng?: false | undefined
  /** x86-64. `false` leaves the keyboard controller out, and with it the reset by it: `--no-i8042`. */
  readonly i8042?: false | undefined
  /** x86-64. `false` leaves the CMOS clock out: `--no-rtc`. */
  readonly rtc?: false | undefined
  /** aarch64. `false` leaves the performance monitor unit out: `--no-pmu`. */
  readonly pmu?: false | undefined
  /** `false` leaves virtio devices without pin interrupts: `--disable-virtio-intx`. */
  readonly virtioIntx?: false | undefined
  /** A virtio-tpm that asks the vtpm daemon of the host: `--vtpm-proxy`. Feature `vtpm`. */
  readonly vtpmProxy?: true | undefined
  /**
   * A virtio-pvclock: the guest's CLOCK_MONOTONIC leaves out the time that it was suspended, CLOCK_BOOTTIME
   * counts it. Feature `pvclock`.
   */
  readonly pvclock?: true | undefined
  /** aarch64. Entropy by SMCCC TRNG calls: `--smccc-trng`, experimental. */
  readonly smcccTrng?: true | undefined
  /** aarch64. An SCMI device that the host's kernel serves: `--vhost-scmi`. */
  readonly vhostScmi?: true | undefined
  /** aarch64. By which interface the guest powers assigned devices: `--dev-pm`. */
  readonly devicePowerManagement?: 'pkvm-hvc' | undefined
  /** A battery whose state `changeBattery` sets: `--battery`. Default: none. */
  readonly battery?: 'goldfish' | undefined
  /** Where PCI lies in the guest's physical memory. Default: crosvm decides. */
  readonly pci?: PciLayout | undefined
  /** PCI devices that only enumerate, in the order given. */
  readonly stubPciDevices?: readonly StubPciDevice[] | undefined
  /** x86-64. What the guest reads by dmidecode(8). */
  readonly smbios?: Smbios | undefined
  /** Files for the firmware, in the order given. They bring the device along. */
  readonly fwCfg?: readonly FwCfgFile[] | undefined
  /**
   * The fw_cfg device without files of yours; crosvm adds the boot order and where the RSDP is:
   * `--enable-fw-cfg`.
   */
  readonly fwCfgDevice?: true | undefined
  /** Absolute paths of ACPI tables, in their binary form, that the guest gets as well: `--acpi-table`. */
  readonly acpiTables?: readonly string[] | undefined
  /** Applied to the machine's device tree in the order given. */
  readonly deviceTreeOverlays?: readonly DeviceTreeOverlay[] | undefined
  /**
   * Where the device tree lies in memory; nothing on x86-64. Default on aarch64 `end` for a kernel and `start`
   * for a bios, on riscv64 `after-payload`.
   */
  readonly fdtPosition?: 'start' | 'end' | 'after-payload' | undefined
  /**
   * An absolute path to which crosvm writes the device tree that it made, for looking at:
   * `--dump-device-tree-blob`.
   */
  readonly dumpDeviceTreeBlob?: string | undefined
  /** An absolute path of an fstab of Android, put into the device tree: `--android-fstab`. */
  readonly androidFstab?: string | undefined
  /**
   * x86-64. The guest suspends to idle, not to RAM: `--s2idle`. `suspendVcpus` then waits for the guest to have
   * slept, for 15 s at most.
   */
  readonly s2idle?: true | undefined
  /**
   * x86-64. Makes Linux use the memory-mapped configuration space of PCI (ECAM), by breaking its probe of the
   * ports.
   */
  readonly breakLinuxPciConfigIo?: true | undefined
  /**
   * x86-64. Bus locks a second that the guest may take, of 64 bits: `--bus-lock-ratelimit`. 0, the default: any
   * number.
   */
  readonly busLockRatelimit?: bigint | undefined
  /**
   * x86-64. Tells the guest a calibrated frequency of its TSC (CPUID leaf 0x15) even where the hypervisor does
   * not want it.
   */
  readonly forceCalibratedTscLeaf?: true | undefined

  /** Default: the host may read the guest's memory. */
  readonly protection?: Protection | undefined
  /** Default `jailed`, with the policies that are compiled in. */
  readonly sandbox?: Sandbox | undefined
  /**
   * The control socket, made by crosvm: nothing may be there, the directory must be. Absolute, below 108 bytes.
   * It is removed by an orderly end only. `/proc/self/fd/N`: an inherited SEQPACKET socket that listens.
   */
  readonly socket?: string | undefined
  /** Default: it runs. */
  readonly start?: Start | undefined
  /**
   * An absolute path of a snapshot directory to start from: `--restore`. Of a machine described alike; disks must
   * be as they were.
   */
  readonly restore?: string | undefined
  /** At most 15 bytes; names the process. */
  readonly name?: string | undefined
  /** How devices wait for their files: `--async-executor`. Default `epoll`. */
  readonly asyncExecutor?: AsyncExecutor | undefined
  /** Default: messages from `info` on, on standard error and in the host's syslog. */
  readonly logging?: Logging | undefined
}

/** A machine that is being put together, before it is checked. */
export type Draft = { -readonly [K in keyof CrosvmMachine]?: CrosvmMachine[K] }
