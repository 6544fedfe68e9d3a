import { getSystemErrorName } from 'node:util'
import type { Fd } from '@spectrum/unix-fd'
import { err, ok, type Result, ResultAsync } from 'neverthrow'
import type { CrosvmSpec } from '../spec.js'
import { type Clock, Connection, type PacketSockets } from './connection.js'
import type { ControlError } from './errors.js'
import {
  type AttachedUsbDevice,
  type BalloonStats,
  type ControlReply,
  type Display,
  decodeReply,
  type SwapStatus,
  type VcpuThread,
  type WorkingSetBucket,
} from './reply.js'
import {
  type BatteryChange,
  type ControlRequest,
  type DisplaySettings,
  encodeRequest,
  type RegisteredEvent,
} from './request.js'
import { type ControlFeature, pointless, unsendable } from './unsupported.js'

export interface ControlPowers {
  readonly sockets: PacketSockets
  readonly clock: Clock
}

export interface ControlOptions {
  /** What the machine is: decides which requests make sense. */
  readonly spec: CrosvmSpec
  /** Default: the spec's own socket. */
  readonly path?: string
  /** What the binary was built with, as far as requests depend on it. */
  readonly features?: readonly ControlFeature[]
  /** For each request, the wait behind earlier ones included. Default 5000. */
  readonly timeoutMs?: number
}

export interface RequestOptions {
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

type Answer<T> = ResultAsync<T, ControlError>

/** How long to wait before connecting again to a crosvm that does not listen yet. */
const RETRY_MS = 20

/**
 * The control socket of one running machine. Requests are sent one after another, each with a deadline; what
 * would do nothing on this machine is refused with `unsupported` before it is sent. Descriptors that are given
 * stay the caller's; those that arrive are the caller's to close.
 */
export class CrosvmControl implements Disposable {
  readonly #connection: Connection
  readonly #spec: CrosvmSpec
  readonly #features: readonly ControlFeature[]
  readonly #clock: Clock
  readonly #timeoutMs: number

  constructor(powers: ControlPowers, options: ControlOptions) {
    const path = options.path ?? options.spec.socket
    if (path === undefined)
      throw new Error('this machine has no control socket: describe one, or give a path')
    this.#connection = new Connection(powers.sockets, powers.clock, path)
    this.#spec = options.spec
    this.#features = options.features ?? []
    this.#clock = powers.clock
    this.#timeoutMs = options.timeoutMs ?? 5000
  }

  /** Idempotent. Requests in progress end as `closed`. The machine runs on. */
  close(): void {
    this.#connection.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /**
   * Resolves when crosvm's main loop answers: devices and vCPUs then exist. Connects again and again until
   * the deadline. It says nothing about the guest; for that, ask the guest. Abort it when crosvm has ended.
   */
  ready(options: RequestOptions = {}): Answer<readonly VcpuThread[]> {
    return new ResultAsync(this.#untilReady(options))
  }

  /** Ends crosvm, which then exits with status 0. The guest is not told. */
  exit(options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'exit' }, options)
  }

