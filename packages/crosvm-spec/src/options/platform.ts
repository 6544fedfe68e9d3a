import { bracketedCpus, type CpuSet, type PerCpu, perCpu, printCpus, readCpus } from '../grammar/cpu-set.js'
import { type PciAddress, pciAddress, uuid } from '../grammar/network.js'
import { optional, record, required } from '../grammar/record.js'
import { refuse } from '../grammar/refusal.js'
import { choice, count, flag, integer, list, u8, u16, u32, u64 } from '../grammar/scalar.js'
import { decimal } from '../grammar/separated.js'
import type { Shape } from '../grammar/shape.js'
import { path, text } from '../grammar/text.js'

/** The vCPUs and how they look to the guest: `--cpus`. */
export interface Cpus {
  /** vCPUs: `num-cores`. At most 254 on x86-64, else 4096. Default 1. */
  readonly count?: number | undefined
  /** vCPUs that share a cluster, by number from 0; none in two. Default: no clusters. */
  readonly clusters?: readonly CpuSet[] | undefined
  /** x86-64, on a hybrid host: names every vCPU once, as an Intel Atom or an Intel Core. */
  readonly coreTypes?: { readonly atom: CpuSet; readonly core: CpuSet } | undefined
  /** Which vCPU starts the guest, by its number from 0; aarch64 only, by crosvm's help. Default 0. */
  readonly bootCpu?: number | undefined
  /** aarch64, by crosvm's help. vCPUs whose frequency changes together, by number from 0. Default: none. */
  readonly freqDomains?: readonly CpuSet[] | undefined
  /**
   * aarch64. Memory tagging where the host has it. Excludes `pmem`, `pmemExt2` and `pstore`. Default: none.
   */
  readonly mte?: { readonly auto: boolean } | undefined
  /** aarch64. The scalable vector extension where the host has it. */
  readonly sve?: { readonly auto: boolean } | undefined
}

export const cpus: Shape<Cpus> = record<Cpus>({
  count: optional('num-cores', integer(1, 4096, 64)),
  clusters: optional('clusters', list(bracketedCpus, { least: 1 })),
  coreTypes: optional(
    'core-types',
    record<{ readonly atom: CpuSet; readonly core: CpuSet }>({
      atom: required('atom', bracketedCpus),
      core: required('core', bracketedCpus),
    }),
  ),
  bootCpu: optional('boot-cpu', count),
  freqDomains: optional('freq-domains', list(bracketedCpus, { least: 1 })),
  mte: optional('mte', record<{ readonly auto: boolean }>({ auto: required('auto', flag) })),
  sve: optional('sve', record<{ readonly auto: boolean }>({ auto: required('auto', flag) })),
})

/**
 * Host CPUs for all vCPUs, or for each by its number: `--cpu-affinity`. As of sched_setaffinity(2). Not with
 * `hostTopology`.
 */
export type CpuAffinity =
  /** Every vCPU runs on any of these host CPUs. */
  | { readonly kind: 'all'; readonly cpus: CpuSet }
  /** Each vCPU that is named runs on its own set. */
  | { readonly kind: 'each'; readonly cpus: PerCpu<CpuSet> }

const each = perCpu<CpuSet>({ between: ':', print: printCpus, read: readCpus })

export const cpuAffinity: Shape<CpuAffinity> = {
  print: (value) => {
    if (value.kind === 'all') return printCpus(value.cpus)
    return value.kind === 'each' ? each.print(value.cpus) : refuse('kind must be all or each')
  },
  read: (cursor) => {
    if (cursor.rest.includes('=')) return { kind: 'each', cpus: each.read(cursor) }
    const text = cursor.rest
    cursor.offset = cursor.text.length
    return { kind: 'all', cpus: readCpus(text) }
  },
}

function wholeU32(value: unknown): string {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
    refuse(`expected a whole number from 0 to ${0xffff_ffff}, not ${String(value)}`)
  }
  return String(value === 0 ? 0 : value)
}

const readU32 = (text: string) => Number(wholeU32(decimal(text)))

export const numberPerCpu = perCpu<number>({ between: ',', print: wholeU32, read: readU32 })

export const numbersPerCpu = perCpu<readonly number[]>({
  between: ';',
  print: (values) => {
    if (!Array.isArray(values) || values.length === 0) refuse('expected a list with at least one number')
    return values.map(wholeU32).join(',')
  },
  read: (word) => word.split(',').map(readU32),
})

/** A piece of the guest's physical address space; without `size` it goes on to the end. */
export interface MemoryRegion {
  /** The first address, of 64 bits. */
  readonly start: bigint
  /** Bytes. */
  readonly size?: bigint | undefined
}

