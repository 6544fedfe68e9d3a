import type { Agent } from '@spectrum/guest-agent'
import type { BlobCache, Closure, DeviceFile, StorePathInfo, StoreSource } from '@spectrum/store-share'
import type { ClosureReference } from '@spectrum/unit-graph'
import type { Machine } from '@spectrum/unit-monitor'
import { err, ok, type Result } from 'neverthrow'
import { distinctDevices, heldBlobs, pmemDevice } from './devices.js'
import { agentFailed, type HostError, monitorFailed, storeFailed } from './errors.js'
import type { Step } from './events.js'
import type { Wait } from './wait.js'

export interface InjectReport {
  /** Store paths that the unit did not have before, sorted. */
  readonly added: readonly string[]
  /** Devices that were plugged in; none when another path of the unit has the same content. */
  readonly devices: number
  readonly ms: number
}

/** A running unit, as far as an injection concerns it. */
export interface Injectable {
  readonly name: string
  readonly machine: Machine
  readonly agent: Agent
  /** Devices in the machine, by id. A device that was plugged in is recorded at once: it cannot be unplugged. */
  readonly devices: Map<string, DeviceFile>
  /** False on a monitor that adds no device to a running machine. */
  readonly pluggable: boolean
  readonly slotsLeft: () => number
  readonly closure: () => Closure
  readonly granted: (closure: Closure) => void
}

/**
 * Adds what the unit lacks of a closure: one metadata image of the new paths, and the blobs that its machine
 * does not hold yet. Nothing of the machine is touched before it is known that everything fits.
 */
export async function injectClosure(
  powers: {
    readonly store: StoreSource
    readonly cache: BlobCache
    readonly step: (step: Step) => void
  },
  unit: Injectable,
  reference: ClosureReference,
  wait: Wait,
): Promise<Result<Omit<InjectReport, 'ms'>, HostError>> {
  const options = () => ({ signal: wait.signal, deadlineMs: wait.leftMs() })
  const wanted = await powers.store.closure(reference.roots, options())
  if (wanted.isErr()) return err(storeFailed(unit.name, wanted.error))
  const missing = pathsLacking(unit.closure(), wanted.value)
  if (missing.length === 0) {
    unit.granted(mergeClosures(unit.closure(), wanted.value))
    return ok({ added: [], devices: 0 })
  }
  if (!unit.pluggable) return err(notPluggable(unit.name))
  const left = unit.slotsLeft()
  if (left === 0) return err(noSlotLeft(unit.name, missing.length + 1, 0))
  // Only the new paths go into the image: the ones present stay bound to what they are bound to.
  const attached = await powers.cache.attach(
    { roots: wanted.value.roots, paths: missing },
    { ...options(), deviceBudget: left, present: heldBlobs(unit.devices) },
  )
  if (attached.isErr()) {
    const { error } = attached
    return err(
      error.kind === 'device-budget'
        ? noSlotLeft(unit.name, error.needed, left)
        : storeFailed(unit.name, error),
    )
  }
  const { metadata, blobs, names } = attached.value
  const fresh = distinctDevices(attached.value).filter((device) => !unit.devices.has(device.id))
  if (fresh.length > left) return err(noSlotLeft(unit.name, fresh.length, left))
  powers.step('inject-begun')
  for (const [index, device] of fresh.entries()) {
    const plugged = await unit.machine.addPmem(pmemDevice(device), options())
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
  const devices = blobs.map((blob) => blob.id)
  const mounted = await unit.agent.mountStore({ image: metadata.id, devices, paths: names }, options())
  if (mounted.isErr()) return err(agentFailed(unit.name, mounted.error, unit.machine.lastLines()))
  powers.step('inject-mounted')
  unit.granted(mergeClosures(unit.closure(), wanted.value))
  return ok({ added: missing.map((info) => info.path), devices: fresh.length })
}

function notPluggable(unit: string): HostError {
  const message =
    'its monitor cannot add devices to a running machine; grant everything at the start, ' +
    'or start the unit on a monitor whose capabilities.pmemHotplug is true (QEMU)'
  return monitorFailed(unit, { kind: 'unsupported', capability: 'pmemHotplug', message })
}

function noSlotLeft(unit: string, needed: number, left: number): HostError {
  const message =
    `Unit "${unit}" has room for ${left} more devices and this injection needs ${needed}. ` +
    'Give it more hotplugSlots in defineUnit, or inject less.'
  return { kind: 'no-slot-left', message, unit, needed, left }
}

function pathsLacking(present: Closure, wanted: Closure): readonly StorePathInfo[] {
  const known = new Set(present.paths.map((info) => info.path))
  return wanted.paths.filter((info) => !known.has(info.path))
}

function mergeClosures(one: Closure, other: Closure): Closure {
  const paths = new Map([...one.paths, ...other.paths].map((info) => [info.path, info]))
  return {
    roots: [...new Set([...one.roots, ...other.roots])].sort(),
    paths: [...paths.values()].sort((a, b) => (a.path < b.path ? -1 : 1)),
  }
}
