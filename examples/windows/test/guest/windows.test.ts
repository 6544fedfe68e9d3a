import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { HeadlessDesktop } from '../../src/headless-desktop.js'
import { windowPrograms } from '../../src/programs.js'
import { showWindows } from '../../src/windows.js'

let desktop: HeadlessDesktop
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windows-test-'))
  desktop = await HeadlessDesktop.open()
})

afterAll(async () => {
  await desktop?.[Symbol.asyncDispose]()
  if (folder) await rm(folder, { recursive: true })
})

/** How many pixels of each colour are on the screen. */
async function colours(): Promise<ReadonlyMap<string, number>> {
  const file = join(folder, 'screen.ppm')
  await desktop.picture(file, 'ppm')
  const bytes = await readFile(file)
  const start = bytes.length - 1_280 * 720 * 3
  const counts = new Map<string, number>()
  for (let at = start; at < bytes.length; at += 3) {
    const colour = bytes.toString('hex', at, at + 3)
    counts.set(colour, (counts.get(colour) ?? 0) + 1)
  }
  return counts
}

it('shows two units on one desktop, each with its words and its colour, and takes them away again', async () => {
  const programs = await windowPrograms(['/usr/bin/waypipe', '/usr/bin/weston-flower'])
  let frames: readonly (number | undefined)[] = []
  const look = async () => {
    await expect.poll(() => desktop.titles(), { timeout: 90_000 }).toEqual(['[bank] Flower', '[mail] Flower'])
    const shown = async () => {
      const found = await colours()
      frames = ['1f6f3f', 'a51d2d'].map((colour) => found.get(colour))
      // Two frames with a label, and two flowers with soft edges.
      return frames.every((pixels) => pixels !== undefined && pixels > 3_000) && found.size > 40
    }
    await expect.poll(shown, { timeout: 60_000 }).toBe(true)
  }
  const outcome = await showWindows(programs, { upstream: desktop.socket, look })
  expect(outcome.isOk(), outcome.isErr() ? outcome.error.message : '').toBe(true)
  await expect.poll(() => desktop.titles()).toEqual([])
  await expect.poll(async () => (await colours()).has('a51d2d')).toBe(false)
})
