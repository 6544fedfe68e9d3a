import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { buildClosure, buildHardToLayOut } from '../../../store-share/test/guest/built-closure.js'
import { closure, compose, defineUnit, nixStore, openHost } from '../../src/index.js'
import { addProgram } from '../guest/real-store.js'
import { linesInside, linesOutside } from '../guest/store-lines.js'

const GIB = 1024 ** 3
const scratch = mkdtempSync(join(tmpdir(), 'whole-closures-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

test.each([
  ['600 store paths', () => buildClosure(scratch, 600), 3_000],
  [
    'a sparse file of 4 GiB, 65,536 hard links and names as long as they may be',
    () => buildHardToLayOut(scratch),
    65_540,
  ],
])('a unit reads the bytes, modes and targets of the host’s store: %s', async (_, build, least) => {
  const root = build()
  const hasher = await addProgram('hash-store', ['hash-store.c', 'sha256.c'])
  const reader = defineUnit('reader', { store: closure(root, hasher), memoryBytes: GIB })
  await using host = (await openHost({ store: nixStore() }))._unsafeUnwrap()
  const units = await host.start(compose({ reader })._unsafeUnwrap(), { deadlineMs: 900_000 })
  const unit = units._unsafeUnwrap().reader
  expect(unit.dax).toBe(true)
  const inside = await linesInside(unit, hasher, 1_500_000)
  const outside = await linesOutside(unit.closure.paths.map(({ path }) => path))
  expect(outside.length).toBeGreaterThan(least)
  expect(inside).toEqual(outside)
})
