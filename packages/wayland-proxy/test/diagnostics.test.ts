import { expect, test } from 'vitest'
import { LineBudget } from '../src/diagnostics/line-budget.js'
import { Unit } from './peers/unit.js'

test('a trace shows each message, and no title, key or clipboard', async () => {
  const lines: string[] = []
  await using unit = new Unit({}, { trace: (line) => lines.push(line) })
  const { client, compositor } = await unit.started()
  const surface = client.make(client.bind('wl_compositor'), 'create_surface')
  const xdg = client.make(client.bind('xdg_wm_base'), 'get_xdg_surface', surface)
  const toplevel = client.make(xdg, 'get_toplevel')
  client.send(toplevel, 'set_title', 'my secret')
  client.send(surface, 'attach', null, 1, -2)
  client.make(client.bind('wl_seat'), 'get_keyboard')
  await client.sync()
  compositor.send(compositor.newest('wl_keyboard'), 'key', 1, 2, 30, 1)
  await client.next('wl_keyboard.key')
  const text = lines.join('\n')
  expect(text).toContain(`#1 -> wl_surface@${surface}.attach(nil, 1, -2)`)
  expect(text).toContain(`#1 -> xdg_toplevel@${toplevel}.set_title(text[9])`)
  expect(text).toMatch(/#1 -> wl_registry@2\.bind\(\d+, "wl_compositor", 5, new id @\d+\)/)
  expect(text).toMatch(/#1 <- wl_keyboard@\d+\.key\(\?, \?, \?, \?\)/)
  expect(text).not.toContain('secret')
})

test('a trace never reads beyond a broken message', async () => {
  const lines: string[] = []
  await using unit = new Unit({}, { trace: (line) => lines.push(line) })
  const { client } = await unit.started()
  client.raw(new Uint8Array(Uint32Array.from([client.registry, 16 << 16, 1, 0xfffffff0]).buffer))
  await client.error()
  expect(lines.at(-1)).toMatch(/wl_registry@2\.bind\(1, …\)/)
})

test('a unit that makes trouble all the time does not fill the log', () => {
  const lines: string[] = []
  let now = 0
  const log = new LineBudget(
    (line) => void lines.push(line),
    () => now,
  )
  for (; now < 10_000; now += 1) log.say(`trouble ${now}`)
  expect(lines[0]).toBe('trouble 0')
  const told = lines.filter((line) => line.startsWith('trouble')).length
  expect(told).toBeGreaterThanOrEqual(200)
  expect(told).toBeLessThanOrEqual(251)
  const leftOut = lines.flatMap((line) => /^(\d+) lines were left out$/.exec(line)?.[1] ?? []).map(Number)
  now += 1_000
  log.say('later')
  const [last] = lines.slice(-2)
  expect(leftOut.reduce((sum, one) => sum + one, 0) + Number.parseInt(last!, 10) + told).toBe(10_000)
})

test('the last messages of a unit are remembered without what they carried', async () => {
  await using unit = new Unit()
  const { client } = await unit.started()
  const surface = client.make(client.bind('wl_compositor'), 'create_surface')
  for (let count = 0; count < 2_000; count++) client.send(surface, 'commit')
  await client.sync()
  const lines = unit.proxy.recentMessages()
  expect(lines).toHaveLength(512)
  expect(lines).toContain(`#1 -> wl_surface@${surface}.commit, 8 bytes`)
  expect(unit.proxy.counters.requests).toBeGreaterThan(2_000)
})
