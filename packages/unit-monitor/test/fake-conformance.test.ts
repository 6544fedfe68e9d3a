import type { PmemDevice } from '@spectrum/unit-monitor'
import { type ConformanceContext, monitorConformance } from '@spectrum/unit-monitor/conformance'
import { echoGuest, fakeMonitor } from '@spectrum/unit-monitor/fake'
import { linuxPowers } from '@spectrum/unit-monitor/linux'
import { describe, expect, it } from 'vitest'

async function fakeContext(): Promise<ConformanceContext> {
  const { clock } = linuxPowers()
  let count = 0
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
        guest: echoGuest,
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
