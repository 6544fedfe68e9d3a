import type { Agent, AgentError } from '@spectrum/guest-agent'
import type { Attachment, Closure, DeviceFile, StorePathInfo, StoreSource } from '@spectrum/store-share'
import type { ClosureReference } from '@spectrum/unit-graph'
import type { Clock, Machine } from '@spectrum/unit-monitor'
import { err, ok, type Result } from 'neverthrow'
import { bindFromView } from './bind-view.js'
import { mergeClosures, nameOf, pathsLacking } from './closures.js'
import { distinctDevices, heldBlobs, machineDevice } from './devices.js'
import { agentFailed, type HostError, monitorFailed, storeFailed, viewFailed } from './errors.js'
import type { Step } from './events.js'
import type { HostBlobCache } from './powers.js'
import type { InjectionWay, StoreTransport } from './store-access.js'
import { hideAgain, openUndo, unbindAgain } from './undo-change.js'
import type { UnitView } from './unit-view.js'
import type { Wait } from './wait.js'

/** What an injection has added to a unit, and how. */
export interface InjectReport {
  /** Store paths that the unit did not have before, sorted. */
  readonly added: readonly string[]
  /** By new devices, by the unit's view, or not at all because it had everything. */
  readonly way: InjectionWay
  /** Devices that were plugged in; none when another path of the unit has the same content. */
  readonly devices: number
  /** Milliseconds of the host's clock, from the unit's turn to the end. */
  readonly ms: number
}

/** A running unit, as far as a change of its store concerns it. */
export interface Changeable {
  readonly name: string
  readonly machine: Machine
  readonly agent: Agent
  /** Devices in the machine, by id. A device that was plugged in is recorded at once: it cannot be unplugged. */
  readonly devices: Map<string, DeviceFile>
  readonly transport: StoreTransport
  readonly way: InjectionWay
  readonly view: UnitView | undefined
  readonly closure: () => Closure
  readonly granted: (closure: Closure) => void
  /** From now on the machine may map something of this, and does until it is gone. */
  readonly attached: (attachment: Attachment) => void
  /** Aborted when it begins to end. */
  readonly ending: AbortSignal
  /** The caller's deadline in place of the "aborted" that it provoked below. */
  readonly whyNot: (error: HostError) => HostError
}

export interface ChangePowers {
  readonly clock: Clock
  readonly store: StoreSource
  readonly cache: Omit<HostBlobCache, 'close'>
  readonly step: (step: Step) => void
}

/**
 * Adds what the unit lacks of a closure. Nothing of the machine is touched before it is known that everything fits,
 * and after a failure the unit sees what it saw before; devices that were plugged in stay and are used next time.
 */
export async function injectClosure(
  powers: ChangePowers,
  unit: Changeable,
  reference: ClosureReference,
  wait: Wait,
): Promise<Result<Omit<InjectReport, 'ms'>, HostError>> {
  const wanted = await powers.store.closure(reference.roots, {
    signal: wait.signal,
    deadlineMs: wait.leftMs(),
  })
  if (wanted.isErr()) return err(storeFailed(unit.name, wanted.error))
  const missing = pathsLacking(unit.closure(), wanted.value)
  if (missing.length === 0) {
    unit.granted(mergeClosures(unit.closure(), wanted.value))
    return ok({ added: [], way: 'none', devices: 0 })
  }
  if (unit.way === 'none') return err(notInjectable(unit.name))
  const done =
    unit.way === 'view' && unit.view !== undefined
      ? (await byView(powers, unit, unit.view, missing, wait)).map(() => 0)
      : await byDevices(powers, unit, { roots: wanted.value.roots, paths: missing }, wait)
  if (done.isErr()) return err(done.error)
  unit.granted(mergeClosures(unit.closure(), wanted.value))
  return ok({ added: missing.map((info) => info.path), way: unit.way, devices: done.value })
}

/** One metadata image of the new paths, and the blobs that the machine does not hold yet. */
async function byDevices(
  powers: ChangePowers,
  unit: Changeable,
  lacking: Closure,
  wait: Wait,
): Promise<Result<number, HostError>> {
  const { room } = unit.machine
  // Only the new paths go into the image: the ones present stay bound to what they are bound to.
  const attached = await powers.cache.attach(lacking, {
    signal: wait.signal,
    deadlineMs: wait.leftMs(),
    // Even in a full machine: what was revoked has its image there still.
    deviceBudget: Math.max(room.slots, 1),
    present: heldBlobs(unit.devices),
  })
  if (attached.isErr()) {
    const { error } = attached
    return err(
      error.kind === 'device-budget'
        ? noSlotLeft(unit.name, error.needed, room.slots)
        : storeFailed(unit.name, error),
    )
  }
  const fresh = distinctDevices(attached.value).filter((device) => !unit.devices.has(device.id))
  const excess = excessOf(unit, fresh)
  const done = excess === undefined ? await plugAll(powers, unit, attached.value, fresh, wait) : err(excess)
  // Who plugged the others in holds them. What cannot be given back now is given back when the host stops.
  if (excess !== undefined || fresh.length === 0) await powers.cache.release(attached.value)
  if (done.isErr()) return err(done.error)
  return (await mountImage(powers, unit, attached.value, wait)).map(() => fresh.length)
}

