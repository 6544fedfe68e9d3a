import { err, ok, type Result } from 'neverthrow'
import { visible } from '../visible.js'
import { type ExactJson, parseExactJson } from './exact-json.js'

/**
 * A figure that a balloon reports, by crosvm's name.
 *
 * @useDeclaredType
 */
export type BalloonStat = (typeof STATS)[number]

/**
 * Statistics that the guest's balloon driver reports: numbers of bytes or events; null where it does not. The
 * names are crosvm's; source: VIRTIO_BALLOON_S_* of the virtio specification, and crosvm's own `shared_memory`
 * and `unevictable_memory`.
 */
export type BalloonStats = Readonly<Record<BalloonStat, bigint | null>>

/** How much of the guest's memory was last used how long ago. */
export interface WorkingSetBucket {
  /** Milliseconds since the last use, as the guest's driver counts them. */
  readonly age: bigint
  /** Bytes of its page cache. */
  readonly fileBytes: bigint
  /** Bytes of its programs' own memory. */
  readonly anonymousBytes: bigint
}

/** A device in a port of the machine's USB controller. */
export interface AttachedUsbDevice {
  /** Of the machine's controller, 1 to 255: what `detachUsb` takes. */
  readonly port: number
  /** As the device says it of itself; 16 bits, like `productId`. */
  readonly vendorId: number
  readonly productId: number
}

/** What crosvm's swapping does, and how much memory is where. */
export interface SwapStatus {
  /**
   * `Ready`: off. `Pending`: memory is staged. `Active`: it was swapped out. `Failed`: swapping out failed. The
   * rest are on their way. Source: `SwapState` of crosvm's swap/src/lib.rs.
   */
  readonly state:
    | 'Ready'
    | 'Failed'
    | 'Pending'
    | 'TrimInProgress'
    | 'SwapOutInProgress'
    | 'Active'
    | 'SwapInInProgress'
  /** Pages, by crosvm's own names: `resident_pages`, `staging_pages`, `swap_pages` … */
  readonly metrics: Readonly<Record<string, bigint>>
  /** The latest move of memory: how many pages, and how long it took. */
  readonly transition: { readonly pages: bigint; readonly milliseconds: bigint }
}

/** A display of the machine's GPU. */
export interface Display {
  /** Pixels of its window. */
  readonly windowed: readonly [width: number, height: number]
  /** Whether the window is not shown. */
  readonly hidden: boolean
  /** Hertz. */
  readonly refreshRate: number
  /** Dots per inch, horizontally and vertically. */
  readonly dpi: readonly [number, number]
}

/**
 * Every reply of crosvm's control socket: `VmResponse` of its vm_control/src/lib.rs. Texts are escaped and have
 * at most 1024 characters.
 */
