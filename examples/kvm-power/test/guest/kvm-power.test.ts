import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import {
  bundle,
  crossBuildAddon,
  outputOf,
  programFolder,
} from '../../../../packages/kvm-ioctl/test/guest/lab/run-in-lab.js'

test('the guest talks to its hypervisor on POWER9, and hears its answer', async () => {
  crossBuildAddon('ppc64', 'powerpc64le-linux-gnu-gcc')
  const folder = programFolder()
  try {
    const program = await bundle(fileURLToPath(new URL('../../src/main.ts', import.meta.url)), folder)
    expect(await outputOf('ppc64le', ['node', program])).toBe(
      'the guest said "hello from POWER" and heard 0\n',
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}, 400_000)
