import type { PmemDevice } from '../machine.js'
import type { Suite } from './suite.js'

const MIB = 1024 * 1024

/** Persistent memory, disks and views, from the start. */
export function promisesOfDevices({ promise, booted, expect }: Suite): void {
  promise('pmem devices have their exact sizes and cannot be written by the guest', async (context) => {
    const devices = [await context.pmem(2 * MIB), await context.pmem(6 * MIB)]
    await using unit = await booted(context, await context.machine({ pmem: devices }))
    await unit.guest.until(async () => (await unit.guest.pmem()).length === 2)
    expect(await unit.guest.pmem()).toEqual([2 * MIB, 6 * MIB])
    await unit.guest.send('poke\n')
    expect(await unit.guest.line()).toBe('poked')
    for (const device of devices) expect(await context.isUntouched(device)).toBe(true)
  })

  promise('disks have their exact sizes and cannot be written by the guest', async (context) => {
    const disks = [await context.pmem(2 * MIB), await context.pmem(6 * MIB)]
    const [first, second] = disks as [PmemDevice, PmemDevice]
    const description = await context.machine({ block: [first], hotplugSlots: 1 })
    await using unit = await booted(context, description)
    await unit.guest.until(async () => (await unit.guest.sizes('block')).length === 1)
    expect(await unit.guest.sizes('block')).toEqual([2 * MIB])
    if (context.monitor.capabilities.blockHotplug) {
      const added = await unit.machine.addBlock?.(second)
      expect(added?.isErr() ? added.error : 'added').toBe('added')
      await unit.guest.until(async () => (await unit.guest.sizes('block')).length === 2)
      expect(await unit.guest.sizes('block')).toEqual([2 * MIB, 6 * MIB])
    }
    await unit.guest.send('poke\n')
    expect(await unit.guest.line()).toBe('poked')
    for (const disk of disks) expect(await context.isUntouched(disk)).toBe(true)
  })

  promise('volumes keep what a guest writes to the one with a serial number', async (context) => {
    const [data, old] = [await context.volume('data', 4 * MIB), await context.volume('old', 2 * MIB)]
    const volumes = [{ ...old, readOnly: true }, data]
    const description = await context.machine({ block: [await context.pmem(2 * MIB)], volumes })
    if (!context.monitor.capabilities.volumes) {
      const refused = await context.monitor.start(description)
      expect(refused.isErr() && refused.error).toMatchObject({ kind: 'unsupported', capability: 'volumes' })
      return
    }
    await using unit = await booted(context, description)
    await unit.guest.until(async () => (await unit.guest.sizes('block')).length === 3)
    expect(await unit.guest.sizes('block')).toEqual([2 * MIB, 2 * MIB, 4 * MIB])
    expect(await unit.guest.write('data', 'kept')).toBe('written')
    expect(await unit.guest.write('old', 'lost')).toBe('refused')
    expect(await unit.guest.write('none', 'lost')).toBe('refused')
    expect([await context.beginningOf(data), await context.beginningOf(old)]).toEqual(['kept', ''])
  })

  promise(
    'a view shows its machine what its server shows, also what comes and goes later',
    async (context) => {
      await using served = await context.view()
      const { view } = served
      const pmem = [await context.pmem(2 * MIB)]
      await using unit = await booted(context, await context.machine({ view, pmem }))
      for (const names of [[], ['glibc'], ['gdb', 'glibc'], ['gdb']]) {
        await served.show(names)
        await unit.guest.until(async () => (await unit.guest.view(view.tag)).join() === names.join())
        expect(await unit.guest.view(view.tag)).toEqual(names)
      }
      expect(await unit.guest.sizes('pmem')).toEqual([2 * MIB])
    },
  )
}
