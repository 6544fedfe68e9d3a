import { spawnSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { childDescriptors } from '../src/linux.js'
import { openDescriptors, openedSince } from './held.js'

test('a child has the descriptors it is given, and none that its parent inherited', () => {
  const program = fileURLToPath(new URL('programs/spawn-with-descriptors.ts', import.meta.url))
  const leaked = openSync('/etc/passwd', 'r')
  const upTo = (number: number) => Array.from({ length: number - 3 }, () => 'ignore' as const)
  // Node itself closes some of what it inherits: not numbers this high, with none before them.
  const { stdout } = spawnSync(
    process.execPath,
    ['--import', createRequire(import.meta.url).resolve('tsx'), program],
    {
      encoding: 'utf8',
      timeout: 100_000,
      killSignal: 'SIGKILL',
      stdio: ['ignore', 'pipe', 'inherit', ...upTo(40), leaked, leaked],
    },
  )
  closeSync(leaked)
  expect(stdout).toMatch(/ 9 -> \/etc\/hostname$/m)
  expect(stdout).toMatch(/ 40 -> \/dev\/null$/m)
  expect(stdout).toMatch(/ 41 -> \/etc\/hostname$/m)
  expect(stdout).not.toContain('passwd')
})

test('what covers inherited descriptors is closed with the release', () => {
  const before = openDescriptors()
  childDescriptors(new Map([[5, 0]])).release()
  expect(openedSince(before)).toEqual([])
})
