import { type PlainJson, printExactJson } from './exact-json.js'

/** A display to add to the machine's GPU. */
export interface DisplaySettings {
  /** Pixels of its window. */
  readonly windowed: readonly [width: number, height: number]
  /** The window is not shown at first. Default false. */
  readonly hidden?: boolean
  /** Hertz. Default 60. */
  readonly refreshRate?: number
  /** Dots per inch, horizontally and vertically. Default [320, 320]. */
  readonly dpi?: readonly [number, number]
}

/** Whether a battery is charged, as the guest is told: the words of crosvm's `BatStatus` (vm_control). */
export type BatteryStatus = 'Unknown' | 'Charging' | 'DisCharging' | 'NotCharging' | 'Full'
/** How a battery does, as the guest is told: the words of crosvm's `BatHealth` (vm_control). */
export type BatteryHealth =
  | 'Unknown'
  | 'Good'
  | 'Overheat'
  | 'Dead'
  | 'OverVoltage'
  | 'UnexpectedFailure'
  | 'Cold'
  | 'WatchdogTimerExpire'
  | 'SafetyTimerExpire'
  | 'OverCurrent'

/** What the guest is to read from its battery from now on. The words for status and health are crosvm's. */
export type BatteryChange =
  | { readonly kind: 'status'; readonly status: BatteryStatus }
  | { readonly kind: 'health'; readonly health: BatteryHealth }
  /** Whether there is a battery. */
  | { readonly kind: 'present'; readonly present: boolean }
  /** Percent; crosvm takes more than 100 for 100. */
  | { readonly kind: 'capacity'; readonly percent: number }
  /** Whether mains power is there. */
  | { readonly kind: 'ac-online'; readonly online: boolean }
  /**
   * The guest is told at most this percentage, and that the battery discharges without mains, until
   * `cancel-fake`.
   */
  | { readonly kind: 'fake-capacity'; readonly percent: number }
  /** Ends `fake-capacity`. */
  | { readonly kind: 'cancel-fake' }

/**
 * Events for which crosvm can write to a socket; the names are crosvm's. A working set was reported, the balloon
 * was resized, or it was deflated because the guest had too little memory.
 */
export type RegisteredEvent = 'VirtioBalloonWsReport' | 'VirtioBalloonResize' | 'VirtioBalloonOOMDeflation'

/**
 * Every request of crosvm's control socket. D is a descriptor that goes with it. The methods of `CrosvmControl`
 * say what each is for. Numbers have at most 32 bits, bigints 64, texts 4096 characters and lists 64 items.
 */
