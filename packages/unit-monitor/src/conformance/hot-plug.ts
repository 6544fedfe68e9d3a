import type { Suite } from './suite.js'

const MIB = 1024 * 1024

/** Devices that come later. A monitor without hot-plug answers with `no-slot-left` or `unsupported` instead. */
export function promisesOfHotPlug({ promise, booted, expect }: Suite): void {
  promise('a device that is added appears in the running guest', async (context) => {
    if (!context.monitor.capabilities.pmemHotplug) return
    const cold = await context.pmem(2 * MIB)
    const hot = await context.pmem(4 * MIB)
    await using unit = await booted(context, await context.machine({ pmem: [cold], hotplugSlots: 2 }))
    const added = await unit.machine.addPmem(hot)
    expect(added.isErr() ? added.error : 'added').toBe('added')
    await unit.guest.until(async () => (await unit.guest.pmem()).length === 2)
    expect(await unit.guest.pmem()).toEqual([2 * MIB, 4 * MIB])
  })

  promise('a device beyond the last reserved slot is refused and nothing changes', async (context) => {
    const devices = await Promise.all([2, 4, 6].map((size) => context.pmem(size * MIB)))
    await using unit = await booted(context, await context.machine({ hotplugSlots: 2 }))
    const results = await Promise.all(devices.map((device) => unit.machine.addPmem(device)))
    const hot = context.monitor.capabilities.pmemHotplug
    const kinds = results.map((result) => (result.isOk() ? 'added' : result.error.kind))
    expect(kinds).toEqual(hot ? ['added', 'added', 'no-slot-left'] : Array(3).fill('unsupported'))
    if (hot) await unit.guest.until(async () => (await unit.guest.pmem()).length === 2)
    expect(await unit.guest.pmem()).toEqual(hot ? [2 * MIB, 4 * MIB] : [])
  })

  promise('a device that is invalid or there already is refused by its field', async (context) => {
    const device = await context.pmem(2 * MIB)
    await using unit = await booted(context, await context.machine({ pmem: [device], hotplugSlots: 1 }))
    const twice = await unit.machine.addPmem(device)
    const odd = await unit.machine.addPmem({ ...device, id: 'odd', sizeBytes: MIB })
    if (!context.monitor.capabilities.pmemHotplug) return
    expect(twice.isErr() && twice.error).toMatchObject({ kind: 'invalid-description', field: 'id' })
    expect(odd.isErr() && odd.error).toMatchObject({ kind: 'invalid-description', field: 'sizeBytes' })
  })

  promise('a device for a machine that has ended is an error, at once', async (context) => {
    const device = await context.pmem(2 * MIB)
    await using unit = await booted(context, await context.machine({ hotplugSlots: 1 }))
    await unit.machine.kill()
    const added = await unit.machine.addPmem(device)
    expect(added.isErr()).toBe(true)
  })
}
