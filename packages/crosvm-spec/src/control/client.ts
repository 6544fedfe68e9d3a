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
 *
 * Every method gives its answer or a {@link ControlError}; those of whose errors nothing is said here have all
 * kinds. Source: `VmRequest` of crosvm's vm_control/src/lib.rs, whose protocol has no version and is not
 * promised.
 *
 * @example
 * ```ts
 * import type { CrosvmSpec } from '@spectrum/crosvm-spec'
 * import { CrosvmControl } from '@spectrum/crosvm-spec/control'
 * import { linuxControlPowers } from '@spectrum/crosvm-spec/linux'
 *
 * export async function pauseFor(spec: CrosvmSpec, work: () => Promise<void>) {
 *   using control = new CrosvmControl(linuxControlPowers()._unsafeUnwrap(), { spec, timeoutMs: 2_000 })
 *   const paused = await control.suspendVcpus()
 *   if (paused.isErr()) throw new Error(paused.error.message) // kind: no-reply, disconnected, failed …
 *   await work()
 *   ;(await control.resumeVcpus())._unsafeUnwrap()
 * }
 * ```
 */
export class CrosvmControl implements Disposable {
  readonly #requester: Requester

  /**
   * Connects at the first request, and again when the connection was lost. Throws where neither the spec nor the
   * options have a path. The object is the caller's to close.
   */
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
   * Resolves when crosvm's main loop answers: devices and vCPUs then exist. Connects again every 20 ms until the
   * deadline, and then gives `no-reply`. It says nothing about the guest; for that, ask the guest. Abort it when
   * crosvm has ended.
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

  /** x86-64 only. ACPI's sleep button: as for `pressPowerButton`, the guest may do as it likes. */
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

