import type { MachineDescription, PmemDevice } from '../machine.js'
import type { Suite } from './suite.js'

const MIB = 1024 * 1024

/** What is refused before anything starts. */
export function promisesOfDescriptions({ promise, expect }: Suite): void {
  promise('an invalid description is refused by its field before anything starts', async (context) => {
    const device = await context.pmem(2 * MIB)
    for (const [field, changes] of invalidChanges(device)) {
      const result = await context.monitor.start(await context.machine(changes))
      expect(result.isErr() && result.error).toMatchObject({ kind: 'invalid-description', field })
      expect(await context.leftovers()).toEqual([])
    }
  })
}

function invalidChanges(device: PmemDevice): readonly (readonly [string, Partial<MachineDescription>])[] {
  return [
    ['name', { name: 'Capital' }],
    ['name', { name: 'a'.repeat(33) }],
    ['kernel', { kernel: 'relative/vmlinuz' }],
    ['initramfs', { initramfs: '/new\nline' }],
    ['kernelParameters[0]', { kernelParameters: ['two words'] }],
    ['kernelParameters', { kernelParameters: ['x'.repeat(5000)] }],
    ['memoryBytes', { memoryBytes: 256 * MIB + 1 }],
    ['vcpuCount', { vcpuCount: 0 }],
    ['vcpuCount', { vcpuCount: 1.5 }],
    ['hotplugSlots', { hotplugSlots: -1 }],
    ['pmem[0].sizeBytes', { pmem: [{ ...device, sizeBytes: MIB }] }],
    ['pmem[0].path', { pmem: [{ ...device, path: '/nul\0byte' }] }],
    ['pmem[1].id', { pmem: [device, device] }],
    ['directory', { directory: `/${'d'.repeat(107)}` }],
    ['block[0].sizeBytes', { block: [{ ...device, sizeBytes: 511 }] }],
    ['block[0].id', { pmem: [device], block: [device] }],
    ['volumes[0].serial', { volumes: [{ ...device, serial: 'two words', readOnly: false }] }],
    ['volumes[0].sizeBytes', { volumes: [{ ...device, serial: 'data', sizeBytes: 511, readOnly: false }] }],
    ['view.tag', { view: { tag: 'two words', socket: '/s' } }],
    ['view.socket', { view: { tag: 'view', socket: 's' } }],
    ['display.socket', { display: { socket: 's' } }],
    ['display.socket', { display: { socket: `/${'s'.repeat(107)}` } }],
    ['directory', { directory: 'here' }],
  ]
}
