import { liveFds } from '@spectrum/unix-fd'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { westonHost } from '../hosts/hosts.js'
import { type Host, Walk } from '../hosts/walk.js'

const before = liveFds()
let weston: Host

beforeAll(async () => {
  weston = await westonHost()
})

afterAll(async () => {
  await weston?.close()
  expect(liveFds()).toBe(before)
})

test('a GTK 3 program keeps its frame at weston when it opens, is resized, opens a menu, covers the screen, and closes', async () => {
  await using walk = new Walk(weston)
  await walk.opens(['gtk3-demo-application'])
  await walk.isResized()
  await walk.opensAndClosesItsMenu('bar')
  await walk.coversTheScreenAndComesBack()
  await walk.closes(async (child) => void child.kill())
})