/** Why the machine has no room for these devices. */
function excessOf(unit: Changeable, fresh: readonly DeviceFile[]): HostError | undefined {
  const { room } = unit.machine
  if (fresh.length > room.slots) return noSlotLeft(unit.name, fresh.length, room.slots)
  const bytes = fresh.reduce((sum, device) => sum + device.sizeBytes, 0)
  const isTooMuch = unit.transport === 'pmem' && bytes > room.pmemBytes
  return isTooMuch ? noMemoryLeft(unit.name, bytes, room.pmemBytes) : undefined
}

async function plugAll(
  powers: ChangePowers,
  unit: Changeable,
  attachment: Attachment,
  fresh: readonly DeviceFile[],
  wait: Wait,
): Promise<Result<void, HostError>> {
  powers.step('inject-begun')
  // From before the first is plugged in: one that fails may be mapped all the same.
  if (fresh.length > 0) unit.attached(attachment)
  for (const [index, device] of fresh.entries()) {
    const options = { signal: wait.signal, deadlineMs: wait.leftMs() }
    const plugged = await plug(unit, machineDevice(device), options)
    if (plugged.isErr()) {
      const { error } = plugged
      return err(
        error.kind === 'no-slot-left'
          ? noSlotLeft(unit.name, fresh.length - index, 0)
          : monitorFailed(unit.name, error),
      )
    }
    unit.devices.set(device.id, device)
    powers.step('inject-plugged')
  }
  return ok(undefined)
}

async function mountImage(
  powers: ChangePowers,
  unit: Changeable,
  { metadata, blobs, names }: Attachment,
  wait: Wait,
): Promise<Result<void, HostError>> {
  const mount = { image: metadata.id, devices: blobs.map((blob) => blob.id), paths: names }
  const options = { signal: wait.signal, deadlineMs: wait.leftMs() }
  const mounted = await unit.agent.mountStore(mount, options)
  if (mounted.isOk()) {
    powers.step('inject-mounted')
    return ok(undefined)
  }
  const error = unit.whyNot(agentFailed(unit.name, mounted.error, unit.machine.lastLines()))
  if (!isUnknown(mounted.error)) return err(error)
  using undo = openUndo(powers, unit)
  return err(await unbindAgain(unit, names, error, undo))
}

/** Whether the change may have been made, or be made later. */
export function isUnknown(error: AgentError): boolean {
  return 'outcome' in error && error.outcome === 'unknown'
}

function plug(
  { machine, transport }: Changeable,
  device: ReturnType<typeof machineDevice>,
  options: { readonly signal: AbortSignal; readonly deadlineMs: number },
): ReturnType<Machine['addPmem']> {
  if (transport === 'pmem') return machine.addPmem(device, options)
  if (machine.addBlock === undefined)
    throw new TypeError('a monitor with blockHotplug has no machine with addBlock')
  return machine.addBlock(device, options)
}

/** The view shows the new paths, then the unit binds them. */
async function byView(
  powers: ChangePowers,
  unit: Changeable,
  view: UnitView,
  missing: readonly StorePathInfo[],
  wait: Wait,
): Promise<Result<void, HostError>> {
  powers.step('inject-begun')
  const entries = missing.map((info) => ({ name: nameOf(info), location: powers.store.locate(info.path) }))
  const paths = entries.map(({ name }) => name)
  const shown = await view.show(entries, wait)
  if (shown.isErr()) {
    using undo = openUndo(powers, unit)
    const error = unit.whyNot(viewFailed(unit.name, shown.error))
    return err(await hideAgain(view, paths, error, undo))
  }
  powers.step('inject-granted')
  const bound = await bindFromView(unit, view, paths, wait)
  if (bound.isErr()) {
    using undo = openUndo(powers, unit)
    const error = unit.whyNot(agentFailed(unit.name, bound.error, unit.machine.lastLines()))
    // First what needs nobody's consent.
    const hidden = await hideAgain(view, paths, error, undo)
    return err(await unbindAgain(unit, paths, hidden, undo))
  }
  powers.step('inject-mounted')
  return ok(undefined)
}

function notInjectable(unit: string): HostError {
  const message =
    'nothing can be added to it while it runs: open the host with `injection: true`, so that its units have a view ' +
    'where their monitor cannot add devices; or grant everything at the start'
  return monitorFailed(unit, { kind: 'unsupported', capability: 'injection', message })
}

function noSlotLeft(unit: string, needed: number, left: number): HostError {
  const message =
    `Unit "${unit}" has room for ${left} more devices and this injection needs ${needed}. ` +
    'Give it more hotplugSlots in defineUnit, or inject less.'
  return { kind: 'no-slot-left', message, unit, needed, left }
}

function noMemoryLeft(unit: string, needed: number, left: number): HostError {
  const message =
    `Unit "${unit}" can manage ${left} more bytes of persistent memory and this injection needs ${needed}. ` +
    'Give it more memoryBytes in defineUnit, or inject less.'
  return { kind: 'no-memory-left', message, unit, needed, left }
}
