import { describe, expect, test } from 'vitest'
import { buildAddon, exercise, here, insteadOfItsOwn, loader, run, sanitized } from '../native/programs.js'

const SECONDS = 4

describe('under AddressSanitizer', () => {
  test('every native call, right and wrong, leaves memory alone, workers and early exits included', () => {
    const addon = buildAddon('--sanitize')
    const { status, output } = run([process.execPath, '--expose-gc', exercise, addon], sanitized())
    expect(output).toBe('exercised\n')
    expect(status).toBe(0)
  })

  test('no argument of any method makes it throw or takes the program with it', () => {
    const addon = buildAddon('--sanitize')
    const seed = Date.now() % 2 ** 31
    const { status, output } = run(
      [process.execPath, '--import', loader, here('../programs/fuzz.ts'), String(SECONDS), String(seed)],
      { ...sanitized(), ...insteadOfItsOwn(addon) },
    )
    expect({ status, output, seed }).toEqual({
      status: 0,
      output: expect.stringMatching(/^fuzzed \d{3,} calls, 0 problems\n$/),
      seed,
    })
  })
})