export type ControlReply =
  /** It was done. */
  | { readonly kind: 'ok' }
  /** A number of errno.h. */
  | {
      readonly kind: 'errno'
      /** As errno.h numbers it. */
      readonly errno: number
    }
  /** A refusal in words. */
  | {
      readonly kind: 'error-text'
      /** crosvm's own words. */
      readonly text: string
    }
  /** What `unregister-memory` wants. */
  | {
      readonly kind: 'memory-region'
      /** As crosvm numbers it. */
      readonly regionId: bigint
    }
  /** `balloonBytes`: how large the balloon is, in bytes. */
  | {
      readonly kind: 'balloon-stats'
      /** As the guest reports them. */
      readonly stats: BalloonStats
      /** Bytes that the balloon has taken from the guest. */
      readonly balloonBytes: bigint
    }
  | {
      readonly kind: 'working-set'
      /** At most 64, in crosvm's order. */
      readonly buckets: readonly WorkingSetBucket[]
      /** Bytes that the balloon has taken from the guest. */
      readonly balloonBytes: bigint
    }
  /** The bus of a card that was plugged in, 0 to 255. */
  | {
      readonly kind: 'pci-bus'
      /** 0 to 255. */
      readonly bus: number
    }
  /** The port of a device that was plugged in or taken out. */
  | {
      readonly kind: 'usb-port'
      /** Of the machine's controller, 0 to 255. */
      readonly port: number
    }
  /** Empty ports are left out. */
  | { readonly kind: 'usb-devices'; readonly devices: readonly AttachedUsbDevice[] }
  /** `NoAvailablePort`, `NoSuchDevice`, `NoSuchPort`, `FailedToOpenDevice`, `FailedToInitHostDevice` */
  | {
      readonly kind: 'usb-failure'
      /** crosvm's name of it. */
      readonly reason: string
    }
  /** The displays are as was asked for. */
  | { readonly kind: 'displays-updated' }
  /** By their ids. */
  | { readonly kind: 'displays'; readonly displays: ReadonlyMap<number, Display> }
  /** Too many displays, none of that id, or crosvm's own words. */
  | {
      readonly kind: 'gpu-failure'
      /** crosvm's words. */
      readonly reason: string
    }
  | { readonly kind: 'battery-ok' }
  /** By crosvm's own name for it. */
  | {
      readonly kind: 'battery-failure'
      /** crosvm's name of it. */
      readonly reason: string
    }
  | { readonly kind: 'swap-status'; readonly status: SwapStatus }
  /** In the order of the vCPUs. */
  | { readonly kind: 'vcpu-threads'; readonly threads: readonly VcpuThread[] }
  /** The descriptor is the first that came along. */
  | {
      readonly kind: 'vm-descriptor'
      /** crosvm's own word for it, escaped. */
      readonly hypervisor: string
    }

/** The thread of the host on which a vCPU runs. */
export interface VcpuThread {
  /** By its number from 0. */
  readonly vcpu: number
  /** Of crosvm's process, as it sees itself. */
  readonly pid: number
  /** Of the thread in it, likewise. */
  readonly tid: number
}

/** A reply that is no reply of crosvm: what `decodeReply` does not understand. */
export interface ReplyError {
  readonly kind: 'malformed-reply'
  /** What is wrong with it, and where in its text. */
  readonly message: string
}

/** More than any reply takes: 4096 vCPUs make 100 kB. */
export const LONGEST_REPLY = 262_144

class Unexpected {
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}

/**
 * Reads one packet, of at most 262 144 bytes, that came with so many descriptors. Strict: an unknown variant,
 * key, type or a number out of its range is `malformed-reply`, because the wire has no version and a guess would
 * be worse.
 */
export function decodeReply(bytes: Uint8Array, descriptors: number): Result<ControlReply, ReplyError> {
  const malformed = (why: string): Result<ControlReply, ReplyError> =>
    err({
      kind: 'malformed-reply',
      message: `crosvm's reply is not understood: ${why}; does this crosvm fit?`,
    })
  if (bytes.length > LONGEST_REPLY) return malformed(`${bytes.length} bytes`)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return malformed('it is not UTF-8')
  }
  const json = parseExactJson(text)
  if (json.isErr()) return malformed(`${json.error.message} at ${json.error.offset}`)
  try {
    const reply = read(json.value)
    const expected = reply.kind === 'vm-descriptor' ? 1 : 0
    if (descriptors !== expected) return malformed(`it came with ${descriptors} descriptors, not ${expected}`)
    return ok(reply)
  } catch (cause) {
    if (!(cause instanceof Unexpected)) throw cause
    return malformed(cause.message)
  }
}

function read(json: ExactJson): ControlReply {
  if (json === 'Ok') return { kind: 'ok' }
  const [variant, held] = single(json)
  const reader = Object.hasOwn(READERS, variant) ? READERS[variant] : undefined
  if (!reader) throw new Unexpected(`unknown variant ${quoted(variant)}`)
  return reader(held)
}

