import { type ExactJson, type PlainJson, printExactJson } from '../control/exact-json.js'
import type { CrosvmMachine } from '../machine.js'

/** What a fake machine remembers between requests. */
export interface FakeState {
  balloonBytes: bigint
  readonly usb: Set<number>
  readonly displays: Map<number, PlainJson>
  readonly regions: Set<bigint>
  nextRegion: bigint
}

export function fakeState(): FakeState {
  return { balloonBytes: 0n, usb: new Set(), displays: new Map(), regions: new Set(), nextRegion: 1n }
}

export type FakeAnswer =
  | { readonly kind: 'reply'; readonly text: string; readonly withDescriptor: boolean }
  /** A malformed request, or one that crosvm never answers. */
  | { readonly kind: 'silence' }
  | { readonly kind: 'exit' }

/** The name of a request: `Exit`, `BalloonCommand`. */
export function requestName(json: ExactJson): string {
  if (typeof json === 'string') return json
  return json instanceof Map && json.size === 1 ? (json.keys().next().value as string) : ''
}

const ENODEV = 19
const EINVAL = 22
const reply = (value: PlainJson, withDescriptor = false): FakeAnswer => {
  return { kind: 'reply', text: printExactJson(value), withDescriptor }
}
const OK = reply('Ok')
const silence: FakeAnswer = { kind: 'silence' }
const field = (json: ExactJson, name: string): ExactJson =>
  json instanceof Map ? (json.get(name) ?? null) : null

/** What crosvm would answer. `descriptors`: how many came along. */
export function answer(
  json: ExactJson,
  descriptors: number,
  machine: CrosvmMachine,
  state: FakeState,
): FakeAnswer {
  const name = requestName(json)
  const held = field(json, name)
  switch (name) {
    case 'Exit':
      return { kind: 'exit' }
    case 'Powerbtn':
    case 'Sleepbtn':
    case 'Gpe':
    case 'PciPme':
    case 'Rtc':
    case 'SuspendVcpus':
    case 'ResumeVcpus':
    case 'SuspendVm':
    case 'ResumeVm':
    case 'Snapshot':
    case 'MakeRT':
    case 'SndCommand':
    case 'HotPlugVfioCommand':
    case 'RegisterListener':
    case 'UnregisterListener':
    case 'Unregister':
      return OK
    case 'Throttle':
      return silence
    case 'BatCommand':
      return reply({ BatResponse: 'Ok' })
    case 'VcpuPidTid': {
      const ids = Array.from({ length: machine.cpus?.count ?? 1 }, (_, vcpu) => [
        String(vcpu),
        [1000, 1001 + vcpu],
      ])
      return reply({ VcpuPidTidResponse: { pid_tid_map: Object.fromEntries(ids) } })
    }
    case 'GetVmDescriptor':
      return reply({ VmDescriptor: { hypervisor: 'Kvm', vm_fd: 0 } }, true)
    case 'RegisterMemory':
      if (descriptors !== 1) return silence
      state.regions.add(state.nextRegion)
      state.nextRegion += 1n
      return reply({ RegisterMemory2: { region_id: state.nextRegion - 1n } })
    case 'UnregisterMemory': {
      const id = field(held, 'region_id')
      return typeof id === 'bigint' && state.regions.delete(id) ? OK : reply({ ErrString: 'no such region' })
    }
    case 'DiskCommand': {
      const index = field(held, 'disk_index')
      const there = typeof index === 'bigint' && index < BigInt(machine.block?.length ?? 0)
      return there ? OK : reply({ Err: ENODEV })
    }
    case 'BalloonCommand':
      return balloon(held, state)
    case 'UsbCommand':
      return usb(held, descriptors, state)
    case 'HotPlugNetCommand':
      return field(held, 'AddTap') === null ? OK : reply({ PciHotPlugResponse: { bus: 1 } })
    case 'GpuCommand':
      return gpu(held, state)
    case 'Swap':
      return held === 'Status' ? reply(SWAP_STATUS) : OK
    default:
      return silence
  }
}

const SWAP_STATUS: PlainJson = {
  SwapStatus: {
    state: 'Ready',
    metrics: { resident_pages: 0, copied_from_file_pages: 0, copied_from_staging_pages: 0, zeroed_pages: 0 },
    state_transition: { pages: 0, time_ms: 0 },
  },
}

const NO_STATS = {
  swap_in: null,
  swap_out: null,
  major_faults: null,
  minor_faults: null,
  free_memory: 9_007_199_254_740_993n,
  total_memory: null,
  available_memory: null,
  disk_caches: null,
  hugetlb_allocations: null,
  hugetlb_failures: null,
  shared_memory: null,
  unevictable_memory: null,
}

function balloon(held: ExactJson, state: FakeState): FakeAnswer {
  const balloon_actual = state.balloonBytes
  if (held === 'Stats') return reply({ BalloonStats: { stats: NO_STATS, balloon_actual } })
  if (held === 'WorkingSet') {
    return reply({ BalloonWS: { ws: { ws: [{ age: 1, bytes: [2, 3] }] }, balloon_actual } })
  }
  const bytes = field(field(held, 'Adjust'), 'num_bytes')
  if (typeof bytes === 'bigint') state.balloonBytes = bytes
  return typeof bytes === 'bigint' || field(held, 'WorkingSetConfig') !== null ? OK : silence
}

function usb(held: ExactJson, descriptors: number, state: FakeState): FakeAnswer {
  if (field(held, 'AttachDevice') !== null || field(held, 'AttachSecurityKey') !== null) {
    if (descriptors !== 1) return silence
    const port = state.usb.size + 1
    state.usb.add(port)
    return reply({ UsbResponse: { Ok: { port } } })
  }
  const port = field(field(held, 'DetachDevice'), 'port')
  if (typeof port === 'bigint') {
    const there = state.usb.delete(Number(port))
    return reply({ UsbResponse: there ? { Ok: { port } } : 'NoSuchPort' })
  }
  const devices = Array.from({ length: 16 }, (_, index) => {
    const used = state.usb.has(index)
    return { port: used ? index : 0, vendor_id: used ? 0x1234 : 0, product_id: used ? 0x5678 : 0 }
  })
  return reply({ UsbResponse: { Devices: devices } })
}

function gpu(held: ExactJson, state: FakeState): FakeAnswer {
  if (held === 'ListDisplays') {
    return reply({ GpuResponse: { DisplayList: { displays: Object.fromEntries(state.displays) } } })
  }
  const added = field(field(held, 'AddDisplays'), 'displays')
  if (Array.isArray(added)) {
    const display = { mode: { windowed: [1280, 720] }, hidden: false, 'refresh-rate': 60, dpi: [320, 320] }
    for (const _ of added) state.displays.set(state.displays.size, display)
    return reply({ GpuResponse: 'DisplaysUpdated' })
  }
  const ids = field(field(held, 'RemoveDisplays'), 'display_ids')
  if (Array.isArray(ids)) {
    const missing = ids.find((id) => !state.displays.delete(Number(id)))
    if (missing === undefined) return reply({ GpuResponse: 'DisplaysUpdated' })
    return reply({ GpuResponse: { NoSuchDisplay: { display_id: Number(missing) } } })
  }
  return field(held, 'SetDisplayMouseMode') === null
    ? reply({ Err: EINVAL })
    : reply({ GpuResponse: 'DisplayMouseModeSet' })
}
