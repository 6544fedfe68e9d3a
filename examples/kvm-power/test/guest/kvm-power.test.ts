import { expect, test } from 'vitest'
import { converseInLab } from '../../src/converse-in-lab.js'

test('the guest talks to its hypervisor on POWER9, and hears its answer', async () => {
  expect(await converseInLab()).toBe('the guest said "hello from POWER" and heard 0\n')
}, 400_000)
