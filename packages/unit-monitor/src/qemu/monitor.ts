import { err, ok, type Result, ResultAsync } from 'neverthrow'
import { inspectDescription } from '../description.js'
import type { MonitorError } from '../errors.js'
import type { ByteChannel, Machine, MachineDescription, Monitor, OperationOptions } from '../machine.js'
import type { MonitorPowers, OneShotListener } from '../powers.js'
import { Acquired, DiedAtStart, spawn, whyNotStarted } from '../starting.js'
import { Patience } from '../waiting.js'
import { QEMU_LIMITS, type QemuLaunch, qemuArguments, qemuPlan, SOCKET_NAMES } from './arguments.js'
import { BOARDS, boardFor, type QemuArchitecture, qemuBinary } from './boards.js'
import { QemuMachine } from './running.js'

/** How the QEMU driver runs its machines. */
export interface QemuOptions extends Omit<QemuLaunch, 'sockets'> {
  /** What its guests are. Default: what `board` runs, `x86_64` without one. */
  readonly architecture?: QemuArchitecture | undefined
  /**
   * Absolute path, or a name on the search path of the `Processes` power. Default: QEMU's own name for the program of
   * the architecture.
   */
  readonly binary?: string | undefined
}

const START_DEADLINE_MS = 30_000

/**
 * A driver for QEMU, since 7.2: `q35` for x86-64, `virt` for aarch64, `pseries` for POWER. On the latter two a store
 * comes on disks, and injection by a view.
 *
 * For every channel (guest console, control, QMP) the driver listens and QEMU connects. So nobody polls for
 * a socket to appear, a socket disappears as soon as it is connected, and a QEMU whose host has died before
 * it could be tied to it finds nobody to connect to and ends by itself.
 *
 * @example
 * ```ts
 * import { qemuMonitor } from '@spectrum/unit-monitor'
 * import { linuxPowers } from '@spectrum/unit-monitor/linux'
 *
 * const monitor = qemuMonitor(linuxPowers(), { accelerator: 'emulation' })
 * const started = await monitor.start({
 *   name: 'hello',
 *   kernel: '/path/to/vmlinuz',
 *   initramfs: '/path/to/initramfs',
 *   kernelParameters: [],
 *   memoryBytes: 256 * 2 ** 20,
 *   vcpuCount: 1,
 *   pmem: [{ id: 'blob', path: '/path/to/blob', sizeBytes: 2 * 2 ** 20 }],
 *   hotplugSlots: 4,
 *   directory: '/run/me/hello', // exists, mode 0700: for this machine's sockets alone
 * })
 * if (started.isErr()) throw new Error(started.error.message) // kind: monitor-died, timed-out …
 * await using machine = started.value
 * console.log(await machine.exit)
 * ```
 */
export function qemuMonitor(powers: MonitorPowers, options: QemuOptions): Monitor {
  const board = options.board ?? boardFor(options.architecture ?? 'x86_64')
  const { architecture } = BOARDS[board]
  if (options.architecture !== undefined && options.architecture !== architecture)
    throw new TypeError(`the board ${board} runs ${architecture}, not ${options.architecture}`)
  const isPc = architecture === 'x86_64'
  const binary = options.binary ?? qemuBinary(architecture)
  return {
    kind: 'qemu',
    accelerator: options.accelerator,
    capabilities: {
      architectures: [architecture],
      pmem: isPc,
      pmemHotplug: isPc,
      block: true,
      blockHotplug: isPc,
      volumes: true,
      maxPmemDevices: QEMU_LIMITS.maxPmemDevices,
      view: true,
      display: false,
      powerButton: false,
      pause: true,
    },
    start: (machine, operation) =>
      new ResultAsync(start(powers, { ...options, binary, board }, machine, operation)),
  }
}

type Listeners = { [name in keyof typeof SOCKET_NAMES]: OneShotListener }

async function start(
  powers: MonitorPowers,
  options: QemuOptions & { readonly binary: string },
  description: MachineDescription,
  operation: OperationOptions | undefined,
): Promise<Result<Machine, MonitorError>> {
  const path = (name: keyof typeof SOCKET_NAMES) => `${description.directory}/${SOCKET_NAMES[name]}`
  const sockets = { console: path('console'), control: path('control'), qmp: path('qmp') }
  const plan = qemuPlan(description, options)
  if (plan.isErr()) return err(plan.error)
  const argv = qemuArguments(description, { ...options, sockets })
  if (argv.isErr()) return err(argv.error)
  if (description.display !== undefined) {
    const message = `machine ${description.name}: the QEMU driver has no way to a Wayland socket: use crosvm, or carry Wayland over the control channel (waypipe)`
    return err({ kind: 'unsupported', capability: 'display', message })
  }

  using patience = new Patience(powers.clock, operation, START_DEADLINE_MS)
  using acquired = new Acquired()
  let machine: QemuMachine | undefined
  try {
    if (powers.files !== undefined) {
      const inspected = await patience.race(inspectDescription(description, powers.files))
      if (inspected.isErr()) return err(inspected.error)
    }
    // Not raced: a listener or a process that comes into being must be known, to be ended. Both calls are
    // bounded by the kernel, not by a peer.
    const listeners: Listeners = {
      console: acquired.own(await powers.sockets.listen(sockets.console)),
      control: acquired.own(await powers.sockets.listen(sockets.control)),
      qmp: acquired.own(await powers.sockets.listen(sockets.qmp)),
    }
    patience.signal.throwIfAborted()
    const child = await spawn(powers.processes, 'QEMU', {
      file: options.binary,
      argv: argv.value,
      role: `unit ${description.name}: qemu`,
      powerless: true,
    })
    if (child.isErr()) return err(child.error)
    machine = new QemuMachine(powers, description, plan.value, child.value)
    const failure = await connect(machine, listeners, patience, acquired)
    if (failure === undefined) {
      acquired.release()
      return ok(machine)
    }
    return err(failure)
  } catch (why) {
    return err(whyNotStarted(why, description, patience, machine?.lastLines() ?? []))
  } finally {
    // `release` was called only when the machine is handed out.
    if (machine !== undefined && !acquired.released) await machine.kill()
  }
}

/** Accepts QEMU's three connections and greets it; undefined when the machine is ready to be handed out. */
async function connect(
  machine: QemuMachine,
  listeners: Listeners,
  patience: Patience,
  acquired: Acquired,
): Promise<MonitorError | undefined> {
  const died = machine.exit.then((exit): never => {
    throw new DiedAtStart(exit)
  })
  const peer = async (listener: OneShotListener): Promise<ByteChannel> => {
    const channel = await patience.race(Promise.race([listener.accept(patience.signal), died]))
    acquired.own({ [Symbol.dispose]: () => channel.close() })
    return channel
  }
  const console = await peer(listeners.console)
  const control = await peer(listeners.control)
  machine.connect(control, console)
  const qmp = await peer(listeners.qmp)
  const within = { signal: patience.signal, deadlineMs: patience.deadlineMs }
  const negotiated = await patience.race(Promise.race([machine.negotiate(qmp, within), died]))
  if (negotiated.isOk()) return undefined
  const failure = negotiated.error
  patience.signal.throwIfAborted()
  // A QEMU that dies while it starts closes its channels first: the exit says more than the closed channel.
  if (failure.kind === 'closed') await patience.race(died)
  return { kind: 'monitor-protocol', message: `machine ${machine.name}: ${failure.message}`, cause: failure }
}