const region = record<MemoryRegion>(
  { start: required('start', u64), size: optional('size', u64) },
  { ignoresUnknown: true },
)

/** Where PCI lies in the guest's memory: `--pci`. */
export interface PciLayout {
  /** x86-64. The enhanced configuration space of PCI Express. */
  readonly ecam?: MemoryRegion | undefined
  /** aarch64. The configuration space of PCI. */
  readonly cam?: MemoryRegion | undefined
  /** Memory of devices that must not be prefetched, below 4 GiB. */
  readonly mem?: MemoryRegion | undefined
}

export const pciLayout: Shape<PciLayout> = record<PciLayout>(
  { ecam: optional('ecam', region), cam: optional('cam', region), mem: optional('mem', region) },
  {
    ignoresUnknown: true,
    firstKey: (architecture) => ({ x86_64: 'ecam', aarch64: 'cam' })[architecture ?? ''] ?? 'mem',
  },
)

/** What the guest's DMI tables say: `--smbios`. Free text but for `uuid`; by default crosvm's own. */
export interface Smbios {
  /** The vendor of the firmware. */
  readonly biosVendor?: string | undefined
  /** Its version, in any form. */
  readonly biosVersion?: string | undefined
  /** The maker of the system. */
  readonly manufacturer?: string | undefined
  /** What the system is called. */
  readonly productName?: string | undefined
  /** The serial number of the system. */
  readonly serialNumber?: string | undefined
  /** Of the system, lower case: `0a1b2c3d-0000-4000-8000-0123456789ab`. */
  readonly uuid?: string | undefined
  /** 1 to 255 strings of SMBIOS type 11. systemd takes credentials from them. */
  readonly oemStrings?: readonly string[] | undefined
}

export const smbios: Shape<Smbios> = record<Smbios>({
  biosVendor: optional('bios-vendor', text({ name: 'biosVendor' })),
  biosVersion: optional('bios-version', text({ name: 'biosVersion' })),
  manufacturer: optional('manufacturer', text({ name: 'manufacturer' })),
  productName: optional('product-name', text({ name: 'productName' })),
  serialNumber: optional('serial-number', text({ name: 'serialNumber' })),
  uuid: optional('uuid', uuid),
  oemStrings: optional('oem-strings', list(text({ name: 'oemStrings' }), { least: 1, most: 255 })),
})

/** A host file in the guest's memory: `--file-backed-mapping`. */
export interface FileBackedMapping {
  /** Absolute, or `/proc/self/fd/N`. */
  readonly path: string
  /** Guest-physical: `addr`. Page aligned, unless `align`. */
  readonly address: bigint
  /** Bytes. Page aligned, unless `align`. */
  readonly size: bigint
  /** Bytes into the file. Default 0. */
  readonly offset?: bigint | undefined
  /** The guest's writes reach the file: `rw`. Default false. */
  readonly writable?: boolean | undefined
  /** Opens the file with O_SYNC. Default false. */
  readonly sync?: boolean | undefined
  /** Widens to whole pages instead of refusing. Default false. */
  readonly align?: boolean | undefined
  /**
   * Replaces part of the guest's RAM, in which it must lie, instead of being a region of its own. Default false.
   */
  readonly ram?: boolean | undefined
}

export const fileBackedMapping: Shape<FileBackedMapping> = record<FileBackedMapping>(
  {
    path: required('path', path('path')),
    address: required('addr', u64),
    size: required('size', u64),
    offset: optional('offset', u64),
    writable: optional('rw', flag),
    sync: optional('sync', flag),
    align: optional('align', flag),
    ram: optional('ram', flag),
  },
  {
    check: ({ address, size, align }) => {
      if (address + size > 0xffff_ffff_ffff_f000n) return 'address + size goes past the end of memory'
      // 4 KiB is the smallest page of the supported hosts; a host with larger ones refuses more.
      if (!align && (address % 4096n !== 0n || size % 4096n !== 0n)) {
        return 'address and size must be multiples of the page size: round them, or set align'
      }
      return size === 0n ? 'size must be more than 0' : undefined
    },
  },
)

/**
 * A file in which the guest's last messages survive its restart: `--pstore`. The guest needs ramoops, whose
 * parameters crosvm adds.
 */
export interface Pstore {
  /** Absolute. crosvm makes the file where there is none, and sets its length. */
  readonly path: string
  /** Bytes, of 32 bits. */
  readonly size: number
}

export const pstore: Shape<Pstore> = record<Pstore>({
  path: required('path', path('path')),
  size: required('size', u32),
})

/** A flash chip with the contents of a file, which the guest writes: `--pflash`. */
export interface Pflash {
  /** Absolute. The file must be there, and may be written. */
  readonly path: string
  /** Bytes that are erased together. Default 4096. */
  readonly blockSize?: number | undefined
}

