import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bundle } from '../../../kvm-ioctl/test/guest/lab/run-in-lab.js'

let folder: string
let command: readonly string[]

beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/terminal-`)
  const program = await bundle(fileURLToPath(new URL('terminal-program.mts', import.meta.url)), folder)
  command = [process.execPath, program]
})
afterAll(() => rm(folder, { recursive: true }))

it.concurrent.each([
  ['allow\n', 'answer: allow'],
  ['no\n', 'answer: deny'],
  // Ctrl-D: nobody types any more.
  ['\u0004', 'answer: deny'],
])('a program asks at its terminal, where %j is typed, and ends: %s', async (typed, said) => {
  // `script` gives a command a terminal of its own; a shell is its only way to start one.
  const line = command.map((word) => `'${word}'`).join(' ')
  const child = spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
    stdio: 'pipe',
  })
  const killer = setTimeout(() => child.kill('SIGKILL'), 50_000)
  let shown = ''
  let typing: NodeJS.Timeout | undefined
  child.stdin.on('error', () => {})
  child.stdout.on('data', (chunk) => {
    shown += chunk
    // Once it could be read; again, where a busy machine was slower than whoever types.
    if (shown.includes('Type allow')) typing ??= setInterval(() => child.stdin.write(typed), 300)
  })
  const end = await once(child, 'close')
  clearInterval(typing)
  clearTimeout(killer)
  expect(end).toEqual([0, null])
  expect(shown).toContain(said)
})

it.concurrent('a program without a terminal is told so', async () => {
  const child = spawn('setsid', ['--wait', ...command], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.on('data', (chunk) => {
    said += chunk
  })
  expect(await once(child, 'close')).toEqual([0, null])
  expect(said).toBe('no-terminal\n')
})
