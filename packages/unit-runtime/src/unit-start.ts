import type { Agent, ConnectAgent } from '@spectrum/guest-agent'
import type { Attachment, Blob, DeviceFile } from '@spectrum/store-share'
import type { UnitDefinition } from '@spectrum/unit-graph'
import type { Machine, MachineDescription, Monitor } from '@spectrum/unit-monitor'
import { err, ok, type Result } from 'neverthrow'
import type { JoinCalls } from './broker/host-calls.js'
import { distinctDevices, machineDevice } from './devices.js'
import { agentFailed, type HostError, monitorFailed, stateFailed, unitDied, viewFailed } from './errors.js'
import { giveBack, killMachine, type MachineHoldings } from './give-back.js'
import type { MachineLimits } from './limits/host-groups.js'
import type { ViewPower } from './powers.js'
import { type HearState, RunningUnit } from './running-unit.js'
import { ACCESS, type InjectionWay, type StoreTransport } from './store-access.js'
import { also } from './undo-change.js'
import type { UnitContext } from './unit-context.js'
import { UnitView } from './unit-view.js'
import { type MachineVolumes, mountVolumes } from './volumes/host-volumes.js'
import { openWait, orAborted, type Wait } from './wait.js'

/** Bytes of a guest whose unit does not say. */
export const DEFAULT_MEMORY = 256 * 1024 * 1024
const DEFAULT_SLOTS = 16
/**
 * The agent puts each command into a control group of its own. For that Linux waits until RCU has seen every processor, which
 * is 10 ms of standing still where nothing else runs, and 1 ms expedited (Documentation/admin-guide/kernel-parameters.txt).
 */
export const KERNEL_PARAMETERS: readonly string[] = ['rcupdate.rcu_expedited=1']
/** How long a machine whose channel ended gets to report why. */
const POST_MORTEM_MS = 2_000

/** What every unit of a host is started with. */
export interface StartParts {
  readonly monitor: Monitor
  readonly kernel: string
  /** Absolute path of the initramfs file. */
  readonly initramfs: string
  readonly connectAgent: ConnectAgent
  readonly transport: StoreTransport
  readonly way: InjectionWay
  /** Where `way` is `view`. */
  readonly openView: ViewPower | undefined
}

/** A start that failed, when everything that it had begun is undone. */
export interface FailedStart {
  readonly error: HostError
  /**
   * Except its machine, which could not be ended: what that maps is in use. Resolves when it has ended after all and holds
   * nothing any more; never rejects. Undefined: nothing is left.
   */
  readonly gone: Promise<unknown> | undefined
}

/**
 * Starts one unit whose store is attached: make a private directory, start the machine, meet the agent, mount, and let its
 * programs call.
 * On any failure everything that was begun is undone before the error is returned. The attachment stays its giver's, and
 * is mapped until the unit has ended.
 */
export async function startUnit(
  context: UnitContext,
  parts: StartParts,
  definition: UnitDefinition,
  attachment: Attachment,
  join: JoinCalls,
  hear: HearState,
  wait: Wait,
): Promise<Result<RunningUnit, FailedStart>> {
  const { name } = definition
  const devices = distinctDevices(attachment)
  const slots = slotsFor(parts, definition, devices.length)
  if (slots.isErr()) return err({ error: slots.error, gone: undefined })
  let directory: string
  try {
    directory = await context.directory.makeForUnit()
  } catch (cause) {
    const error = stateFailed(context.directory.path, 'make a directory for a unit in', cause)
    return err({ error, gone: undefined })
  }
  let view: UnitView | undefined
  try {
    const opened = await serveView(context, parts, name, wait)
    if (opened.isErr()) return err(await undo(context, name, directory, { error: opened.error }))
    view = opened.value
  } catch (cause) {
    const error = stateFailed(context.directory.path, 'make a directory for a view in', cause)
    return err(await undo(context, name, directory, { error }))
  }
  const taken = await context.volumes.take(definition, directory, wait)
  if (taken.isErr()) {
    const error = whyNot(taken.error, name, wait, [])
    return err(await undo(context, name, directory, { error }, view))
  }
  const volumes = taken.value
  if (volumes.devices.length > 0) context.step(name, 'volumes-taken')
  const description = describe(definition, parts, devices, slots.value, directory, view, volumes)
  const booted = await boot(context, parts, definition, description, view, wait)
  if (booted.isErr()) return err(await undo(context, name, directory, { ...booted.error, volumes }, view))
  const { machine, agent, limits } = booted.value
  const mounted = await mount(context, name, booted.value, attachment, wait)
  const begun = { machine, agent, limits, volumes }
  if (mounted.isErr())
    return err(await undo(context, name, directory, { error: mounted.error, ...begun }, view))
  const placed = await placeVolumes(context, definition, booted.value, wait)
  if (placed.isErr())
    return err(await undo(context, name, directory, { error: placed.error, ...begun }, view))
  const joined = await join(agent, { signal: wait.signal, deadlineMs: wait.leftMs() })
  if (joined.isErr()) {
    const lines = machine.lastLines()
    const dead = await postMortem(context, booted.value, joined.error.kind === 'unit-lost')
    const error = dead ?? whyNot(agentFailed(name, joined.error, lines), name, wait, lines)
    return err(await undo(context, name, directory, { error, ...begun }, view))
  }
  return ok(
    new RunningUnit(
      name,
      context,
      {
        directory,
        machine,
        agent,
        attachment,
        devices: new Map(devices.map((device) => [device.id, device])),
        access: ACCESS[parts.transport],
        way: parts.way,
        view,
        dax: mounted.value,
        limits,
        volumes,
      },
      hear,
    ),
  )
}