export const pflash: Shape<Pflash> = record<Pflash>(
  { path: required('path', path('path')), blockSize: optional('block_size', integer(1, 0xffff_ffff, 32)) },
  { ignoresUnknown: true },
)

/**
 * One file of the firmware configuration device: `--fw-cfg`. `name` has at most 55 bytes; the contents are
 * `string` itself, or those of the file at `path`, an absolute path.
 */
export type FwCfgFile =
  /** Contents that are given here. */
  | { readonly name: string; readonly string: string; readonly path?: undefined }
  /** Contents of a file of the host. */
  | { readonly name: string; readonly path: string; readonly string?: undefined }

interface FlatFwCfg {
  readonly name: string
  readonly string?: string | undefined
  readonly path?: string | undefined
}

export const fwCfgFile = record<FlatFwCfg>(
  {
    // FW_CFG_FILENAME of the specification: 56 bytes with the terminating zero.
    name: required('name', text({ name: 'name', maxBytes: 55, onlyHere: true })),
    string: optional('string', text({ name: 'string' })),
    path: optional('path', path('path')),
  },
  {
    sound: (file) =>
      (file.string === undefined) === (file.path === undefined) ? 'give either string or path' : undefined,
  },
) as Shape<FwCfgFile>

/** A device tree that is laid over the machine's own: `--device-tree-overlay`. */
export interface DeviceTreeOverlay {
  /** Absolute: a compiled overlay (.dtbo). */
  readonly path: string
  /** Labels of the nodes that are taken, at least one. Default: all of them. */
  readonly selectSymbols?: readonly string[] | undefined
  /** Also takes the nodes that `vfio` devices name with `dtSymbol`. Default false. */
  readonly filter?: boolean | undefined
}

export const deviceTreeOverlay: Shape<DeviceTreeOverlay> = record<DeviceTreeOverlay>({
  path: required('path', path('path')),
  selectSymbols: optional('select-symbols', list(text({ name: 'selectSymbols' }), { least: 1 })),
  filter: optional('filter', flag),
})

/** A PCI device that does nothing but be there: `--stub-pci-device`. */
export interface StubPciDevice {
  /** Where it is in the guest. */
  readonly address: PciAddress
  /**
   * 16 bits of the configuration space, as for `device`, `subsystemVendor` and `subsystemDevice`. Default 0.
   */
  readonly vendor?: number | undefined
  /** The vendor's number for it. */
  readonly device?: number | undefined
  /** Class, subclass and programming interface as in sysfs: 0x020000. */
  readonly class?: number | undefined
  /** Who built the card that it is on. */
  readonly subsystemVendor?: number | undefined
  /** That vendor's number for the card. */
  readonly subsystemDevice?: number | undefined
  /** 8 bits. Default 0. */
  readonly revision?: number | undefined
}

/** The class codes of PCI that crosvm knows. */
const classCode = (value: number) => value <= 0x13 || value === 0xff

export const stubPciDevice: Shape<StubPciDevice> = record<StubPciDevice>(
  {
    address: required('address', pciAddress),
    vendor: optional('vendor', u16),
    device: optional('device', u16),
    class: optional('class', integer(0, 0xff_ffff)),
    subsystemVendor: optional('subsystem-vendor', u16, 'subsystem_vendor'),
    subsystemDevice: optional('subsystem-device', u16, 'subsystem_device'),
    revision: optional('revision', u8),
  },
  {
    check: (stub) =>
      classCode((stub.class ?? 0) >> 16) ? undefined : 'class has a class code crosvm does not know',
  },
)

export interface MemOptions {
  readonly sizeMib?: number | undefined
}

/** MiB, not bytes and not "2G". 2 ** 30 MiB is a pebibyte. */
export const memory: Shape<MemOptions> = record<MemOptions>({
  sizeMib: optional('size', integer(1, 2 ** 30, 64)),
})

export interface BatteryOptions {
  readonly type?: 'goldfish' | undefined
}

export const battery: Shape<BatteryOptions> = record<BatteryOptions>({
  type: optional('type', choice(['goldfish'])),
})

export interface NestedOptions {
  readonly mode?: 'off' | 'auto' | 'on' | undefined
}

export const nested: Shape<NestedOptions> = record<NestedOptions>({
  mode: optional('mode', choice(['off', 'auto', 'on'])),
})

export const videoDevice: Shape<{ readonly backend: string }> = record<{ readonly backend: string }>(
  { backend: required('backend', choice(['libvda', 'libvda-vd', 'ffmpeg', 'vaapi']) as Shape<string>) },
  { ignoresUnknown: true },
)
