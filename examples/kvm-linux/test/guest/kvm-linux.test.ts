import { basename } from 'node:path'
import { expect, test } from 'vitest'
import { bootInLab, guestKernel } from '../../src/boot-in-lab.js'

test('Debian’s kernel boots to an init under a KVM that works, with devices in TypeScript', async () => {
  const output = await bootInLab()
  const release = basename(guestKernel()).replace('vmlinuz-', '')
  expect(output).toContain(`init: Linux ${release} x86_64 on KVMKVMKVM\r\n`)
  expect(output).toContain('reboot: Restarting system')
}, 400_000)
