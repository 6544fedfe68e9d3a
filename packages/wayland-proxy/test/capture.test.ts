import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseCapture } from '../src/index.js'
import { descriptors } from './peers/peer.js'
import { replay } from './peers/replay.js'
import { Unit } from './peers/unit.js'

const folder = new URL('./captures/', import.meta.url)

describe('what real programs and sway said, replayed', () => {
  for (const file of readdirSync(folder)) {
    test(`${file} happens again, word for word, and nothing invalid goes either way`, async () => {
      const text = readFileSync(new URL(file, folder), 'utf8')
      const { lines, endings, faults, upstream } = await replay(text)
      expect(endings).toEqual([])
      expect(faults).toEqual([])
      const before = text.trimEnd().split('\n').slice(1)
      expect(lines.slice(1)).toEqual(before)
      // Four strips for each window and popup.
      const windows = upstream.filter((name) => /^xdg_surface\.get_(?:toplevel|popup)$/.test(name)).length
      expect(windows).toBeGreaterThan(0)
      const own = upstream.filter((name) => name === 'wl_subcompositor.get_subsurface').length
      const theirs = before.filter((line) => line.includes('"wl_subcompositor.get_subsurface"')).length
      expect(own - theirs).toBe(4 * windows)
      expect(before.filter((line) => line.includes('request_mode')).length).toBeLessThan(10)
    })
  }
})

describe('a capture', () => {
  test('holds no title, key, clipboard or list of keys, and is replayed from what it holds', async () => {
    const lines: string[] = []
    await using unit = new Unit({}, { capture: (line) => lines.push(line) })
    const { client, compositor } = await unit.started()
    const surface = client.make(client.bind('wl_compositor'), 'create_surface')
    const xdg = client.make(client.bind('xdg_wm_base'), 'get_xdg_surface', surface)
    client.send(client.make(xdg, 'get_toplevel'), 'set_title', 'my secret')
    using memfd = descriptors.createMemfd('pixels', { size: 4_096 })._unsafeUnwrap()
    const shm = client.bind('wl_shm')
    const pool = client.id()
    client.send(shm, 'create_pool', pool, memfd.fd, 4_096)
    client.make(client.bind('wl_seat'), 'get_keyboard')
    await client.sync()
    const keyboard = compositor.newest('wl_keyboard')
    const keys = new Uint8Array(Uint32Array.from([0x1e, 0x30]).buffer)
    compositor.send(keyboard, 'enter', 1, compositor.newest('wl_surface'), keys)
    compositor.send(keyboard, 'key', 0x77, 0x66, 0x55, 1)
    await client.next('wl_keyboard.key')
    const { messages } = parseCapture(lines.join('\n'))._unsafeUnwrap()
    const bytesOf = (name: string) => messages.find((one) => one.message === name)!.bytes.slice(16)
    expect(bytesOf('xdg_toplevel.set_title')).toBe(`0a000000${'78'.repeat(9)}000000`)
    expect(bytesOf('wl_keyboard.key')).toBe('77000000000000000000000001000000')
    expect(bytesOf('wl_keyboard.enter').slice(16)).toBe(`08000000${'00'.repeat(8)}`)
    expect(messages.find((one) => one.message === 'wl_shm.create_pool')!.descriptors).toEqual(['file 4096'])
    const again = await replay(lines.join('\n'))
    expect(again.faults).toEqual([])
    expect(again.lines).toEqual(lines)
  })

  test('of a broken message holds nothing of it, and does not read beyond it', async () => {
    const lines: string[] = []
    await using unit = new Unit({}, { capture: (line) => lines.push(line) })
    const { client } = await unit.started()
    client.raw(new Uint8Array(Uint32Array.from([client.registry, 16 << 16, 1, 0xfffffff0]).buffer))
    await client.error()
    expect(lines.at(-1)).toContain(`"bytes":"02000000000010000000000000000000"`)
  })

  test('that is none is refused with its line', () => {
    const wrong = (text: string) => parseCapture(text)._unsafeUnwrapErr().message
    expect(wrong('')).toMatch('line 1: no capture')
    expect(wrong('{')).toBe('line 1: no JSON')
    expect(wrong('{"capture":2}')).toMatch('line 1: no capture')
    expect(wrong('{"capture":1,"policy":{}}\n{"session":1}')).toBe('line 2: no message')
    expect(wrong('{"capture":1,"policy":{}}\n{"session":1,"from":"client","message":"x","bytes":"01"}')).toBe(
      'line 2: no message',
    )
  })
})
