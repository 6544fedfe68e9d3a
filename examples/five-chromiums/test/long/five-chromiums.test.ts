import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nixStore, openHost } from '@spectrum/unit-runtime'
import { expect, it } from 'vitest'
import { debianChromium } from '../../src/chromium.js'
import { COLOURS, fiveChromiums, oneCopyOf } from '../../src/five-chromiums.js'

const PNG = '89504e470d0a1a0a'

it('five units draw five pages with one copy of Chromium in memory, and leave nothing', async () => {
  const state = await mkdtemp(join(tmpdir(), 'five-'))
  const chromium = await debianChromium()
  await using host = (await openHost({ store: nixStore(), stateDirectory: state }))._unsafeUnwrap()
  const { pictures, sharing } = (
    await fiveChromiums(host, chromium, { say: () => {}, atOnce: 2 })
  )._unsafeUnwrap()

  const names = Object.keys(COLOURS).sort()
  expect([...pictures.keys()].sort()).toEqual(names)
  for (const picture of pictures.values()) {
    expect(Buffer.from(picture).toString('hex', 0, 8)).toBe(PNG)
    const size = Buffer.from(picture)
    expect([size.readUInt32BE(16), size.readUInt32BE(20)]).toEqual([640, 400])
  }
  // Each its own page.
  expect(new Set([...pictures.values()].map((bytes) => Buffer.from(bytes).toString('base64'))).size).toBe(5)

  const copy = oneCopyOf(chromium, sharing)!
  expect(copy.units).toEqual(names)
  expect(copy.storedBytes).toBeGreaterThan(64 * 2 ** 20)
  expect(copy.heldBytes / copy.storedBytes).toBeGreaterThan(4)
  expect(copy.frames).toBe(copy.pages)

  await host.stop()
  const nothing = { processes: [], sockets: [], mounts: [], files: [] }
  expect((await host.leftovers())._unsafeUnwrap()).toEqual(nothing)
  await rm(state, { recursive: true, force: true })
})