const READERS: Readonly<Record<string, (json: ExactJson) => ControlReply>> = {
  Err: (json) => ({ kind: 'errno', errno: integer(json, 0x7fff_ffff) }),
  ErrString: (json) => ({ kind: 'error-text', text: shown(json) }),
  RegisterMemory2: (json) => ({ kind: 'memory-region', regionId: u64(fields(json, 'region_id')[0]!) }),
  BalloonStats: (json) => {
    const [stats, actual] = fields(json, 'stats', 'balloon_actual')
    const values = fields(stats!, ...STATS)
    const read = values.map((value, index) => [STATS[index], value === null ? null : u64(value)])
    return {
      kind: 'balloon-stats',
      stats: Object.fromEntries(read) as BalloonStats,
      balloonBytes: u64(actual!),
    }
  },
  BalloonWS: (json) => {
    const [ws, actual] = fields(json, 'ws', 'balloon_actual')
    const buckets = array(fields(ws!, 'ws')[0]!, 64).map((bucket) => {
      const [age, bytes] = fields(bucket, 'age', 'bytes')
      const [file, anonymous] = pair(bytes!)
      return { age: u64(age!), fileBytes: u64(file), anonymousBytes: u64(anonymous) }
    })
    return { kind: 'working-set', buckets, balloonBytes: u64(actual!) }
  },
  PciHotPlugResponse: (json) => ({ kind: 'pci-bus', bus: integer(fields(json, 'bus')[0]!, 255) }),
  UsbResponse: readUsb,
  GpuResponse: readGpu,
  BatResponse: (json) =>
    json === 'Ok' ? { kind: 'battery-ok' } : { kind: 'battery-failure', reason: shown(json) },
  SwapStatus: (json) => ({ kind: 'swap-status', status: readSwap(json) }),
  VcpuPidTidResponse: (json) => {
    const threads = [...map(fields(json, 'pid_tid_map')[0]!, 4096)].map(([vcpu, ids]) => {
      const [pid, tid] = pair(ids)
      return { vcpu: index(vcpu), pid: integer(pid, 0x7fff_ffff), tid: integer(tid, 0x7fff_ffff) }
    })
    return { kind: 'vcpu-threads', threads: threads.sort((a, b) => a.vcpu - b.vcpu) }
  },
  VmDescriptor: (json) => {
    const [hypervisor, fd] = fields(json, 'hypervisor', 'vm_fd')
    if (fd !== 0n) throw new Unexpected('the descriptor is not the first')
    return { kind: 'vm-descriptor', hypervisor: shown(hypervisor!) }
  },
}

function readUsb(json: ExactJson): ControlReply {
  if (typeof json === 'string') return { kind: 'usb-failure', reason: shown(json) }
  const [variant, held] = single(json)
  if (variant === 'Ok') return { kind: 'usb-port', port: integer(fields(held, 'port')[0]!, 255) }
  if (variant !== 'Devices') throw new Unexpected(`unknown USB variant ${quoted(variant)}`)
  const devices = array(held, 64).map((device) => {
    const [port, vendorId, productId] = fields(device, 'port', 'vendor_id', 'product_id')
    return {
      port: integer(port!, 255),
      vendorId: integer(vendorId!, 0xffff),
      productId: integer(productId!, 0xffff),
    }
  })
  // Port 0 stands for an empty place.
  return { kind: 'usb-devices', devices: devices.filter((device) => device.port !== 0) }
}

function readGpu(json: ExactJson): ControlReply {
  if (json === 'DisplaysUpdated' || json === 'DisplayMouseModeSet') return { kind: 'displays-updated' }
  const [variant, held] = single(json)
  switch (variant) {
    case 'DisplayList':
      return { kind: 'displays', displays: readDisplays(fields(held, 'displays')[0]!) }
    case 'TooManyDisplays': {
      const [allowed, requested] = fields(held, 'allowed', 'requested')
      return { kind: 'gpu-failure', reason: `${u64(requested!)} displays, ${u64(allowed!)} allowed` }
    }
    case 'NoSuchDisplay':
      return { kind: 'gpu-failure', reason: `no display ${u64(fields(held, 'display_id')[0]!)}` }
    case 'ErrString':
      return { kind: 'gpu-failure', reason: shown(held) }
    default:
      throw new Unexpected(`unknown GPU variant ${quoted(variant)}`)
  }
}

