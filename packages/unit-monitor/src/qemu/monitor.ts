import { err, ok, type Result, ResultAsync } from 'neverthrow'
import { inspectDescription } from '../description.js'
import type { MonitorError } from '../errors.js'
import type {
  ByteChannel,
  Machine,
  MachineDescription,
  MachineExit,
  Monitor,
  OperationOptions,
} from '../machine.js'
import type { MonitorPowers, OneShotListener, SpawnedProcess } from '../powers.js'
import { escapeAndCut } from '../printable.js'
import { Patience, WaitEnded } from '../waiting.js'
import { QEMU_LIMITS, type QemuLaunch, qemuArguments, SOCKET_NAMES } from './arguments.js'
import { QemuMachine } from './running.js'

export interface QemuOptions extends Omit<QemuLaunch, 'sockets'> {
  /** Absolute path, or a name on the search path of the `Processes` power. Default `qemu-system-x86_64`. */
  readonly binary?: string | undefined
}

const START_DEADLINE_MS = 30_000

/**
 * A driver for QEMU on x86-64, since 7.2.
 *
 * For every channel (guest console, control, QMP) the driver listens and QEMU connects. So nobody polls for
 * a socket to appear, a socket disappears as soon as it is connected, and a QEMU whose host has died before
 * it could be tied to it finds nobody to connect to and ends by itself.
 */
export function qemuMonitor(powers: MonitorPowers, options: QemuOptions): Monitor {
  const binary = options.binary ?? 'qemu-system-x86_64'
  return {
    kind: 'qemu',
    accelerator: options.accelerator,
    capabilities: {
      architectures: ['x86_64'],
      pmem: true,
      pmemHotplug: true,
      maxPmemDevices: QEMU_LIMITS.maxPmemDevices,
      powerButton: false,
    },
    start: (machine, operation) => new ResultAsync(start(powers, { ...options, binary }, machine, operation)),
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
  const argv = qemuArguments(description, { ...options, sockets })
  if (argv.isErr()) return err(argv.error)

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
    const child = await spawn(powers, options.binary, argv.value, description)
    if (child.isErr()) return err(child.error)
    machine = new QemuMachine(powers, description, options, child.value)
    const failure = await connect(machine, listeners, patience, acquired)
    if (failure === undefined) {
      acquired.release()
      return ok(machine)
    }
    return err(failure)
  } catch (why) {
    return err(explain(why, description, patience, machine))
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

async function spawn(
  powers: MonitorPowers,
  binary: string,
  argv: readonly string[],
  machine: MachineDescription,
): Promise<Result<SpawnedProcess, MonitorError>> {
  try {
    return ok(await powers.processes.spawn({ file: binary, argv, role: `unit ${machine.name}: qemu` }))
  } catch (cause) {
    const code = codeOf(cause)
    if (code === 'ENOENT' || code === 'EACCES')
      return err({
        kind: 'monitor-missing',
        binary,
        message: `${binary} cannot be run (${code}): ${messageOf(cause)}. Install QEMU or name its binary`,
      })
    return err(systemError(`machine ${machine.name}: could not start ${binary}`, cause))
  }
}

class DiedAtStart extends Error {
  constructor(readonly exit: MachineExit) {
    super('the monitor died while it was starting')
  }
}

function explain(
  why: unknown,
  description: MachineDescription,
  patience: Patience,
  machine: QemuMachine | undefined,
): MonitorError {
  const name = `machine ${description.name}`
  const lastLines = machine?.lastLines() ?? []
  if (why instanceof DiedAtStart) {
    const status = statusOf(why.exit)
    const said =
      lastLines.length === 0 ? 'It said nothing.' : `Its last words: ${lastLines.slice(-3).join(' | ')}`
    return {
      kind: 'monitor-died',
      status,
      lastLines,
      message: `${name}: the monitor ${status} while it was starting. ${said}`,
    }
  }
  const ended = patience.signal.aborted ? patience.signal.reason : why
  if (ended instanceof WaitEnded) {
    if (ended.why === 'aborted') return { kind: 'aborted', message: `${name}: its start was aborted` }
    const message = `${name}: the monitor did not connect within ${patience.deadlineMs} ms`
    return { kind: 'timed-out', message, lastLines }
  }
  if (codeOf(why) === 'EADDRINUSE')
    return systemError(`${name}: its directory holds a socket already: give every machine a fresh one`, why)
  return systemError(`${name}: its sockets could not be made in ${description.directory}`, why)
}

function statusOf(exit: MachineExit): string {
  switch (exit.kind) {
    case 'failed':
      return `exited with ${exit.code}`
    case 'signalled':
      return `was ended by ${exit.signal}`
    case 'killed':
      return 'was killed'
    case 'powered-off':
      return 'powered off'
  }
}

function systemError(what: string, cause: unknown): MonitorError {
  const code = codeOf(cause)
  const message = `${what}: ${messageOf(cause)}`
  return { kind: 'system', message, cause, ...(code === undefined ? {} : { code }) }
}

function codeOf(cause: unknown): string | undefined {
  const code: unknown =
    typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' ? code : undefined
}

function messageOf(cause: unknown): string {
  return escapeAndCut(cause instanceof Error ? cause.message : String(cause), 300)
}

/** What a start has acquired so far; disposed in reverse order unless the start succeeds. */
class Acquired implements Disposable {
  readonly #owned: Disposable[] = []
  released = false

  own<T extends Disposable>(thing: T): T {
    this.#owned.push(thing)
    return thing
  }

  release(): void {
    this.released = true
    this.#owned.length = 0
  }

  [Symbol.dispose](): void {
    for (const thing of this.#owned.splice(0).reverse()) thing[Symbol.dispose]()
  }
}
