import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { buildAddon, buildFaults, exercise, run } from '../native/programs.js'

const folder = mkdtempSync(join(tmpdir(), 'unix-fd-valgrind-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** What valgrind holds against code of `addon`: Node's own habits are not ours to judge. */
function complaints(addon: string, argv: readonly string[]): { output: string; found: string[] } {
  const report = join(folder, 'report.xml')
  const options = [
    '-q',
    '--leak-check=full',
    '--show-leak-kinds=definite,indirect',
    '--xml=yes',
    `--xml-file=${report}`,
  ]
  const { output } = run(['valgrind', ...options, process.execPath, '--jitless', '--expose-gc', ...argv])
  const errors = readFileSync(report, 'utf8').match(/<error>[\s\S]*?<\/error>/g) ?? []
  const ours = errors.filter((error) => error.includes(`<obj>${addon}</obj>`))
  return { output, found: ours.map((error) => error.match(/<kind>(.*?)<\/kind>/)?.[1] ?? error) }
}

describe('under valgrind', () => {
  test('no native call reads, writes or loses memory it should not', () => {
    const addon = buildAddon()
    const { output, found } = complaints(addon, [exercise, addon, '--valgrind'])
    expect(output).toContain('exercised\n')
    expect(found).toEqual([])
  })

  test('an overflow and a leak are found, so silence means something', () => {
    const faults = buildFaults(join(folder, 'faults.node'))
    const script = `const f = require(${JSON.stringify(faults)}); f.overflow(); f.leak()`
    expect(complaints(faults, ['-e', script]).found.sort()).toEqual(['InvalidWrite', 'Leak_DefinitelyLost'])
  })
})
