import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crosvmSpec, parseArgv, printArgv } from '../src/index.js'
import { hostilePath, machines } from './machines.js'

const runs = Number(process.env['CROSVM_SPEC_RUNS'] ?? 300)

describe('printing and parsing a machine', () => {
  test('give back the same machine, for machines with hostile strings everywhere', () => {
    let valid = 0
    let all = 0
    fc.assert(
      fc.property(machines(hostilePath), (machine) => {
        all += 1
        const spec = crosvmSpec(machine)
        if (spec.isErr()) return
        valid += 1
        const parsed = parseArgv(printArgv(spec.value), { architecture: 'x86_64' })
        expect(parsed.isErr() ? parsed.error : undefined).toBeUndefined()
        expect(parsed._unsafeUnwrap()).toEqual(spec.value)
      }),
      { numRuns: runs },
    )
    // A property over refused machines would show nothing.
    expect(valid / all).toBeGreaterThan(0.4)
  })
})
