import type { Fd } from '@spectrum/unix-fd'
import type {
  AttachedUsbDevice,
  BalloonStats,
  ControlReply,
  Display,
  SwapStatus,
  VcpuThread,
  WorkingSetBucket,
} from './reply.js'
import type { BatteryChange, DisplaySettings, RegisteredEvent } from './request.js'
import {
  type Answer,
  type ControlOptions,
  type ControlPowers,
  Requester,
  type RequestOptions,
  threads,
} from './requester.js'

/**
 * The control socket of one running machine. Requests are sent one after another, each with a deadline; what
 * would do nothing on this machine is refused with `unsupported` before it is sent. Descriptors that are given
 * stay the caller's; those that arrive are the caller's to close.
 */
export class CrosvmControl implements Disposable {
  readonly #requester: Requester

  constructor(powers: ControlPowers, options: ControlOptions) {
    this.#requester = new Requester(powers, options)
  }

  /** Idempotent. Requests in progress end as `closed`. The machine runs on. */
  close(): void {
    this.#requester.close()
  }

  /** Closes the socket; the machine goes on. */
  [Symbol.dispose](): void {
    this.close()
  }

  /**
   * Resolves when crosvm's main loop answers: devices and vCPUs then exist. Connects again and again until
   * the deadline. It says nothing about the guest; for that, ask the guest. Abort it when crosvm has ended.
   */
  ready(options: RequestOptions = {}): Answer<readonly VcpuThread[]> {
    return this.#requester.untilReady(options)
  }