/** The view of one unit, where units of this host have one. */
async function serveView(
  context: UnitContext,
  parts: StartParts,
  name: string,
  wait: Wait,
): Promise<Result<UnitView | undefined, HostError>> {
  if (parts.way !== 'view' || parts.openView === undefined) return ok(undefined)
  const opened = await UnitView.open(parts.openView, context.directory, wait)
  if (opened.isErr()) return err(whyNot(viewFailed(name, opened.error), name, wait, []))
  context.step(name, 'view-served')
  return ok(opened.value)
}

function slotsFor(
  { monitor, way }: StartParts,
  definition: UnitDefinition,
  used: number,
): Result<number, HostError> {
  // What is injected comes by the view: no device will ever need a slot.
  if (way === 'view') return ok(0)
  const free = way === 'devices' ? monitor.capabilities.maxPmemDevices - used : 0
  const wanted = definition.hotplugSlots
  if (wanted === undefined) return ok(Math.max(0, Math.min(DEFAULT_SLOTS, free)))
  if (wanted <= free) return ok(wanted)
  const message =
    `Unit "${definition.name}" asks for ${wanted} hotplugSlots, but beside its ${used} devices ` +
    `${monitor.kind} has room for ${free}. Ask for fewer.`
  return err({ kind: 'no-slot-left', message, unit: definition.name, needed: wanted, left: free })
}

function describe(
  definition: UnitDefinition,
  parts: StartParts,
  devices: readonly (DeviceFile | Blob)[],
  hotplugSlots: number,
  directory: string,
  view: UnitView | undefined,
  volumes: MachineVolumes,
): MachineDescription {
  const store = devices.map(machineDevice)
  return {
    name: definition.name,
    kernel: parts.kernel,
    initramfs: parts.initramfs,
    kernelParameters: KERNEL_PARAMETERS,
    memoryBytes: definition.memoryBytes ?? DEFAULT_MEMORY,
    vcpuCount: definition.vcpuCount ?? 1,
    pmem: parts.transport === 'pmem' ? store : [],
    block: parts.transport === 'block' ? store : [],
    volumes: volumes.devices,
    view: view === undefined ? undefined : { tag: view.tag, socket: view.socket },
    hotplugSlots,
    directory,
  }
}

/** A machine whose agent has answered. */
interface Booted {
  readonly machine: Machine
  readonly agent: Agent
  readonly limits: MachineLimits
}

async function boot(
  context: UnitContext,
  parts: StartParts,
  definition: UnitDefinition,
  description: MachineDescription,
  view: UnitView | undefined,
  wait: Wait,
): Promise<Result<Booted, Begun>> {
  const { clock } = context.powers
  const { name } = description
  const options = () => ({ signal: wait.signal, deadlineMs: wait.leftMs() })
  const started = await parts.monitor.start(description, options())
  if (started.isErr()) return err({ error: whyNot(monitorFailed(name, started.error), name, wait, []) })
  const machine = started.value
  machine.events.on('log', (line) => context.log(name, line))
  context.step(name, 'machine-started')
  const pids = [...machine.processes.map(({ pid }) => pid), ...(view === undefined ? [] : [view.server.pid])]
  const limits = await context.groups.limit(name, definition.limits, pids)
  if (limits.report.kind === 'not-enforced')
    context.log(name, { source: 'host', text: `its limits are not enforced: ${limits.report.why}` })
  // A machine that dies must end the wait for its agent even if the channel stays open.
  const died = new AbortController()
  void machine.exit.then(() => died.abort())
  using patience = openWait(clock, wait.leftMs(), wait.signal, died.signal)
  const met = await parts.connectAgent(
    machine.control,
    { clock },
    { signal: patience.signal, deadlineMs: wait.leftMs() },
  )
  if (met.isOk()) {
    context.step(name, 'agent-answered')
    return ok({ machine, agent: met.value, limits })
  }
  const suspect = met.error.kind === 'unit-lost' || died.signal.aborted
  const dead = await postMortem(context, { machine, limits }, suspect)
  const lines = machine.lastLines()
  if (dead !== undefined) return err({ error: dead, machine, limits })
  // Three clocks end at the same moment; whichever was first, it was the deadline.
  const late = [met.error.kind, wait.reason(), patience.reason()].includes('timed-out')
  const error = late ? silent(name, lines) : whyNot(agentFailed(name, met.error, lines), name, wait, lines)
  return err({ error, machine, limits })
}

