import { mkdtempSync, rmSync } from 'node:fs'
import { monitorConformance } from '@spectrum/unit-monitor/conformance'
import { afterAll, describe, expect, it } from 'vitest'
import { crosvmWorkshop, findCrosvm } from '../crosvm-context.js'
import { buildEchoInitramfs, findGuestKernel } from '../echo-guest.js'
import { ACCELERATOR } from '../qemu-context.js'

const kernel = findGuestKernel()
const crosvm = findCrosvm()
const missing =
  'missing' in crosvm
    ? crosvm.missing
    : 'missing' in kernel
      ? kernel.missing
      : ACCELERATOR === 'kvm'
        ? undefined
        : 'crosvm needs a KVM on which the kernel boots: run it in the lab, with SPECTRUM_ACCELERATOR=kvm'

if (missing !== undefined || 'missing' in crosvm || 'missing' in kernel) {
  describe.skip(`crosvm conformance (skipped: ${missing})`, () => it('boots', () => {}))
} else {
  const directory = mkdtempSync('/tmp/unit-monitor-guest-')
  const initramfs = buildEchoInitramfs(kernel, directory)
  afterAll(() => rmSync(directory, { recursive: true }))
  const make = async () => crosvmWorkshop(kernel.vmlinuz, initramfs, { binary: crosvm.binary })
  monitorConformance('crosvm, sandboxed', make, { describe, it, expect })
}
