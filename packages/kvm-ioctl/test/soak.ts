import { expect } from 'vitest'
import { here, loader, run } from './native/programs.js'

/** Machines by the hundred leave nothing: no descriptor, no thread, no mapping, no memory. */
export function expectNothingLeft(rounds: number, deadlineMs?: number): void {
  const program = [here('../programs/soak.ts'), String(rounds)]
  const { status, output } = run(
    [process.execPath, '--expose-gc', '--import', loader, ...program],
    {},
    deadlineMs,
  )
  expect({ status, output }).toEqual({ status: 0, output: expect.stringMatching(/^\{.*\}\n$/) })
  const { before, after, objects } = JSON.parse(output)
  console.log(output.trim())
  expect(objects).toBe(1) // /dev/kvm itself
  expect(after.descriptors).toBe(before.descriptors)
  expect(after.threads).toBe(before.threads)
  // Node's heap takes and gives back mappings of its own; a leak would be one per round or more.
  expect(after.mappings - before.mappings).toBeLessThan(rounds / 5)
  expect(after.residentKib - before.residentKib).toBeLessThan(Math.max(16_384, rounds))
}
