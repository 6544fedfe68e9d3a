import { type Help, printArgv } from '@spectrum/crosvm-spec'
import { CrosvmControl } from '@spectrum/crosvm-spec/control'
import { err, ok, type Result, ResultAsync } from 'neverthrow'
import { inspectDescription } from '../description.js'
import type { MonitorError } from '../errors.js'
import type { ByteChannel, Machine, MachineDescription, Monitor, OperationOptions } from '../machine.js'
import type { OneShotListener, SpawnedProcess } from '../powers.js'
import { Acquired, DiedAtStart, spawn, whyNotStarted } from '../starting.js'
import { Patience } from '../waiting.js'
import { askBinary, checkHost, checkOptions } from './host.js'
import type { CrosvmPowers } from './powers.js'
import { CrosvmMachine, controlFailed } from './running.js'
import {
  CROSVM_LIMITS,
  type CrosvmLaunch,
  controlPortArguments,
  crosvmMachineSpec,
  SOCKET_NAMES,
} from './spec.js'

export interface CrosvmOptions extends Omit<CrosvmLaunch, 'sockets'> {
  /**
   * Absolute path, or a name on the search path of the `Processes` power. Only a binary named by its path is
   * asked for its options before the start. Default `crosvm`.
   */
  readonly binary?: string | undefined
}

const START_DEADLINE_MS = 30_000

/**
 * A driver for crosvm on x86-64 with KVM.
 *
 * The driver listens for the guest's console and the control channel, and crosvm connects. crosvm's own control
 * socket is the other way round: it says when every device exists, is unlinked then, and the one connection to it
 * stays with the machine. Each device runs in crosvm's jails, but for the control port: that is a process which
 * crosvm does not jail, so it runs without capabilities and in namespaces of its own. All processes are enclosed:
 * none outlives the machine.
 */
export function crosvmMonitor(powers: CrosvmPowers, options: CrosvmOptions = {}): Monitor {
  const binary = options.binary ?? 'crosvm'
  /** What the binary said; asked until it has answered once. */
  let known: Help | undefined
  const ask: Ask = async (signal) => {
    if (known !== undefined) return ok(known)
    const asked = await askBinary(powers, binary, signal)
    if (asked.isOk()) known = asked.value
    return asked
  }
  return {
    kind: 'crosvm',
    accelerator: 'kvm',
    capabilities: {
      architectures: ['x86_64'],
      pmem: true,
      pmemHotplug: false,
      block: true,
      blockHotplug: false,
      maxPmemDevices: CROSVM_LIMITS.maxPmemDevices,
      view: true,
      powerButton: true,
    },
    start: (machine, operation) =>
      new ResultAsync(start(powers, { ...options, binary, ask }, machine, operation)),
  }
}

type Ask = (signal: AbortSignal) => Promise<Result<Help | undefined, MonitorError>>

async function start(
  powers: CrosvmPowers,
  options: CrosvmOptions & { readonly binary: string; readonly ask: Ask },
  description: MachineDescription,
  operation: OperationOptions | undefined,
): Promise<Result<Machine, MonitorError>> {
  const path = (name: keyof typeof SOCKET_NAMES) => `${description.directory}/${SOCKET_NAMES[name]}`
  const sockets = { console: path('console'), control: path('control'), port: path('port'), vm: path('vm') }
  const launch = { ...options, sockets }
  // Before the binary is asked: what is wrong with the description is wrong for every binary.
  const plain = crosvmMachineSpec(description, launch)
  if (plain.isErr()) return err(plain.error)

  using patience = new Patience(powers.clock, operation, START_DEADLINE_MS)
  using acquired = new Acquired()
  let machine: CrosvmMachine | undefined
  /** Started, and not yet a machine's. */
  let orphan: SpawnedProcess | undefined
  try {
    if (powers.files !== undefined) {
      const inspected = await patience.race(inspectDescription(description, powers.files))
      if (inspected.isErr()) return err(inspected.error)
    }
    const help = await patience.race(options.ask(patience.signal))
    if (help.isErr()) return err(help.error)
    const spec = crosvmMachineSpec(description, launch, help.value)
    if (spec.isErr()) return err(spec.error)
    const fits = checkOptions(spec.value, help.value)
    if (fits.isErr()) return err(fits.error)
    const host = await patience.race(checkHost(spec.value, powers))
    if (host.isErr()) return err(host.error)

    // Not raced: a listener or a process that comes into being must be known, to be ended. Both calls are
    // bounded by the kernel, not by a peer.
    const console = acquired.own(await powers.sockets.listen(sockets.console))
    const control = acquired.own(await powers.sockets.listen(sockets.control))
    patience.signal.throwIfAborted()
    const port = await spawn(powers.processes, 'crosvm', {
      file: options.binary,
      argv: controlPortArguments(sockets),
      role: `unit ${description.name}: control port`,
      enclosed: 'without-capabilities',
    })
    if (port.isErr()) return err(port.error)
    orphan = port.value
    const child = await spawn(powers.processes, 'crosvm', {
      file: options.binary,
      argv: printArgv(spec.value),
      role: `unit ${description.name}: crosvm`,
      enclosed: 'as-it-is',
    })
    if (child.isErr()) return err(child.error)
    const client = new CrosvmControl(
      { sockets: powers.packets, clock: powers.clock },
      { spec: spec.value, path: sockets.vm },
    )
    machine = new CrosvmMachine(description.name, powers, child.value, port.value, client, sockets)
    orphan = undefined
    const failure = await connect(machine, { console, control }, patience, acquired)
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
    orphan?.kill()
    await orphan?.exit
  }
}

/** Accepts crosvm's two connections and awaits its devices; undefined when the machine is ready to be handed out. */
async function connect(
  machine: CrosvmMachine,
  listeners: { readonly console: OneShotListener; readonly control: OneShotListener },
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
  const settled = machine.settle(patience.signal, patience.deadlineMs)
  const answered = await patience.race(Promise.race([settled, died]))
  if (answered.isOk()) return undefined
  patience.signal.throwIfAborted()
  // A crosvm that dies while it starts closes its socket first: the exit says more than the closed socket.
  const { kind } = answered.error
  if (kind === 'disconnected' || kind === 'closed') await patience.race(died)
  return controlFailed(machine.name, answered.error, machine.lastLines())
}
