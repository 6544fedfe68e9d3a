import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { buildAddon, buildFaults, exercise, run, sanitizerLibrary } from './native/programs.js'

const folder = mkdtempSync(join(tmpdir(), 'unix-fd-sanitizer-'))
afterAll(() => rmSync(folder, { recursive: true }))

// Leaks are valgrind's part: Node itself leaves too much for LeakSanitizer to be of use.
const environment = { LD_PRELOAD: sanitizerLibrary(), ASAN_OPTIONS: 'detect_leaks=0' }

describe('under AddressSanitizer', () => {
  test('every native call, right and wrong, leaves memory alone, workers and early exits included', () => {
    const addon = buildAddon('--sanitize')
    const { status, output } = run([process.execPath, '--expose-gc', exercise, addon], environment)
    expect(output).toBe('exercised\n')
    expect(status).toBe(0)
  }, 60_000)

  test('a byte written past its end is found, so silence means something', () => {
    const faults = buildFaults(join(folder, 'faults.node'), '-fsanitize=address')
    const script = `require(${JSON.stringify(faults)}).overflow()`
    const { status, output } = run([process.execPath, '-e', script], environment)
    expect(output).toContain('heap-buffer-overflow')
    expect(status).not.toBe(0)
  }, 60_000)
})
