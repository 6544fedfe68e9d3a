import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { closure, compose, defineUnit, type Graph, nixStore, openHost, type Unit } from '../../src/index.js'
import { addProgram, addToStore } from './real-store.js'

const SIZE = 24 * 1024 * 1024

/** One file of incompressible bytes, the same on every run. */
async function writeBigFile(path: string): Promise<void> {
  await mkdir(path)
  const blocks: Buffer[] = []
  for (let at = 0; at < SIZE; at += 32) blocks.push(createHash('sha256').update(`big ${at}`).digest())
  await writeFile(join(path, 'data'), Buffer.concat(blocks))
}

/** Reads the whole file in the unit by mapping and by read(2); KiB of guest page cache at three moments. */
async function touch(unit: Unit, program: string, big: string) {
  const run = await unit.exec([`${program}/bin/touch-pages`, `${big}/data`], { deadlineMs: 120_000 })
  const { outcome, stdout, stderr } = run._unsafeUnwrap()
  expect(Buffer.from(stderr).toString()).toBe('')
  expect(outcome).toEqual({ kind: 'exited', code: 0 })
  const figures = new Map(
    Buffer.from(stdout)
      .toString()
      .trim()
      .split('\n')
      .map((line) => line.split(' ') as [string, string]),
  )
  const kib = (name: string) => Number(figures.get(name))
  return {
    size: kib('size'),
    before: kib('cached-before'),
    after: kib('cached-after'),
    copied: kib('cached-copied'),
  }
}

test('five units that read the same store path hold one copy of it, on the host and in no guest', async () => {
  const program = await addProgram('touch-pages', ['touch-pages.c'])
  const big = await addToStore('big-file', writeBigFile)
  const names = ['one', 'two', 'three', 'four', 'five']
  const graph: Graph = compose(
    Object.fromEntries(names.map((name) => [name, defineUnit(name, { store: closure(program, big) })])),
  )._unsafeUnwrap()
  await using host = (await openHost({ store: nixStore() }))._unsafeUnwrap()
  const units = (await host.start(graph))._unsafeUnwrap()

  for (const unit of Object.values(units)) {
    const cache = await touch(unit, program, big)
    expect(cache.size).toBe(SIZE)
    // Reading through DAX leaves the guest's page cache alone; the copy that follows shows that it would move.
    expect(cache.after - cache.before).toBeLessThan(1024)
    expect(cache.copied - cache.after).toBeGreaterThan((SIZE / 1024) * 0.99)
    expect(unit.dax).toBe(true)
  }

  const report = (await host.sharing())._unsafeUnwrap()
  const blob = report.blobs.find((one) => one.storePaths.includes(big))!
  expect(blob.units).toEqual([...names].sort())
  expect(Math.abs(blob.pssBytes - SIZE) / SIZE).toBeLessThan(0.05)
  expect(blob.rssBytes / blob.pssBytes).toBeGreaterThan(4.75)
  expect(blob.savedBytes).toBe(blob.rssBytes - blob.pssBytes)
  // The proof: each page of the file lies in one frame, and several units map it.
  expect(report.proof.kind).toBe(process.geteuid?.() === 0 ? 'frames' : 'not-permitted')
  const pages = SIZE / 4096
  expect(blob.frames?.filePages).toBeGreaterThanOrEqual(pages)
  expect(blob.frames?.frames).toBe(blob.frames?.filePages)
  expect(blob.frames?.shared).toBeGreaterThanOrEqual(pages)
  expect(blob.frames?.mappings).toBeGreaterThanOrEqual(pages * names.length)
  for (const name of names) {
    const own = report.units.find(({ unit }) => unit === name)!
    expect(own.sharesWith).toEqual(names.filter((other) => other !== name).sort())
    expect(own.savedBytes).toBeGreaterThan(SIZE * 0.75)
  }
  expect(report.paths.find(({ storePath }) => storePath === big)?.units).toEqual([...names].sort())
})
