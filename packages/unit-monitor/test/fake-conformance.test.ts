import type { MonitorCapabilities, PmemDevice } from '@spectrum/unit-monitor'
import { type ConformanceContext, monitorConformance } from '@spectrum/unit-monitor/conformance'
import { echoGuest, type FakeDisks, fakeMonitor } from '@spectrum/unit-monitor/fake'
import { linuxPowers } from '@spectrum/unit-monitor/linux'
import { describe, expect, it } from 'vitest'

async function fakeContext(capabilities: Partial<MonitorCapabilities> = {}): Promise<ConformanceContext> {
  const { clock } = linuxPowers()
  let count = 0
  const disks: FakeDisks = new Map()
  const shown = new Map<string, readonly string[]>()
  const machine: ConformanceContext['machine'] = async (changes = {}) => ({
    name: 'test',
    kernel: '/vmlinuz',
    initramfs: '/initramfs',
    kernelParameters: [],
    memoryBytes: 256 * 1024 * 1024,
    vcpuCount: 1,
    pmem: [],
    hotplugSlots: 0,
    directory: '/run/test',
    ...changes,
  })
  return {
    clock,
    bootMs: 2_000,
    monitor: fakeMonitor(
      { clock },
      {
        guest: (guest) => echoGuest(guest, disks),
        capabilities,
        view: ({ socket }) => shown.get(socket) ?? [],
        startup: ({ kernel }) =>
          kernel === '/dies' ? { kind: 'dies', code: 1, lines: ['no such kernel'] } : { kind: 'connects' },
      },
    ),
    machine,
    dyingMachine: () => machine({ kernel: '/dies' }),
    async pmem(sizeBytes): Promise<PmemDevice> {
      return { id: `device-${++count}`, path: '/some/file', sizeBytes }
    },
    isUntouched: async () => true,
    async volume(serial, sizeBytes) {
      return { serial, path: `/some/volume-${++count}`, sizeBytes, readOnly: false }
    },
    beginningOf: async ({ path }) => disks.get(path) ?? '',
    async view() {
      const view = { tag: 'store', socket: `/run/view-${++count}.sock` }
      return {
        view,
        show: async (names) => void shown.set(view.socket, names),
        async [Symbol.asyncDispose]() {},
      }
    },
    leftovers: async () => [],
    async [Symbol.asyncDispose]() {},
  }
}

monitorConformance('the fake monitor', fakeContext, { describe, it, expect })

it('refuses a display like a monitor that has none, and takes it like one that has', async () => {
  const display = { socket: '/run/w' }
  for (const [capable, kind] of [
    [true, undefined],
    [false, 'unsupported'],
  ] as const) {
    await using context = await fakeContext({ display: capable })
    const started = await context.monitor.start(await context.machine({ display }))
    expect(started.isErr() ? started.error.kind : undefined).toBe(kind)
    if (started.isOk()) await started.value[Symbol.asyncDispose]()
  }
})

monitorConformance('the fake monitor without volumes', () => fakeContext({ volumes: false }), {
  describe,
  // The one above has kept the others.
  it: (name, body) => (name.startsWith('volumes') ? it(name, body) : undefined),
  expect,
})
