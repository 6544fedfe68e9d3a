import { EventEmitter } from 'node:events'
import type { LogLine, ProbedBinary } from '@spectrum/crosvm-spec'
import { type RunningCrosvm, spawnCrosvm } from '@spectrum/crosvm-spec/spawn'
import { err, ok, okAsync, type Result, ResultAsync } from 'neverthrow'
import type TypedEmitter from 'typed-emitter'
import { inspectDescription } from '../description.js'
import type { MonitorError } from '../errors.js'
import type { Machine, MachineDescription, MachineEvents, Monitor, OperationOptions } from '../machine.js'
import { MachineLog } from '../machine-log.js'
import type { OneShotListener } from '../powers.js'
import { Acquired, DiedAtStart, whyNotStarted } from '../starting.js'
import { Patience } from '../waiting.js'
import { machineExit, notCrosvm, whyNotSpawned } from './failures.js'
import type { CrosvmPowers } from './powers.js'
import { CrosvmPair } from './processes.js'
import { type CrosvmChannels, CrosvmMachine } from './running.js'
import { CROSVM_LIMITS, type CrosvmLaunch, crosvmMachineSpec, SOCKET_NAMES } from './spec.js'

/** How the crosvm driver runs its machines. */
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
  let known: ProbedBinary | undefined
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
      volumes: true,
      maxPmemDevices: CROSVM_LIMITS.maxPmemDevices,
      view: true,
      display: true,
      powerButton: true,
      pause: true,
    },
    start: (machine, operation) =>
      new ResultAsync(start(powers, { ...options, binary, ask }, machine, operation)),
  }
}

type Ask = (signal: AbortSignal) => Promise<Result<ProbedBinary | undefined, MonitorError>>

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
  const { name } = description
  const { binary } = options
  const events = new EventEmitter() as TypedEmitter<MachineEvents>
  const log = new MachineLog(powers.clock, (line) => events.emit('log', line))
  let running: RunningCrosvm | undefined
  try {
    if (powers.files !== undefined) {
      const inspected = await patience.race(inspectDescription(description, powers.files))
      if (inspected.isErr()) return err(inspected.error)
    }
    const help = await patience.race(options.ask(patience.signal))
    if (help.isErr()) return err(help.error)
    const spec = crosvmMachineSpec(description, launch, help.value)
    if (spec.isErr()) return err(spec.error)

    // Not raced: a listener or a process that comes into being must be known, to be ended. The calls are bounded by
    // the kernel, not by a peer, and the spawn by its signal.
    const listeners = {
      console: acquired.own(await powers.sockets.listen(sockets.console)),
      control: acquired.own(await powers.sockets.listen(sockets.control)),
    }
    const peers = meet(listeners, log, patience, acquired)
    // They are awaited once crosvm answers; where it never does, they end with their listeners.
    peers.catch(() => {})
    const pair = new CrosvmPair(powers, name, sockets, log)
    const known = help.value
    const spawned = await spawnCrosvm(
      spec.value,
      {
        processes: pair,
        sockets: powers.packets,
        clock: powers.clock,
        host: powers.host,
        probe: known === undefined ? undefined : { probe: () => okAsync(known) },
      },
      {
        binary,
        onLog: (line) => log.add('monitor', textOf(line)),
        timeoutMs: patience.deadlineMs,
        signal: patience.signal,
      },
    )
    if (spawned.isErr())
      return err(whyNotSpawned(spawned.error, binary, description, patience, log.lastLines()))
    running = spawned.value
    const died = running.ended.then((end): never => {
      throw new DiedAtStart(machineExit(end, log.lastLines()))
    })
    const channels = await patience.race(Promise.race([peers, died]))
    const machine = new CrosvmMachine(name, events, log, powers, running, pair, channels, sockets)
    await machine.settle()
    acquired.release()
    return ok(machine)
  } catch (why) {
    return err(whyNotStarted(why, description, patience, log.lastLines()))
  } finally {
    // `release` was called only when the machine is handed out.
    if (!acquired.released) {
      await running?.kill()
      await powers.host.removeSocket(sockets.port)
    }
  }
}

/** Accepts crosvm's two connections, and reads the console from its first byte on. */
async function meet(
  listeners: { readonly console: OneShotListener; readonly control: OneShotListener },
  log: MachineLog,
  patience: Patience,
  acquired: Acquired,
): Promise<CrosvmChannels> {
  const accept = async (listener: OneShotListener) => {
    const channel = await listener.accept(patience.signal)
    acquired.own({ [Symbol.dispose]: () => channel.close() })
    return channel
  }
  const heard = accept(listeners.console).then((console) => ({
    console,
    consoleSaid: log.follow('console', console.incoming),
  }))
  const [{ console, consoleSaid }, control] = await Promise.all([heard, accept(listeners.control)])
  return { console, consoleSaid, control }
}

/** Asks the binary, once for each of its contents, which options it has. */
async function askBinary(
  powers: Pick<CrosvmPowers, 'probe'>,
  binary: string,
  signal: AbortSignal,
): Promise<Result<ProbedBinary | undefined, MonitorError>> {
  if (powers.probe === undefined || !binary.startsWith('/')) return ok(undefined)
  const asked = await powers.probe.probe(binary, signal)
  if (asked.isOk()) return ok(asked.value)
  signal.throwIfAborted()
  return err(notCrosvm(binary, asked.error.message))
}

/** As crosvm wrote it. */
function textOf(line: LogLine): string {
  if (line.kind === 'text') return line.message
  return `[${line.time} ${line.level.toUpperCase()} ${line.module}] ${line.message}`
}