  /** x86-64 only. Ok means that the button was pressed, not that the guest obeys. */
  pressPowerButton(options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'power-button' }, options)
  }

  /** x86-64 only. */
  pressSleepButton(options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'sleep-button' }, options)
  }

  /** x86-64 only. A general purpose event of ACPI. */
  raiseGpe(gpe: number, clearEvent?: Fd, options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'gpe', gpe, clearEvent }, options)
  }

  raisePciPme(requesterId: number, options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'pci-pme', requesterId }, options)
  }

  raiseRtc(clearEvent: Fd, options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'rtc', clearEvent }, options)
  }

  /** With s2idle crosvm answers only after the guest slept, or after 15 s: give it a longer deadline. */
  suspendVcpus(options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'suspend-vcpus' }, options)
  }

  resumeVcpus(options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'resume-vcpus' }, options)
  }

  /** Devices too. Refused where a device cannot sleep. */
  suspend(options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'suspend' }, options)
  }

  resume(options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'resume' }, options)
  }

  /**
   * Asks the guest to give `balloonBytes` of its memory back. With `wait`, resolves once it has done so exactly:
   * a guest that cannot leaves this without an answer until the deadline (`no-reply`).
   */
  adjustBalloon(
    balloonBytes: bigint,
    options: RequestOptions & { readonly wait?: boolean } = {},
  ): Answer<void> {
    return this.#ok({ kind: 'adjust-balloon', bytes: balloonBytes, wait: options.wait ?? false }, options)
  }

  /** Refused with ENOTCONN until the guest's balloon driver is up. */
  balloonStats(
    options?: RequestOptions,
  ): Answer<{ readonly stats: BalloonStats; readonly balloonBytes: bigint }> {
    return this.#expect({ kind: 'balloon-stats' }, options, (reply) =>
      reply.kind === 'balloon-stats' ? { stats: reply.stats, balloonBytes: reply.balloonBytes } : undefined,
    )
  }

  balloonWorkingSet(
    options?: RequestOptions,
  ): Answer<{ readonly buckets: readonly WorkingSetBucket[]; readonly balloonBytes: bigint }> {
    return this.#expect({ kind: 'balloon-working-set' }, options, (reply) =>
      reply.kind === 'working-set' ? { buckets: reply.buckets, balloonBytes: reply.balloonBytes } : undefined,
    )
  }

  configureWorkingSet(
    config: {
      readonly bins: readonly number[]
      readonly refreshThreshold: number
      readonly reportThreshold: number
    },
    options?: RequestOptions,
  ): Answer<void> {
    return this.#ok({ kind: 'configure-working-set', ...config }, options)
  }

  /**
   * `index` counts the spec's `block` devices. Only once the guest has started that disk: before, crosvm waits
   * for a device that does not listen and answers nobody (seen with a suspended machine).
   */
  resizeDisk(index: number, bytes: bigint, options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'resize-disk', index, bytes }, options)
  }

  /** The directory must not be there, its parent must. Without the contents of disks and pmem. */
  takeSnapshot(
    path: string,
    options: RequestOptions & { readonly compressMemory?: boolean } = {},
  ): Answer<void> {
    return this.#ok({ kind: 'take-snapshot', path, compressMemory: options.compressMemory ?? false }, options)
  }

  /** A descriptor of /dev/bus/usb/…; resolves with the port. */
  attachUsb(device: Fd, options?: RequestOptions): Answer<number> {
    return this.#expect({ kind: 'attach-usb', device }, options, usbPort)
  }

  /** A descriptor of /dev/hidraw…; resolves with the port. */
  attachSecurityKey(device: Fd, options?: RequestOptions): Answer<number> {
    return this.#expect({ kind: 'attach-security-key', device }, options, usbPort)
  }

  /** Resolves with the port that is free again. */
  detachUsb(port: number, options?: RequestOptions): Answer<number> {
    return this.#expect({ kind: 'detach-usb', port }, options, usbPort)
  }

  listUsb(options?: RequestOptions): Answer<readonly AttachedUsbDevice[]> {
    return this.#expect({ kind: 'list-usb' }, options, (reply) =>
      reply.kind === 'usb-devices' ? reply.devices : undefined,
    )
  }

  /** x86-64 only. `path`: the device's directory in sysfs. */
  plugVfio(path: string, options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'plug-vfio', path, add: true }, options)
  }

  unplugVfio(path: string, options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'plug-vfio', path, add: false }, options)
  }

  /** A persistent tap owned by the user. Resolves with the bus that `removeTap` wants. */
  addTap(name: string, options?: RequestOptions): Answer<number> {
    return this.#expect({ kind: 'add-tap', name }, options, (reply) =>
      reply.kind === 'pci-bus' ? reply.bus : undefined,
    )
  }

  removeTap(bus: number, options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'remove-tap', bus }, options)
  }

  addDisplays(displays: readonly DisplaySettings[], options?: RequestOptions): Answer<void> {
    return this.#expect({ kind: 'add-displays', displays }, options, displaysUpdated).map(() => undefined)
  }

  listDisplays(options?: RequestOptions): Answer<ReadonlyMap<number, Display>> {
    return this.#expect({ kind: 'list-displays' }, options, (reply) =>
      reply.kind === 'displays' ? reply.displays : undefined,
    )
  }

  removeDisplays(ids: readonly number[], options?: RequestOptions): Answer<void> {
    return this.#expect({ kind: 'remove-displays', ids }, options, displaysUpdated).map(() => undefined)
  }

  setMouseMode(display: number, mode: 'touchscreen' | 'relative', options?: RequestOptions): Answer<void> {
    return this.#expect({ kind: 'set-mouse-mode', display, mode }, options, displaysUpdated).map(
      () => undefined,
    )
  }

  /** Only once the guest's driver has looked at the battery: before, crosvm answers nobody, as for `resizeDisk`. */
  changeBattery(change: BatteryChange, options?: RequestOptions): Answer<void> {
    return this.#expect({ kind: 'battery', change }, options, (reply) =>
      reply.kind === 'battery-ok' ? null : undefined,
    ).map(() => undefined)
  }

  muteSound(muted: boolean, options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'mute-sound', muted }, options)
  }

  enableSwap(options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'swap-enable' }, options)
  }

  trimSwap(options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'swap-trim' }, options)
  }

  swapOut(options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'swap-out' }, options)
  }

  disableSwap(options: RequestOptions & { readonly slowFileCleanup?: boolean } = {}): Answer<void> {
    return this.#ok({ kind: 'swap-disable', slowFileCleanup: options.slowFileCleanup ?? false }, options)
  }

  swapStatus(options?: RequestOptions): Answer<SwapStatus> {
    return this.#expect({ kind: 'swap-status' }, options, (reply) =>
      reply.kind === 'swap-status' ? reply.status : undefined,
    )
  }

  /** Gives the vCPUs real-time priority, in a machine with `delayRt`. */
  makeRealTime(options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'make-rt' }, options)
  }

  /** crosvm connects to the SEQPACKET socket at `path` and sends protobuf. */
  registerListener(path: string, event: RegisteredEvent, options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'register-listener', path, event }, options)
  }

  unregisterListener(path: string, event: RegisteredEvent, options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'unregister-listener', path, event }, options)
  }

  unregister(path: string, options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'unregister', path }, options)
  }

  /** Which host threads run the vCPUs. */
  vcpuThreads(options?: RequestOptions): Answer<readonly VcpuThread[]> {
    return this.#expect({ kind: 'vcpu-threads' }, options, (reply) =>
      reply.kind === 'vcpu-threads' ? reply.threads : undefined,
    )
  }

  /** Holds a vCPU back. crosvm never answers: resolving means that it was sent. */
  throttle(vcpu: number, microseconds: number, options: RequestOptions = {}): Answer<void> {
    const request = { kind: 'throttle', vcpu, microseconds } as const
    const refused = this.#refusal(request)
    if (refused) return new ResultAsync(Promise.resolve(err(refused)))
    const packet = this.#packet(request)
    return new ResultAsync(
      this.#connection.tell(request.kind, packet, options.timeoutMs ?? this.#timeoutMs, options.signal),
    )
  }

  /** The descriptor of the KVM virtual machine, which the caller closes. */
  vmDescriptor(options?: RequestOptions): Answer<{ readonly hypervisor: string; readonly fd: Fd }> {
    return new ResultAsync(
      this.#request({ kind: 'vm-descriptor' }, options).then((answered) =>
        answered.andThen(({ reply, fds }) => {
          const [fd] = fds
          if (reply.kind === 'vm-descriptor' && fd) return ok({ hypervisor: reply.hypervisor, fd })
          for (const extra of fds) extra.close()
          return err(notThat('vm-descriptor', reply))
        }),
      ),
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
    return this.#expect({ kind: 'register-memory', memory, cacheCoherent, ...rest }, options, (reply) =>
      reply.kind === 'memory-region' ? reply.regionId : undefined,
    )
  }

  unregisterMemory(regionId: bigint, options?: RequestOptions): Answer<void> {
    return this.#ok({ kind: 'unregister-memory', regionId }, options)
  }

  async #untilReady(options: RequestOptions): Promise<Result<readonly VcpuThread[], ControlError>> {
    const ms = options.timeoutMs ?? this.#timeoutMs
    using deadline = this.#clock.deadline(ms)
    const signal = AbortSignal.any([deadline.signal, ...(options.signal ? [options.signal] : [])])
    for (;;) {
      const answered = await this.vcpuThreads({ timeoutMs: ms, signal })
      if (answered.isOk()) return answered
      const { kind } = answered.error
      const mayCome = kind === 'not-listening' || kind === 'disconnected'
      if (!mayCome) {
        // Here the caller's signal and the deadline of the whole wait look alike.
        return kind === 'aborted' && !options.signal?.aborted ? err(this.#late(ms)) : answered
      }
      await this.#pause(signal)
      if (options.signal?.aborted) {
        return err({ kind: 'aborted', request: 'ready', message: 'ready: the caller aborted it' })
      }
      if (deadline.signal.aborted) return err(this.#late(ms, answered.error.message))
    }
  }

  #late(ms: number, last?: string): ControlError {
    const why = last === undefined ? '' : ` (${last})`
    const message = `crosvm was not ready within ${ms} ms${why}: look at its standard error`
    return { kind: 'no-reply', request: 'ready', message }
  }

  #pause(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.deadline(RETRY_MS)
      const either = AbortSignal.any([timer.signal, signal])
      const done = () => {
        timer[Symbol.dispose]()
        resolve()
      }
      if (either.aborted) done()
      else either.addEventListener('abort', done, { once: true })
    })
  }

  #ok(request: ControlRequest<Fd>, options: RequestOptions | undefined): Answer<void> {
    return this.#expect(request, options, (reply) => (reply.kind === 'ok' ? null : undefined)).map(
      () => undefined,
    )
  }

  /** `pick` gives undefined for a reply that is no answer to this request. */
  #expect<T>(
    request: ControlRequest<Fd>,
    options: RequestOptions | undefined,
    pick: (reply: ControlReply) => T | undefined,
  ): Answer<T> {
    return new ResultAsync(
      this.#request(request, options).then((answered) =>
        answered.andThen(({ reply, fds }) => {
          for (const fd of fds) fd.close()
          const picked = pick(reply)
          return picked === undefined ? err(notThat(request.kind, reply)) : ok(picked)
        }),
      ),
    )
  }

  #refusal(request: ControlRequest<Fd>): ControlError | undefined {
    const argument = unsendable(request)
    if (argument === undefined) return pointless(request, this.#spec, this.#features)
    const message = `${request.kind}: ${argument} is out of the range that the protocol can hold`
    return { kind: 'invalid-argument', argument, message }
  }

  #packet(request: ControlRequest<Fd>): { readonly bytes: Uint8Array; readonly fds: readonly Fd[] } {
    const { text, descriptors } = encodeRequest(request)
    return { bytes: new TextEncoder().encode(text), fds: descriptors }
  }

  async #request(
    request: ControlRequest<Fd>,
    options: RequestOptions = {},
  ): Promise<Result<{ readonly reply: ControlReply; readonly fds: readonly Fd[] }, ControlError>> {
    const refused = this.#refusal(request)
    if (refused) return err(refused)
    const { timeoutMs = this.#timeoutMs, signal } = options
    const packet = this.#packet(request)
    const received = await this.#connection.exchange(request.kind, packet, timeoutMs, signal)
    if (received.isErr()) return err(received.error)
    const { bytes, fds } = received.value
    const reply = decodeReply(bytes, fds.length)
    if (reply.isOk()) return ok({ reply: reply.value, fds })
    for (const fd of fds) fd.close()
    return err({ ...reply.error, request: request.kind })
  }
}

const usbPort = (reply: ControlReply) => (reply.kind === 'usb-port' ? reply.port : undefined)
const displaysUpdated = (reply: ControlReply) => (reply.kind === 'displays-updated' ? null : undefined)

/** A reply that is a failure, or that answers another question. */
function notThat(request: string, reply: ControlReply): ControlError {
  const refused = (why: string, code?: string): ControlError => {
    return { kind: 'refused', request, code, message: `${request}: crosvm refused: ${why}` }
  }
  switch (reply.kind) {
    case 'errno': {
      const code = errnoName(reply.errno)
      return refused(code, code)
    }
    case 'error-text':
      return refused(reply.text)
    case 'usb-failure':
    case 'gpu-failure':
    case 'battery-failure':
      return refused(reply.reason)
    default:
      return {
        kind: 'malformed-reply',
        request,
        message: `${request}: crosvm answered '${reply.kind}', which answers something else`,
      }
  }
}

function errnoName(errno: number): string {
  // 0 is no error, and Node throws for it.
  return errno === 0 ? 'errno 0' : getSystemErrorName(-errno)
}