export type ControlRequest<D> =
  /** Ends the machine, without a word to the guest. */
  | { readonly kind: 'exit' }
  /** Presses the ACPI button. */
  | { readonly kind: 'power-button' }
  /** Presses the ACPI button. */
  | { readonly kind: 'sleep-button' }
  /** `clearEvent`: an eventfd; the event stays raised until the sender has signalled it. */
  | { readonly kind: 'gpe'; readonly gpe: number; readonly clearEvent?: D | undefined }
  /** `requesterId`: bus << 8 | device << 3 | function. */
  | { readonly kind: 'pci-pme'; readonly requesterId: number }
  /** `clearEvent`: as for `gpe`. */
  | { readonly kind: 'rtc'; readonly clearEvent: D }
  /** The first two leave devices alone. */
  | { readonly kind: 'suspend-vcpus' | 'resume-vcpus' | 'suspend' | 'resume' }
  /** `bytes` of the balloon, not of the guest. */
  | { readonly kind: 'adjust-balloon'; readonly bytes: bigint; readonly wait: boolean }
  /** Asks the guest's balloon driver. */
  | { readonly kind: 'balloon-stats' | 'balloon-working-set' }
  | {
      readonly kind: 'configure-working-set'
      readonly bins: readonly number[]
      readonly refreshThreshold: number
      readonly reportThreshold: number
    }
  /** `index` counts all `block` devices from 0; `bytes` is the new size. */
  | { readonly kind: 'resize-disk'; readonly index: number; readonly bytes: bigint }
  /** `path` is absolute, and nothing is there. */
  | { readonly kind: 'take-snapshot'; readonly path: string; readonly compressMemory: boolean }
  /** `device`: of /dev/bus/usb/BUS/DEVICE, or of /dev/hidraw. */
  | { readonly kind: 'attach-usb' | 'attach-security-key'; readonly device: D }
  /** `port` as of a `usb-port`, from 1. */
  | { readonly kind: 'detach-usb'; readonly port: number }
  /** Answered by `usb-devices`. */
  | { readonly kind: 'list-usb' }
  /** `path`: a directory of sysfs. `add` false takes it out. */
  | { readonly kind: 'plug-vfio'; readonly path: string; readonly add: boolean }
  /** `name` of a tap. */
  | { readonly kind: 'add-tap'; readonly name: string }
  /** `bus` as of a `pci-bus`. */
  | { readonly kind: 'remove-tap'; readonly bus: number }
  | { readonly kind: 'add-displays'; readonly displays: readonly DisplaySettings[] }
  /** Answered by `displays`. */
  | { readonly kind: 'list-displays' }
  /** `ids` as of `displays`. */
  | { readonly kind: 'remove-displays'; readonly ids: readonly number[] }
  | { readonly kind: 'set-mouse-mode'; readonly display: number; readonly mode: 'touchscreen' }
  /** What the guest is to read from now on. */
  | { readonly kind: 'battery'; readonly change: BatteryChange }
  /** Of all sound devices. */
  | { readonly kind: 'mute-sound'; readonly muted: boolean }
  | { readonly kind: 'swap-enable' | 'swap-trim' | 'swap-out' | 'swap-status' }
  | { readonly kind: 'swap-disable'; readonly slowFileCleanup: boolean }
  /** Gives the vCPUs of `rtCpus` real-time priority. */
  | { readonly kind: 'make-rt' }
  | {
      readonly kind: 'register-listener' | 'unregister-listener'
      readonly path: string
      readonly event: RegisteredEvent
    }
  /** `path` of a listener's socket, for all its events. */
  | { readonly kind: 'unregister'; readonly path: string }
  /** Answered by the reply of that kind. */
  | { readonly kind: 'vcpu-threads' }
  /** The only request that is never answered. */
  | { readonly kind: 'throttle'; readonly vcpu: number; readonly microseconds: number }
  /** Answered by the reply of that kind, with a descriptor. */
  | { readonly kind: 'vm-descriptor' }
  | {
      readonly kind: 'register-memory'
      readonly memory: D
      /** Bytes into `memory`. */
      readonly offset: bigint
      /** The guest-physical address of the first byte. */
      readonly start: bigint
      /** The address after the last byte. */
      readonly end: bigint
      readonly cacheCoherent: boolean
    }
  /** `regionId` as of a `memory-region`. */
  | { readonly kind: 'unregister-memory'; readonly regionId: bigint }

/** A request in crosvm's words, with what is sent along. */
export interface EncodedRequest<D> {
  /** One packet: JSON in UTF-8. */
  readonly text: string
  /** Sent with the packet (SCM_RIGHTS), in this order. They stay the caller's. */
  readonly descriptors: readonly D[]
}

/**
 * A request as crosvm reads it: `text` is one packet of JSON, where a descriptor is its place among
 * `descriptors`, which are sent along and stay the caller's.
 */
export function encodeRequest<D>(request: ControlRequest<D>): EncodedRequest<D> {
  const descriptors: D[] = []
  const attach = (descriptor: D): number => descriptors.push(descriptor) - 1
  return { text: printExactJson(plain(request, attach)), descriptors }
}

