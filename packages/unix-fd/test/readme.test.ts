import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

test('the example of the README prints what it says', () => {
  const readme = readFileSync(here('../README.md'), 'utf8')
  const [, example = '', output = ''] = readme.match(/```ts\n([\s\S]*?)```\n\n```text\n([\s\S]*?)```/) ?? []
  expect(example).toContain('unixFd()')
  const folder = mkdtempSync(join(tmpdir(), 'unix-fd-readme-'))
  const file = join(folder, 'example.mts')
  writeFileSync(file, example)
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', createRequire(import.meta.url).resolve('tsx'), file],
    {
      encoding: 'utf8',
      timeout: 50_000,
      killSignal: 'SIGKILL',
      env: { PATH: process.env['PATH'], TSX_TSCONFIG_PATH: here('../../../tsconfig.base.json') },
    },
  )
  rmSync(folder, { recursive: true })
  expect({ stdout, stderr }).toEqual({ stdout: output, stderr: '' })
})
