import { existsSync } from 'node:fs'
import { test } from 'vitest'
import { expectNothingLeft } from '../soak.js'

test('10,000 machines leave no descriptor, no thread, no mapping and no memory', (context) => {
  if (!existsSync('/dev/kvm')) context.skip('there is no /dev/kvm')
  expectNothingLeft(10_000, 1_500_000)
})
