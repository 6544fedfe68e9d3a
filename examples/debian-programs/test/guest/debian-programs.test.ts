import { execFile } from 'node:child_process'
import { cp, mkdir, realpath } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { debianPrograms } from '../../src/debian-programs.js'
import { inScratch, nixBuild } from '../../src/local-store.js'

const run = promisify(execFile)

it('a program of Debian maps the loader and the libraries of its own store path and no others', async () => {
  const { path, argv } = await debianPrograms('cat', ['/usr/bin/cat'])
  const [file, ...words] = argv('cat', '/proc/self/maps')
  expect(file).toBe(`${path}/bin/cat`)
  const { stdout } = await run(file, words, { env: {}, timeout: 60_000 })
  const mapped = new Set([...stdout.matchAll(/ (\/.*)$/gm)].map(([, name]) => name!))
  expect(mapped.size).toBeGreaterThanOrEqual(3)
  expect([...mapped].filter((name) => !name.startsWith(`${path}/`))).toEqual([])
})

it('the same programs are the same store path', async () => {
  const paths = await Promise.all([1, 2].map(() => debianPrograms('cat', ['/usr/bin/cat'])))
  expect(paths[0]?.path).toBe(paths[1]?.path)
})

it('a program that would look for a library elsewhere is refused while it is built', async () => {
  const expression = fileURLToPath(new URL('../../programs.nix', import.meta.url))
  const building = inScratch(async (scratch) => {
    const tree = `${scratch}/cat`
    await mkdir(`${tree}/bin`, { recursive: true })
    await mkdir(`${tree}/lib`)
    await cp('/usr/bin/cat', `${tree}/bin/cat`)
    const { stdout } = await run('patchelf', ['--print-interpreter', '/usr/bin/cat'], { timeout: 60_000 })
    const loader = stdout.trim()
    // The loader alone, and not what cat is linked with.
    await cp(await realpath(loader), `${tree}/lib/${basename(loader)}`)
    return nixBuild(expression, { arguments: { name: 'cat', tree, programs: 'cat' } })
  })
  await expect(building).rejects.toThrow(/cat would look for these outside/)
})
