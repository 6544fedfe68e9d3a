import { createHash } from 'node:crypto'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { buildDemoClosures } from '../../../../examples/demo/src/closures.js'
import { closure, compose, defineUnit, nixStore, openHost } from '../../src/index.js'
import { addProgram, addToStore } from './real-store.js'
import { linesInside, linesOutside } from './store-lines.js'

const MIB = 1024 * 1024

/** The same bytes on every run, so that the store keeps one path: a keystream is as good as noise. */
function noise(seed: string, size: number): Buffer {
  const blocks: Buffer[] = []
  for (let at = 0; at < size; at += 32) blocks.push(createHash('sha256').update(`${seed}${at}`).digest())
  return Buffer.concat(blocks).subarray(0, size)
}

/** What breaks a careless image writer: sizes around a block and around 2 MiB, and names that sort oddly. */
async function writeAwkwardTree(path: string): Promise<void> {
  await mkdir(join(path, 'sizes'), { recursive: true })
  for (const size of [0, 1, 4095, 4096, 4097, 65_536, 2 * MIB - 1, 2 * MIB, 2 * MIB + 1, 5 * MIB + 77]) {
    await writeFile(join(path, 'sizes', `${size}`), noise(`${size}`, size))
  }
  await mkdir(join(path, 'names'))
  const names = [
    '+plus',
    '-minus',
    '.hidden',
    '..twice',
    'Upper',
    'lower',
    'a b',
    'größe',
    '名前',
    'x'.repeat(255),
  ]
  for (const name of names) await writeFile(join(path, 'names', name), name)
  await mkdir(join(path, 'many'))
  for (let index = 0; index < 700; index++) await writeFile(join(path, 'many', `entry-${index}`), `${index}`)
  await mkdir(join(path, 'empty'))
  let deep = join(path, 'deep')
  for (let level = 0; level < 40; level++) deep = join(deep, `level-${level}`)
  await mkdir(deep, { recursive: true })
  await writeFile(join(deep, 'bottom'), 'reached')
  await writeFile(join(path, 'program'), '#!/bin/false\n', { mode: 0o755 })
  await symlink('names/lower', join(path, 'relative-link'))
  await symlink('/nowhere/at/all', join(path, 'dangling-link'))
  await symlink('y'.repeat(4000), join(path, 'long-link'))
}

test('every file of a granted closure has the same bytes, mode and target inside the unit as in the host’s store', async () => {
  const demo = await buildDemoClosures()
  const hasher = await addProgram('hash-store', ['hash-store.c', 'sha256.c'])
  const awkward = await addToStore('awkward-tree', writeAwkwardTree)
  const single = await addToStore('single-file.txt', (path) =>
    writeFile(path, 'a store path may be a file\n'),
  )

  const graph = compose({
    reader: defineUnit('reader', { store: closure(demo.left, hasher, awkward, single) }),
  })._unsafeUnwrap()
  await using host = (await openHost({ store: nixStore() }))._unsafeUnwrap()
  const { reader } = (await host.start(graph))._unsafeUnwrap()
  const inside = await linesInside(reader, hasher)
  const granted = reader.closure.paths.map((info) => info.path)
  const outside = await linesOutside(granted)
  expect(granted).toEqual(expect.arrayContaining([demo.left, hasher, awkward, single]))
  expect(outside.length).toBeGreaterThan(750)
  expect(inside).toEqual(outside)
})
