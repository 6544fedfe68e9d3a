import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import { buildAddon, buildFaults, exercise } from '../native/programs.js'

const folder = mkdtempSync(join(tmpdir(), 'unix-fd-valgrind-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** What valgrind holds against code of `addon`: Node's own habits are not ours to judge. */
async function complaints(
  name: string,
  addon: string,
  argv: readonly string[],
): Promise<{ output: string; found: string[] }> {
  const report = join(folder, `${name}.xml`)
  const options = [
    '-q',
    '--leak-check=full',
    '--show-leak-kinds=definite,indirect',
    '--xml=yes',
    `--xml-file=${report}`,
  ]
  const words = [...options, process.execPath, '--jitless', '--expose-gc', ...argv]
  const env = { PATH: process.env['PATH'] ?? '' }
  const ended = promisify(execFile)('valgrind', words, { env, timeout: 100_000, killSignal: 'SIGKILL' })
  // Whatever its status: the report says what is wrong.
  const { stdout, stderr } = await ended.catch((error: { stdout: string; stderr: string }) => error)
  const errors = readFileSync(report, 'utf8').match(/<error>[\s\S]*?<\/error>/g) ?? []
  const ours = errors.filter((error) => error.includes(`<obj>${addon}</obj>`))
  return {
    output: `${stdout}${stderr}`,
    found: ours.map((error) => error.match(/<kind>(.*?)<\/kind>/)?.[1] ?? error),
  }
}

describe.concurrent('under valgrind', () => {
  test('no native call reads, writes or loses memory it should not', async () => {
    const addon = buildAddon()
    const { output, found } = await complaints('exercise', addon, [exercise, addon, '--valgrind'])
    expect(output).toContain('exercised\n')
    expect(found).toEqual([])
  })

  test('an overflow and a leak are found, so silence means something', async () => {
    const faults = buildFaults(join(folder, 'faults.node'))
    const script = `const f = require(${JSON.stringify(faults)}); f.overflow(); f.leak()`
    const { found } = await complaints('faults', faults, ['-e', script])
    expect(found.sort()).toEqual(['InvalidWrite', 'Leak_DefinitelyLost'])
  })
})
