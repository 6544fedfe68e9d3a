import { describe, expect, test } from 'vitest'
import { type FakeGlobal, USUAL_GLOBALS } from '../peers/compositor.js'
import { Framed } from './window.js'

async function withSeat(globals?: readonly FakeGlobal[]) {
  const framed = await Framed.start({}, globals)
  const { client, compositor } = framed
  const seat = client.bind('wl_seat')
  const { surface } = framed.toplevel()
  framed.show(surface, 100, 100)
  await framed.settle()
  const own = framed.sent('wl_subcompositor.get_subsurface')[0]!.args[1] as number
  const heard = async (act: () => void) => {
    const before = client.seen.length
    act()
    await client.sync()
    return client.seen
      .slice(before)
      .map(({ name, args }) => `${name} ${args.join(' ')}`)
      .filter((line) => !/wl_display|wl_callback/.test(line))
  }
  return { framed, client, compositor, seat, surface, own, theirs: framed.windowSurface(), heard }
}

describe('the frame’s input is the proxy’s', () => {
  test('the pointer: a client hears that it left, and nothing of what it does on the frame', async () => {
    const { framed, client, compositor, seat, surface, own, theirs, heard } = await withSeat()
    await using _ = framed
    client.make(seat, 'get_pointer')
    await client.sync()
    const pointer = compositor.newest('wl_pointer')
    const inside = await heard(() => {
      compositor.send(pointer, 'enter', 1, theirs, 5, 6)
      compositor.send(pointer, 'motion', 1, 7, 8)
      compositor.send(pointer, 'frame')
      compositor.send(pointer, 'leave', 2, theirs)
    })
    expect(inside).toEqual([
      `wl_pointer.enter 1 ${surface} 5 6`,
      'wl_pointer.motion 1 7 8',
      'wl_pointer.frame ',
      `wl_pointer.leave 2 ${surface}`,
    ])
    const onFrame = await heard(() => {
      compositor.send(pointer, 'enter', 3, own, 5, 6)
      compositor.send(pointer, 'motion', 1, 7, 8)
      compositor.send(pointer, 'button', 4, 1, 272, 1)
      compositor.send(pointer, 'axis', 1, 0, 10)
      compositor.send(pointer, 'leave', 5, own)
    })
    expect(onFrame).toEqual([])
    const back = await heard(() => {
      compositor.send(pointer, 'enter', 6, theirs, 1, 1)
      compositor.send(pointer, 'button', 7, 1, 272, 1)
    })
    expect(back).toHaveLength(2)
  })

  test('the pointer: how far it moves there is not told either', async () => {
    const globals = [...USUAL_GLOBALS, { name: 90, interface: 'zwp_relative_pointer_manager_v1', version: 1 }]
    const { framed, client, compositor, seat, own, theirs, heard } = await withSeat(globals)
    await using _ = framed
    const mouse = client.make(seat, 'get_pointer')
    client.make(client.bind('zwp_relative_pointer_manager_v1'), 'get_relative_pointer', mouse)
    await client.sync()
    const [pointer, relative] = [
      compositor.newest('wl_pointer'),
      compositor.newest('zwp_relative_pointer_v1'),
    ]
    const move = () => compositor.send(relative, 'relative_motion', 0, 1, 2, 3, 2, 3)
    const told = await heard(() => {
      compositor.send(pointer, 'enter', 1, own, 5, 6)
      move()
      compositor.send(pointer, 'leave', 2, own)
    })
    expect(told).toEqual([])
    expect(
      await heard(() => {
        compositor.send(pointer, 'enter', 3, theirs, 5, 6)
        move()
      }),
    ).toHaveLength(2)
  })

  test('the left button on it moves the window at the band, and resizes it at an edge', async () => {
    const { framed, client, compositor, seat } = await withSeat()
    await using _ = framed
    client.make(seat, 'get_pointer')
    await client.sync()
    const pointer = compositor.newest('wl_pointer')
    const strips = framed.sent('wl_subcompositor.get_subsurface').map(({ args }) => args[1] as number)
    for (const [index, strip] of strips.entries()) {
      compositor.send(pointer, 'enter', 10 + index, strip, 1, 1)
      compositor.send(pointer, 'button', 20 + index, 1, 272, 1)
      compositor.send(pointer, 'button', 30 + index, 1, 272, 0)
      compositor.send(pointer, 'button', 40 + index, 1, 273, 1)
    }
    await client.sync()
    await client.sync()
    const theirs = compositor.newest('wl_seat')
    expect(framed.sent('xdg_toplevel.move').map(({ args }) => args)).toEqual([[theirs, 20]])
    expect(framed.sent('xdg_toplevel.resize').map(({ args }) => args)).toEqual([
      [theirs, 21, 4],
      [theirs, 22, 8],
      [theirs, 23, 2],
    ])
    expect(client.names()).not.toContain('wl_pointer.button')
  })

  test('a button on the frame opens no way to the clipboard', async () => {
    await using framed = await Framed.start({ clipboard: { mode: 'paste-in' } })
    const { client, compositor } = framed
    const seat = client.bind('wl_seat')
    client.make(seat, 'get_pointer')
    client.make(client.bind('wl_data_device_manager'), 'get_data_device', seat)
    const { surface } = framed.toplevel()
    framed.show(surface, 100, 100)
    await framed.settle()
    const own = framed.sent('wl_subcompositor.get_subsurface')[0]!.args[1] as number
    const pointer = compositor.newest('wl_pointer')
    compositor.send(pointer, 'enter', 3, own, 5, 6)
    compositor.send(pointer, 'button', 4, 1, 272, 1)
    await client.sync()
    expect(client.names()).not.toContain('wl_pointer.button')
  })

  test('fingers: those on the frame are not told of, others are, at the same time', async () => {
    const { framed, client, compositor, seat, own, theirs, heard } = await withSeat()
    await using _ = framed
    client.make(seat, 'get_touch')
    await client.sync()
    const touch = compositor.newest('wl_touch')
    const lines = await heard(() => {
      compositor.send(touch, 'down', 1, 1, own, 0, 5, 5)
      compositor.send(touch, 'down', 2, 1, theirs, 1, 5, 5)
      compositor.send(touch, 'motion', 1, 0, 6, 6)
      compositor.send(touch, 'motion', 1, 1, 7, 7)
      compositor.send(touch, 'up', 3, 1, 0)
      compositor.send(touch, 'up', 4, 1, 1)
      compositor.send(touch, 'down', 5, 1, theirs, 0, 5, 5)
    })
    expect(lines.map((line) => line.split(' ')[0])).toEqual([
      'wl_touch.down',
      'wl_touch.motion',
      'wl_touch.up',
      'wl_touch.down',
    ])
  })

  test('keys, should a compositor ever give the frame the keyboard', async () => {
    const { framed, client, compositor, seat, own, theirs, heard } = await withSeat()
    await using _ = framed
    client.make(seat, 'get_keyboard')
    await client.sync()
    const keyboard = compositor.newest('wl_keyboard')
    const none = await heard(() => {
      compositor.send(keyboard, 'enter', 1, own, new Uint8Array())
      compositor.send(keyboard, 'key', 2, 1, 30, 1)
      compositor.send(keyboard, 'leave', 3, own)
    })
    expect(none).toEqual([])
    const some = await heard(() => {
      compositor.send(keyboard, 'enter', 4, theirs, new Uint8Array())
      compositor.send(keyboard, 'key', 5, 1, 30, 1)
    })
    expect(some).toHaveLength(2)
  })
})
