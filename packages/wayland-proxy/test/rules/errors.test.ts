import { describe, expect, test } from 'vitest'
import { Unit } from '../peers/unit.js'

describe('rule 22: errors', () => {
  test('of the compositor reach the client in its own numbers, and end this client alone', async () => {
    await using unit = new Unit()
    const other = await unit.started()
    const { client, compositor } = await unit.started()
    const manager = client.bind('wl_data_device_manager')
    for (let count = 0; count < 5; count++) client.make(manager, 'create_data_source')
    const surface = client.make(client.bind('wl_compositor'), 'create_surface')
    await client.sync()
    compositor.send(1, 'error', compositor.newest('wl_surface'), 2, 'bad size')
    const { args } = await client.next('wl_display.error')
    expect(args).toEqual([surface, 2, 'bad size'])
    await client.end()
    await compositor.end()
    expect(unit.endings[0]).toMatchObject({ kind: 'compositor-refused' })
    await other.client.sync()
  })

  test('about objects that the client does not have are about the display', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    compositor.send(1, 'error', 2, 7, 'about the registry of the proxy')
    expect((await client.next('wl_display.error')).args).toEqual([1, 3, 'about the registry of the proxy'])
  })

  test('carry no controls, no direction marks and no endless text into a log', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    compositor.send(1, 'error', 1, 3, `\x1b[2J\u202e${'x'.repeat(2000)}`)
    const text = (await client.next('wl_display.error')).args[2] as string
    expect(text).toMatch(/^\\x1b\[2J\\u\{202e\}x/)
    expect(text.length).toBeLessThan(350)
  })

  test('come to a client that goes on sending, and behind them an end, no broken connection', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    client.raw(new Uint8Array(12))
    for (let count = 0; count < 1_000; count++) client.raw(new Uint8Array(1_000))
    await client.next('wl_display.error')
    await client.end()
    expect(client.faults).toEqual([])
    await compositor.end()
    expect(compositor.faults).toEqual([])
  })

  test('of one client leave the windows of the unit’s others alone', async () => {
    await using unit = new Unit()
    const good = await unit.started()
    const bad = await unit.started()
    const surface = good.client.make(good.client.bind('wl_compositor'), 'create_surface')
    bad.client.raw(new Uint8Array(12))
    await bad.client.end()
    good.client.send(surface, 'commit')
    await good.client.sync()
  })
})

describe('rule 23: the end of one side', () => {
  test('of the compositor ends its client after what it had sent', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    const output = client.bind('wl_output')
    await client.sync()
    compositor.send(compositor.newest('wl_output'), 'done')
    compositor.close()
    expect((await client.next('wl_output.done')).id).toBe(output)
    await client.end()
    expect(unit.endings[0]).toMatchObject({ kind: 'compositor-left' })
  })

  test('of the client ends its connection to the compositor', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    client.close()
    await compositor.end()
    expect(unit.endings[0]).toMatchObject({ kind: 'client-left' })
  })

  test('of a client that says its last words and leaves at once loses none of them', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    const surface = client.make(client.bind('wl_compositor'), 'create_surface')
    client.send(surface, 'commit')
    client.close()
    await compositor.next('wl_surface.commit')
    await compositor.end()
  })

  test('serials, times and enumerations pass unchanged', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    client.make(client.bind('wl_seat'), 'get_pointer')
    await client.sync()
    compositor.send(compositor.newest('wl_pointer'), 'button', 0xfffffffe, 0x80000001, 0x110, 1)
    expect((await client.next('wl_pointer.button')).args).toEqual([0xfffffffe, 0x80000001, 0x110, 1])
  })
})

describe('a compositor that breaks the protocol', () => {
  for (const [name, words] of [
    ['an event of no object', [900, 8 << 16]],
    ['an event of the wrong length', [2, (12 << 16) | 1, 0]],
    ['an event that does not exist', [1, (8 << 16) | 9]],
    ['a message of 4 bytes', [1, 4 << 16]],
  ] as const) {
    test(`is left: ${name}`, async () => {
      await using unit = new Unit()
      const { client, compositor } = await unit.started()
      // A second word for the sizes that would otherwise be waited for.
      compositor.raw(
        new Uint8Array(Uint32Array.from(name.includes('length') ? [2, (16 << 16) | 1, 0, 0] : words).buffer),
      )
      await client.end()
      expect(unit.endings[0]).toMatchObject({ kind: 'compositor-broke-protocol' })
    })
  }
})