function plain<D>(request: ControlRequest<D>, attach: (descriptor: D) => number): PlainJson {
  switch (request.kind) {
    case 'exit':
      return 'Exit'
    case 'power-button':
      return 'Powerbtn'
    case 'sleep-button':
      return 'Sleepbtn'
    case 'gpe': {
      const clear = request.clearEvent === undefined ? null : attach(request.clearEvent)
      return { Gpe: { gpe: request.gpe, clear_evt: clear } }
    }
    case 'pci-pme':
      return { PciPme: request.requesterId }
    case 'rtc':
      return { Rtc: { clear_evt: attach(request.clearEvent) } }
    case 'suspend-vcpus':
      return 'SuspendVcpus'
    case 'resume-vcpus':
      return 'ResumeVcpus'
    case 'suspend':
      return 'SuspendVm'
    case 'resume':
      return 'ResumeVm'
    case 'adjust-balloon':
      return { BalloonCommand: { Adjust: { num_bytes: request.bytes, wait_for_success: request.wait } } }
    case 'balloon-stats':
      return { BalloonCommand: 'Stats' }
    case 'balloon-working-set':
      return { BalloonCommand: 'WorkingSet' }
    case 'configure-working-set': {
      const { bins, refreshThreshold, reportThreshold } = request
      const config = { bins, refresh_threshold: refreshThreshold, report_threshold: reportThreshold }
      return { BalloonCommand: { WorkingSetConfig: config } }
    }
    case 'resize-disk':
      return { DiskCommand: { disk_index: request.index, command: { Resize: { new_size: request.bytes } } } }
    case 'take-snapshot': {
      const take = { snapshot_path: request.path, compress_memory: request.compressMemory, encrypt: false }
      return { Snapshot: { Take: take } }
    }
    case 'attach-usb':
      return { UsbCommand: { AttachDevice: { file: attach(request.device) } } }
    case 'attach-security-key':
      return { UsbCommand: { AttachSecurityKey: { file: attach(request.device) } } }
    case 'detach-usb':
      return { UsbCommand: { DetachDevice: { port: request.port } } }
    case 'list-usb':
      return { UsbCommand: { ListDevice: { ports: Array.from({ length: USB_PORTS }, (_, port) => port) } } }
    case 'plug-vfio': {
      const device = { device_type: 'EndPoint', path: request.path, hp_interrupt: true }
      return { HotPlugVfioCommand: { device, add: request.add } }
    }
    case 'add-tap':
      return { HotPlugNetCommand: { AddTap: request.name } }
    case 'remove-tap':
      return { HotPlugNetCommand: { RemoveTap: request.bus } }
    case 'add-displays':
      return { GpuCommand: { AddDisplays: { displays: request.displays.map(plainDisplay) } } }
    case 'list-displays':
      return { GpuCommand: 'ListDisplays' }
    case 'remove-displays':
      return { GpuCommand: { RemoveDisplays: { display_ids: request.ids } } }
    case 'set-mouse-mode':
      return {
        GpuCommand: { SetDisplayMouseMode: { display_id: request.display, mouse_mode: request.mode } },
      }
    case 'battery':
      return { BatCommand: ['goldfish', plainBattery(request.change)] }
    case 'mute-sound':
      return { SndCommand: { MuteAll: request.muted } }
    case 'swap-enable':
      return { Swap: 'Enable' }
    case 'swap-trim':
      return { Swap: 'Trim' }
    case 'swap-out':
      return { Swap: 'SwapOut' }
    case 'swap-status':
      return { Swap: 'Status' }
    case 'swap-disable':
      return { Swap: { Disable: { slow_file_cleanup: request.slowFileCleanup } } }
    case 'make-rt':
      return 'MakeRT'
    case 'register-listener':
      return { RegisterListener: { socket_addr: request.path, event: request.event } }
    case 'unregister-listener':
      return { UnregisterListener: { socket_addr: request.path, event: request.event } }
    case 'unregister':
      return { Unregister: { socket_addr: request.path } }
    case 'vcpu-threads':
      return 'VcpuPidTid'
    case 'throttle':
      return { Throttle: [request.vcpu, request.microseconds] }
    case 'vm-descriptor':
      return 'GetVmDescriptor'
    case 'register-memory': {
      const { offset, start, end, cacheCoherent } = request
      const fd = attach(request.memory)
      return {
        RegisterMemory: { fd, offset, range_start: start, range_end: end, cache_coherent: cacheCoherent },
      }
    }
    case 'unregister-memory':
      return { UnregisterMemory: { region_id: request.regionId } }
  }
}

/** USB_CONTROL_MAX_PORTS */
export const USB_PORTS = 16

function plainDisplay({
  windowed,
  hidden = false,
  refreshRate = 60,
  dpi = [320, 320],
}: DisplaySettings): PlainJson {
  return { mode: { windowed }, hidden, 'refresh-rate': refreshRate, dpi }
}

function plainBattery(change: BatteryChange): PlainJson {
  switch (change.kind) {
    case 'status':
      return { SetStatus: change.status }
    case 'health':
      return { SetHealth: change.health }
    case 'present':
      return { SetPresent: change.present ? 1 : 0 }
    case 'capacity':
      return { SetCapacity: change.percent }
    case 'ac-online':
      return { SetACOnline: change.online ? 1 : 0 }
    case 'fake-capacity':
      return { SetFakeBatConfig: change.percent }
    case 'cancel-fake':
      return 'CancelFakeConfig'
  }
}