  /** Ends crosvm, which then exits with status 0. The guest is not told. */
  exit(options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'exit' }, options)
  }

  /** x86-64 only. Ok means that the button was pressed, not that the guest obeys. */
  pressPowerButton(options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'power-button' }, options)
  }

  /** x86-64 only. */
  pressSleepButton(options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'sleep-button' }, options)
  }

  /**
   * x86-64 only. A general purpose event of ACPI, 0 to 255. With an eventfd it stays raised, whatever the guest does,
   * until the caller has signalled that eventfd; no snapshot can be taken before. A guest that has switched this
   * event on is interrupted all that time.
   */
  raiseGpe(gpe: number, clearEvent?: Fd, options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'gpe', gpe, clearEvent }, options)
  }

  /** x86-64 only. A power management event of a PCI device, by bus << 8 | device << 3 | function. */
  raisePciPme(requesterId: number, options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'pci-pme', requesterId }, options)
  }

  /** x86-64 only. The event of the clock, raised until the caller has signalled the eventfd, as for `raiseGpe`. */
  raiseRtc(clearEvent: Fd, options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'rtc', clearEvent }, options)
  }

  /** With s2idle crosvm answers only after the guest slept, or after 15 s: give it a longer deadline. */
  suspendVcpus(options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'suspend-vcpus' }, options)
  }

  /** Lets the vCPUs go on, after `suspendVcpus`. Devices were never stopped. */
  resumeVcpus(options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'resume-vcpus' }, options)
  }

  /**
   * Devices too. Refused where a device cannot sleep. What the peer of a console sends meanwhile is lost to the guest
   * (seen with `unix-stream`): send nothing until `resume` has answered.
   */
  suspend(options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'suspend' }, options)
  }

  /** Lets vCPUs and devices go on, after `suspend`. */
  resume(options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'resume' }, options)
  }

  /**
   * Asks the guest to give `balloonBytes` of its memory back. With `wait`, resolves once it has done so exactly:
   * a guest that cannot leaves this without an answer until the deadline (`no-reply`).
   */
  adjustBalloon(
    balloonBytes: bigint,
    options: RequestOptions & { readonly wait?: boolean } = {},
  ): Answer<void> {
    return this.#requester.ok(
      { kind: 'adjust-balloon', bytes: balloonBytes, wait: options.wait ?? false },
      options,
    )
  }

  /** Refused with ENOTCONN until the guest's balloon driver is up. */
  balloonStats(
    options?: RequestOptions,
  ): Answer<{ readonly stats: BalloonStats; readonly balloonBytes: bigint }> {
    return this.#requester.expect({ kind: 'balloon-stats' }, options, (reply) =>
      reply.kind === 'balloon-stats' ? { stats: reply.stats, balloonBytes: reply.balloonBytes } : undefined,
    )
  }

  /**
   * Never answered by a guest whose balloon driver does not know working sets (that of Linux 6.1 does not), and then
   * no later request about the balloon is: crosvm keeps them in order.
   */
  balloonWorkingSet(
    options?: RequestOptions,
  ): Answer<{ readonly buckets: readonly WorkingSetBucket[]; readonly balloonBytes: bigint }> {
    return this.#requester.expect({ kind: 'balloon-working-set' }, options, (reply) =>
      reply.kind === 'working-set' ? { buckets: reply.buckets, balloonBytes: reply.balloonBytes } : undefined,
    )
  }

  /** How `balloonWorkingSet` sorts pages by age, and when crosvm reports by itself. */
  configureWorkingSet(
    config: {
      readonly bins: readonly number[]
      readonly refreshThreshold: number
      readonly reportThreshold: number
    },
    options?: RequestOptions,
  ): Answer<void> {
    return this.#requester.ok({ kind: 'configure-working-set', ...config }, options)
  }

  /**
   * `index` counts the spec's `block` devices. Only once the guest has started that disk: before, crosvm waits
   * for a device that does not listen and answers nobody (seen with a suspended machine).
   */
  resizeDisk(index: number, bytes: bigint, options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'resize-disk', index, bytes }, options)
  }

  /** The directory must not be there, its parent must. Without the contents of disks and pmem. */
  takeSnapshot(
    path: string,
    options: RequestOptions & { readonly compressMemory?: boolean } = {},
  ): Answer<void> {
    return this.#requester.ok(
      { kind: 'take-snapshot', path, compressMemory: options.compressMemory ?? false },
      options,
    )
  }

  /** A descriptor of /dev/bus/usb/…; resolves with the port. */
  attachUsb(device: Fd, options?: RequestOptions): Answer<number> {
    return this.#requester.expect({ kind: 'attach-usb', device }, options, usbPort)
  }

  /**
   * A descriptor of /dev/hidraw…; resolves with the port. Before the guest has started its USB controller this is
   * refused with `NoAvailablePort`, and yet the key is in `listUsb` from then on and cannot be detached.
   */
  attachSecurityKey(device: Fd, options?: RequestOptions): Answer<number> {
    return this.#requester.expect({ kind: 'attach-security-key', device }, options, usbPort)
  }

  /** Resolves with the port that is free again. */
  detachUsb(port: number, options?: RequestOptions): Answer<number> {
    return this.#requester.expect({ kind: 'detach-usb', port }, options, usbPort)
  }

  /** What is plugged into the ports of the USB controller. `unsupported` where the machine has none. */
  listUsb(options?: RequestOptions): Answer<readonly AttachedUsbDevice[]> {
    return this.#requester.expect({ kind: 'list-usb' }, options, (reply) =>
      reply.kind === 'usb-devices' ? reply.devices : undefined,
    )
  }

  /** x86-64 only. `path`: the device's directory in sysfs. */
  plugVfio(path: string, options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'plug-vfio', path, add: true }, options)
  }

  /** Takes out the device that was plugged in from this path of sysfs. */
  unplugVfio(path: string, options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'plug-vfio', path, add: false }, options)
  }

  /**
   * A persistent tap owned by the user. Resolves with the bus that `removeTap` wants. Of a tap that is not there, or
   * that crosvm may not open, its machine ends (seen with f1e797a): look first.
   */
  addTap(name: string, options?: RequestOptions): Answer<number> {
    return this.#requester.expect({ kind: 'add-tap', name }, options, (reply) =>
      reply.kind === 'pci-bus' ? reply.bus : undefined,
    )
  }

  /** Takes out the network device on this PCI bus, as `addTap` told it. */
  removeTap(bus: number, options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'remove-tap', bus }, options)
  }

  /** Adds displays to the GPU of the machine. */
  addDisplays(displays: readonly DisplaySettings[], options?: RequestOptions): Answer<void> {
    return this.#requester
      .expect({ kind: 'add-displays', displays }, options, displaysUpdated)
      .map(() => undefined)
  }

  /** The displays of the GPU, by their ids. */
  listDisplays(options?: RequestOptions): Answer<ReadonlyMap<number, Display>> {
    return this.#requester.expect({ kind: 'list-displays' }, options, (reply) =>
      reply.kind === 'displays' ? reply.displays : undefined,
    )
  }

  /** Takes displays away, by the ids that `listDisplays` tells. */
  removeDisplays(ids: readonly number[], options?: RequestOptions): Answer<void> {
    return this.#requester
      .expect({ kind: 'remove-displays', ids }, options, displaysUpdated)
      .map(() => undefined)
  }

  /** Refused with `unsupported`: on Linux crosvm answers that it is done and does nothing. */
  setMouseMode(display: number, mode: 'touchscreen', options?: RequestOptions): Answer<void> {
    return this.#requester
      .expect({ kind: 'set-mouse-mode', display, mode }, options, displaysUpdated)
      .map(() => undefined)
  }

  /** Only once the guest's driver has looked at the battery: before, crosvm answers nobody, as for `resizeDisk`. */
  changeBattery(change: BatteryChange, options?: RequestOptions): Answer<void> {
    return this.#requester
      .expect({ kind: 'battery', change }, options, (reply) =>
        reply.kind === 'battery-ok' ? null : undefined,
      )
      .map(() => undefined)
  }

  /** Mutes the sound devices, or lets them be heard. */
  muteSound(muted: boolean, options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'mute-sound', muted }, options)
  }

  /** Begins to move the guest's memory to crosvm's swap file. */
  enableSwap(options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'swap-enable' }, options)
  }

  /** Drops from what is staged for swapping what need not be kept. */
  trimSwap(options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'swap-trim' }, options)
  }

  /** Writes what is staged to the swap file. */
  swapOut(options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'swap-out' }, options)
  }

  /** Brings all memory back and ends swapping. With `slowFileCleanup` the file is emptied gradually. */
  disableSwap(options: RequestOptions & { readonly slowFileCleanup?: boolean } = {}): Answer<void> {
    return this.#requester.ok(
      { kind: 'swap-disable', slowFileCleanup: options.slowFileCleanup ?? false },
      options,
    )
  }

  /** How far swapping has come, and how much is where. */
  swapStatus(options?: RequestOptions): Answer<SwapStatus> {
    return this.#requester.expect({ kind: 'swap-status' }, options, (reply) =>
      reply.kind === 'swap-status' ? reply.status : undefined,
    )
  }

  /**
   * Gives the vCPUs of `rtCpus` real-time priority, in a machine with `delayRt`. Ok means that they were told: one
   * that may not (see RLIMIT_RTPRIO) says so in the log only.
   */
  makeRealTime(options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'make-rt' }, options)
  }

  /** crosvm connects to the SEQPACKET socket at `path` and sends protobuf. */
  registerListener(path: string, event: RegisteredEvent, options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'register-listener', path, event }, options)
  }

  /** Ends what `registerListener` began, for one event. */
  unregisterListener(path: string, event: RegisteredEvent, options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'unregister-listener', path, event }, options)
  }

  /** Ends all that was registered for this socket. */
  unregister(path: string, options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'unregister', path }, options)
  }

  /** Which host threads run the vCPUs. */
  vcpuThreads(options?: RequestOptions): Answer<readonly VcpuThread[]> {
    return this.#requester.expect({ kind: 'vcpu-threads' }, options, threads)
  }

  /** Holds a vCPU back. crosvm never answers: resolving means that it was sent. */
  throttle(vcpu: number, microseconds: number, options: RequestOptions = {}): Answer<void> {
    return this.#requester.tell({ kind: 'throttle', vcpu, microseconds }, options)
  }

  /** The descriptor of the KVM virtual machine, which the caller closes. */
  vmDescriptor(options?: RequestOptions): Answer<{ readonly hypervisor: string; readonly fd: Fd }> {
    return this.#requester.expectWithFd({ kind: 'vm-descriptor' }, options, (reply, fd) =>
      reply.kind === 'vm-descriptor' ? { hypervisor: reply.hypervisor, fd } : undefined,
    )
  }

  /** Maps `memory` read-write into the guest from `start` to before `end`; resolves with the region's id. */
  registerMemory(
    memory: Fd,
    range: {
      readonly offset: bigint
      readonly start: bigint
      readonly end: bigint
      readonly cacheCoherent?: boolean
    },
    options?: RequestOptions,
  ): Answer<bigint> {
    const { cacheCoherent = true, ...rest } = range
    return this.#requester.expect(
      { kind: 'register-memory', memory, cacheCoherent, ...rest },
      options,
      (reply) => (reply.kind === 'memory-region' ? reply.regionId : undefined),
    )
  }

  /** Takes away memory that `registerMemory` gave the guest, by the id from there. */
  unregisterMemory(regionId: bigint, options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'unregister-memory', regionId }, options)
  }
}

const usbPort = (reply: ControlReply) => (reply.kind === 'usb-port' ? reply.port : undefined)
const displaysUpdated = (reply: ControlReply) => (reply.kind === 'displays-updated' ? null : undefined)