  /**
   * x86-64 only. A power management event of a PCI device, by its 16 bits of bus << 8 | device << 3 | function.
   */
  raisePciPme(requesterId: number, options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'pci-pme', requesterId }, options)
  }

  /** x86-64 only. The event of the clock, raised until the caller has signalled the eventfd, as for `raiseGpe`. */
  raiseRtc(clearEvent: Fd, options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'rtc', clearEvent }, options)
  }

  /**
   * Stops the vCPUs and not the devices. With s2idle crosvm answers only after the guest slept, or after 15 s:
   * give it a longer deadline. `refused` with EIO where it fails.
   */
  suspendVcpus(options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'suspend-vcpus' }, options)
  }

  /**
   * Lets the vCPUs go on, after `suspendVcpus`. Devices were never stopped; after `suspend`, which stopped them,
   * it is `refused` with EINVAL.
   */
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
   * Asks the guest to give `balloonBytes` of its memory back: the size of the balloon, from 0 to that of the
   * memory. With `wait`, resolves once it has done so exactly: a guest that cannot leaves this without an answer
   * until the deadline (`no-reply`), and a later request that waits, of another client, ends this one with
   * `refused`. `refused` with ENOTCONN until the guest's balloon driver is up.
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

  /**
   * What the guest's driver reports, and the balloon's size in bytes. `refused` with ENOTCONN until that driver
   * is up.
   */
  balloonStats(
    options?: RequestOptions,
  ): Answer<{ readonly stats: BalloonStats; readonly balloonBytes: bigint }> {
    return this.#requester.expect({ kind: 'balloon-stats' }, options, (reply) =>
      reply.kind === 'balloon-stats' ? { stats: reply.stats, balloonBytes: reply.balloonBytes } : undefined,
    )
  }

  /**
   * How recently the guest used its memory, and the balloon's size in bytes; needs `workingSetReporting`. Never
   * answered by a guest whose balloon driver does not know working sets (that of Linux 6.1 does not), and then no
   * later request about the balloon is: crosvm keeps them in order.
   */
  balloonWorkingSet(
    options?: RequestOptions,
  ): Answer<{ readonly buckets: readonly WorkingSetBucket[]; readonly balloonBytes: bigint }> {
    return this.#requester.expect({ kind: 'balloon-working-set' }, options, (reply) =>
      reply.kind === 'working-set' ? { buckets: reply.buckets, balloonBytes: reply.balloonBytes } : undefined,
    )
  }

  /**
   * How `balloonWorkingSet` sorts pages by age, and when the guest reports by itself. `bins` are the ages between
   * the buckets, at most 64 here; they and both thresholds, of 32 bits each, are handed to the guest's driver as
   * they are.
   */
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
   * Makes a disk that long, in bytes, for the guest and on the host. `index` counts the spec's `block` devices
   * from 0. Only once the guest has started that disk: before, crosvm waits for a device that does not listen and
   * answers nobody (seen with a suspended machine). `unsupported` for a read-only disk.
   */
  resizeDisk(index: number, bytes: bigint, options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'resize-disk', index, bytes }, options)
  }

  /**
   * Writes a snapshot into the directory `path`, an absolute path: it must not be there, its parent must. Without
   * the contents of disks and pmem. The machine is held while it is written, and goes on as before.
   * `compressMemory`: default false. A failure (`refused` with EIO) may leave a partial directory.
   */
  takeSnapshot(
    path: string,
    options: RequestOptions & { readonly compressMemory?: boolean } = {},
  ): Answer<void> {
    return this.#requester.ok(
      { kind: 'take-snapshot', path, compressMemory: options.compressMemory ?? false },
      options,
    )
  }

  /**
   * A descriptor of /dev/bus/usb/BUS/DEVICE; resolves with the port, from 1. `refused` with the reason in words:
   * `NoAvailablePort`, `FailedToOpenDevice` … of crosvm's `UsbControlResult`.
   */
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

  /**
   * Takes out the device in a port, as `attachUsb` or `listUsb` told it. Resolves with the port that is free
   * again. `refused` with `NoSuchDevice` where it is empty.
   */
  detachUsb(port: number, options?: RequestOptions): Answer<number> {
    return this.#requester.expect({ kind: 'detach-usb', port }, options, usbPort)
  }

  /** What is plugged into the 16 ports of the USB controller. `unsupported` where the machine has none. */
  listUsb(options?: RequestOptions): Answer<readonly AttachedUsbDevice[]> {
    return this.#requester.expect({ kind: 'list-usb' }, options, (reply) =>
      reply.kind === 'usb-devices' ? reply.devices : undefined,
    )
  }

  /** x86-64 only. `path`: the device's directory below /sys; the device is bound to vfio already. */
  plugVfio(path: string, options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'plug-vfio', path, add: true }, options)
  }

  /** Takes out the device that was plugged in from this path of sysfs. */
  unplugVfio(path: string, options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'plug-vfio', path, add: false }, options)
  }

  /**
   * Plugs in a network card on a persistent tap owned by the user; needs `pciHotplugSlots`. Resolves with the bus
   * that `removeTap` wants, 0 to 255. Of a tap that is not there, or that crosvm may not open, its machine ends
   * (seen with f1e797a): look first.
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

  /**
   * Adds displays to the GPU of the machine, at most 64 at once. `refused` where they are more than
   * `maxNumDisplays`. `unsupported` without a GPU.
   */
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

  /** Mutes all sound devices of `sound`, or lets them be heard. */
  muteSound(muted: boolean, options?: RequestOptions): Answer<void> {
    return this.#requester.ok({ kind: 'mute-sound', muted }, options)
  }

  /**
   * Begins to move the guest's memory to crosvm's swap file: what it has is moved to a staging memory.
   * `unsupported` without `swapDirectory`, as for the four after it.
   */
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

  /**
   * crosvm connects to the SEQPACKET socket at `path` and sends protobuf there for each such event. Needs the
   * feature `registered_events`, as for the two after it.
   */
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

  /** Which host threads run the vCPUs, by the vCPUs' numbers: for sched_setaffinity(2) and the like. */
  vcpuThreads(options?: RequestOptions): Answer<readonly VcpuThread[]> {
    return this.#requester.expect({ kind: 'vcpu-threads' }, options, threads)
  }

  /**
   * Holds a vCPU, by its number from 0, back for some microseconds, of 32 bits. crosvm never answers: resolving
   * means that it was sent.
   */
  throttle(vcpu: number, microseconds: number, options: RequestOptions = {}): Answer<void> {
    return this.#requester.tell({ kind: 'throttle', vcpu, microseconds }, options)
  }

  /**
   * The descriptor of the KVM virtual machine, which the caller closes, and the hypervisor's name as crosvm says
   * it: `Kvm`.
   */
  vmDescriptor(options?: RequestOptions): Answer<{ readonly hypervisor: string; readonly fd: Fd }> {
    return this.#requester.expectWithFd({ kind: 'vm-descriptor' }, options, (reply, fd) =>
      reply.kind === 'vm-descriptor' ? { hypervisor: reply.hypervisor, fd } : undefined,
    )
  }

  /**
   * Maps `memory`, from byte `offset` on, read-write into the guest from the guest-physical address `start` to
   * before `end`, both multiples of 4096; resolves with the region's id. crosvm does not keep the range free:
   * choose one where nothing is. `cacheCoherent`: default true. `memory` stays the caller's.
   */
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
