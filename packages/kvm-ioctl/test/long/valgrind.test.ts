import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { buildAddon, exercise, run } from '../native/programs.js'

const folder = mkdtempSync(join(tmpdir(), 'kvm-ioctl-valgrind-'))
afterAll(() => rmSync(folder, { recursive: true }))

// That valgrind finds what is wrong with an addon, the tests of unix-fd hold against one that is wrong on purpose.
test('under valgrind no native call reads, writes or loses memory that it should not', () => {
  const addon = buildAddon()
  const report = join(folder, 'report.xml')
  const options = ['-q', '--leak-check=full', '--show-leak-kinds=definite,indirect', '--xml=yes']
  const program = [process.execPath, '--jitless', '--expose-gc', exercise, addon, '--valgrind']
  const { output } = run(['valgrind', ...options, `--xml-file=${report}`, ...program], {}, 1_500_000)
  expect(output).toContain('exercised\n')
  const errors = readFileSync(report, 'utf8').match(/<error>[\s\S]*?<\/error>/g) ?? []
  // Node's own habits are not ours to judge.
  const ours = errors.filter((error) => error.includes(`<obj>${addon}</obj>`))
  expect(ours).toEqual([])
})
