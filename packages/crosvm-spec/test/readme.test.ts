import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'
import { writeFakeProgram } from './fake-program.js'

const source = fileURLToPath(new URL('../src', import.meta.url))

test('the example of the README runs as it stands, against the fake', { timeout: 60_000 }, async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const example = /```ts\n([\s\S]*?)```/.exec(readme)![1]!
  const directory = mkdtempSync(join(tmpdir(), 'readme-'))
  const file = join(directory, 'example.ts')
  mkdirSync(join(directory, 'unit'))
  const here = example
    .replaceAll('/usr/bin/crosvm', writeFakeProgram(directory))
    .replaceAll('/run/unit', join(directory, 'unit'))
    // What the host must have is another test's matter; the fake needs nothing of it.
    .replace(
      'linuxSpawnPowers()._unsafeUnwrap()',
      '{ ...linuxSpawnPowers()._unsafeUnwrap(), host: fakeHost(spec) }',
    )
    .replace("'@spectrum/crosvm-spec'", `'${source}/index.js'`)
    .replace(/'@spectrum\/crosvm-spec\/(\w+)'/g, `'${source}/$1.js'`)
    // The target of the tests' transformer has no `using`.
    .replace('await using', 'const')
    .concat(`import { fakeHost } from '${source}/fake.js'\n`)
  const log = vi.spyOn(console, 'log').mockImplementation(() => {})
  try {
    writeFileSync(file, here)
    await import(file)
    const printed = log.mock.calls.map(([value]) => value)
    expect(printed[0]).toContain(`--pmem=path="/var/cache/hello, it's a blob",ro=true`)
    expect(printed[1]).toContain('pmem_device')
    expect(printed[2]).toEqual({ kind: 'stopped' })
  } finally {
    log.mockRestore()
    rmSync(directory, { recursive: true })
  }
})
