import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { here, loader } from './native/programs.js'

test('the example of the README prints what its guest writes', (context) => {
  if (!existsSync('/dev/kvm')) context.skip('there is no /dev/kvm')
  const [, example = ''] = readFileSync(here('../../README.md'), 'utf8').match(/```ts\n([\s\S]*?)```/) ?? []
  expect(example).toContain('openKvm()')
  const folder = mkdtempSync(join(tmpdir(), 'kvm-readme-'))
  const file = join(folder, 'example.mts')
  writeFileSync(file, example)
  const { stdout, stderr } = spawnSync(process.execPath, ['--import', loader, file], {
    encoding: 'utf8',
    timeout: 100_000,
    killSignal: 'SIGKILL',
    env: { PATH: process.env['PATH'], TSX_TSCONFIG_PATH: here('../../../../tsconfig.base.json') },
  })
  rmSync(folder, { recursive: true })
  expect({ stdout, stderr }).toEqual({ stdout: '!\n', stderr: '' })
})