function readDisplays(json: ExactJson): ReadonlyMap<number, Display> {
  const displays = new Map<number, Display>()
  for (const [id, display] of map(json, 64)) {
    const [mode, hidden, rate, dpi] = fields(display, 'mode', 'hidden', 'refresh-rate', 'dpi')
    const numbers = (value: ExactJson): [number, number] => {
      const [first, second] = pair(value)
      return [integer(first, 0xffff_ffff), integer(second, 0xffff_ffff)]
    }
    if (typeof hidden !== 'boolean') throw new Unexpected('hidden is no boolean')
    displays.set(index(id), {
      windowed: numbers(fields(mode!, 'windowed')[0]!),
      hidden,
      refreshRate: integer(rate!, 0xffff_ffff),
      dpi: numbers(dpi!),
    })
  }
  return displays
}

const SWAP_STATES = [
  'Ready',
  'Failed',
  'Pending',
  'TrimInProgress',
  'SwapOutInProgress',
  'Active',
  'SwapInInProgress',
] as const

function readSwap(json: ExactJson): SwapStatus {
  const [word, metrics, transition] = fields(json, 'state', 'metrics', 'state_transition')
  const state = SWAP_STATES.find((known) => known === word)
  if (state === undefined) throw new Unexpected('unknown swap state')
  const [pages, milliseconds] = fields(transition!, 'pages', 'time_ms')
  const counted = [...map(metrics!, 32)].map(([name, value]) => [name, u64(value)] as const)
  return {
    state,
    metrics: Object.fromEntries(counted),
    transition: { pages: u64(pages!), milliseconds: u64(milliseconds!) },
  }
}

const STATS = [
  'swap_in',
  'swap_out',
  'major_faults',
  'minor_faults',
  'free_memory',
  'total_memory',
  'available_memory',
  'disk_caches',
  'hugetlb_allocations',
  'hugetlb_failures',
  'shared_memory',
  'unevictable_memory',
] as const

function isMap(json: ExactJson): json is ReadonlyMap<string, ExactJson> {
  return json instanceof Map
}

function map(json: ExactJson, most: number): ReadonlyMap<string, ExactJson> {
  if (!isMap(json)) throw new Unexpected('expected an object')
  if (json.size > most) throw new Unexpected(`more than ${most} entries`)
  return json
}

/** The one variant of an enum that holds something. */
function single(json: ExactJson): readonly [string, ExactJson] {
  const [entry] = map(json, 1)
  return (
    entry ??
    (() => {
      throw new Unexpected('an empty object')
    })()
  )
}

/** Exactly these fields, in this order. */
function fields(json: ExactJson, ...names: readonly string[]): readonly ExactJson[] {
  const held = map(json, names.length)
  return names.map((name) => {
    const value = held.get(name)
    if (value === undefined) throw new Unexpected(`${quoted(name)} is missing`)
    return value
  })
}

function array(json: ExactJson, most: number): readonly ExactJson[] {
  if (!Array.isArray(json)) throw new Unexpected('expected a list')
  if (json.length > most) throw new Unexpected(`more than ${most} items`)
  return json
}

function pair(json: ExactJson): readonly [ExactJson, ExactJson] {
  const items = array(json, 2)
  if (items.length !== 2) throw new Unexpected('expected two items')
  return [items[0]!, items[1]!]
}

function u64(json: ExactJson): bigint {
  if (typeof json !== 'bigint' || json < 0n || json > 0xffff_ffff_ffff_ffffn) {
    throw new Unexpected('expected an unsigned 64-bit number')
  }
  return json
}

function integer(json: ExactJson, most: number): number {
  if (typeof json !== 'bigint' || json < 0n || json > BigInt(most)) {
    throw new Unexpected(`expected a number from 0 to ${most}`)
  }
  return Number(json)
}

function index(key: string): number {
  if (!/^(0|[1-9][0-9]{0,9})$/.test(key)) throw new Unexpected(`${quoted(key)} is no index`)
  return Number(key)
}

/** Text that may come from a device process: bounded, and nothing that a terminal obeys. */
function shown(json: ExactJson): string {
  if (typeof json !== 'string') throw new Unexpected('expected a string')
  return visible(json.slice(0, 1024))
}

function quoted(text: string): string {
  return JSON.stringify(visible(text.slice(0, 80)))
}