async function mount(
  context: UnitContext,
  name: string,
  booted: Booted,
  attachment: Attachment,
  wait: Wait,
): Promise<Result<boolean, HostError>> {
  const { machine, agent } = booted
  const { metadata, blobs, names } = attachment
  const mounted = await agent.mountStore(
    { image: metadata.id, devices: blobs.map((blob) => blob.id), paths: names },
    { signal: wait.signal, deadlineMs: wait.leftMs() },
  )
  const lines = machine.lastLines()
  if (mounted.isErr()) {
    const dead = await postMortem(context, booted, mounted.error.kind === 'unit-lost')
    return err(dead ?? whyNot(agentFailed(name, mounted.error, lines), name, wait, lines))
  }
  const bound = new Set(mounted.value.bound)
  const absent = names.find((each) => !bound.has(each))
  if (absent !== undefined) {
    const message = `the unit did not bind ${absent}; its agent and this host do not agree`
    return err(agentFailed(name, { kind: 'refused', message, errno: undefined }, lines))
  }
  context.step(name, 'store-mounted')
  return ok(mounted.value.dax)
}

async function placeVolumes(
  context: UnitContext,
  { name, volumes = {} }: UnitDefinition,
  booted: Booted,
  wait: Wait,
): Promise<Result<void, HostError>> {
  if (Object.keys(volumes).length === 0) return ok(undefined)
  const { machine, agent } = booted
  const placed = await mountVolumes(name, agent, volumes, () => machine.lastLines(), wait)
  if (placed.isErr()) {
    const { error } = placed
    const lost = error.kind === 'agent-failed' && error.cause.kind === 'unit-lost'
    return err((await postMortem(context, booted, lost)) ?? whyNot(error, name, wait, machine.lastLines()))
  }
  context.step(name, 'volumes-mounted')
  return ok(undefined)
}

/** What the machine died of, when `suspect` and it did: a lost channel alone does not say. */
async function postMortem(
  context: UnitContext,
  { machine, limits }: Pick<Booted, 'machine' | 'limits'>,
  suspect: boolean,
): Promise<HostError | undefined> {
  if (!suspect) return undefined
  using wait = openWait(context.powers.clock, POST_MORTEM_MS)
  const exit = await orAborted(machine.exit, wait.signal)
  if (exit === undefined) return undefined
  return unitDied(machine.name, exit, machine.lastLines(), await limits.exceeded(exit))
}

/** A start that failed, with what it had begun. */
interface Begun extends Omit<MachineHoldings, 'directory' | 'view'> {
  readonly error: HostError
}

/** Takes back what a start has begun. Its error is the start's own, unless its machine cannot be ended. */
async function undo(
  context: UnitContext,
  name: string,
  directory: string,
  { error, ...begun }: Begun,
  view?: UnitView,
): Promise<FailedStart> {
  const { machine, agent } = begun
  const held = { directory, view, ...begun }
  await Promise.resolve(agent?.[Symbol.asyncDispose]()).catch(() => {})
  const killed = machine === undefined ? undefined : await killMachine(machine)
  if (machine !== undefined && killed?.isErr()) {
    // The directory and the journal name a machine that lives on, so that the next host can finish it, unless it ends after all.
    const gone = machine.exit.then(() => giveBack(context, name, held))
    return { error: monitorFailed(machine.name, killed.error), gone }
  }
  const left = await giveBack(context, name, held)
  return {
    error: left === undefined ? error : also(error, `And what it had begun is not gone: ${left.message}`),
    gone: undefined,
  }
}

function silent(unit: string, lastLines: readonly string[]): HostError {
  const shown = lastLines.slice(-8).map((line) => `\n  ${line}`)
  const message =
    `Unit "${unit}" never answered: its machine runs, its agent does not speak. Give it more time ` +
    `(deadlineMs), or read what its kernel said last:${shown.join('') || ' nothing.'}`
  return { kind: 'timed-out', message, unit, step: 'agent', lastLines }
}

/** The caller's own signal and deadline outrank whatever error they provoked further down. */
export function whyNot(error: HostError, unit: string, wait: Wait, lastLines: readonly string[]): HostError {
  if (wait.reason() === 'aborted') {
    return {
      kind: 'aborted',
      message: `The start of unit "${unit}" was aborted; nothing of it is left.`,
      unit,
    }
  }
  if (wait.reason() === 'timed-out' && error.kind !== 'timed-out') {
    const message = `Unit "${unit}" was not up before the deadline: ${error.message}`
    return { kind: 'timed-out', message, unit, step: 'start', lastLines }
  }
  return error
}
