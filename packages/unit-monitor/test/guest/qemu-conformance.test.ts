import { mkdtempSync, rmSync } from 'node:fs'
import { monitorConformance } from '@spectrum/unit-monitor/conformance'
import { afterAll, describe, expect, it } from 'vitest'
import { buildEchoInitramfs, findGuestKernel } from '../echo-guest.js'
import { ACCELERATOR, qemuWorkshop } from '../qemu-context.js'

const kernel = findGuestKernel()
if ('missing' in kernel) {
  describe.skip(`QEMU conformance: ${kernel.missing}`, () => it('boots', () => {}))
} else {
  const directory = mkdtempSync('/tmp/unit-monitor-guest-')
  const initramfs = buildEchoInitramfs(kernel, directory)
  afterAll(() => rmSync(directory, { recursive: true }))
  monitorConformance(`QEMU with ${ACCELERATOR}`, async () => qemuWorkshop(kernel.vmlinuz, initramfs), {
    describe,
    // Each has a folder and machines of its own: two at a time, one for each processor.
    it: it.concurrent,
    expect,
  })
}
