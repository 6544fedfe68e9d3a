import type { Fd } from '@spectrum/unix-fd'
import { describe, expect, test } from 'vitest'
import { type Question, readPolicy } from '../../src/index.js'
import { descriptors } from '../peers/peer.js'
import { type Connection, powers, Unit } from '../peers/unit.js'

/** A client with a data device, and a pointer for the user's gestures. */
async function programOf(unit: Unit) {
  const connection = await unit.started()
  const { client, compositor } = connection
  const manager = client.bind('wl_data_device_manager')
  const seat = client.bind('wl_seat')
  client.make(seat, 'get_pointer')
  const device = client.make(manager, 'get_data_device', seat)
  await client.sync()
  const gesture = async (serial: number) => {
    compositor.send(compositor.newest('wl_pointer'), 'button', serial, 0, 0x110, 1)
    await client.next('wl_pointer.button')
  }
  const copy = (types: readonly string[], serial = 1) => {
    const source = client.make(manager, 'create_data_source')
    for (const type of types) client.send(source, 'offer', type)
    client.send(device, 'set_selection', source, serial)
    return source
  }
  return { ...connection, manager, seat, device, gesture, copy }
}

/** What arrives in a pipe until it ends, with at most `most` bytes. */
async function readAll(fd: Fd, most = 100_000): Promise<string> {
  const bytes = new Uint8Array(most)
  let count = 0
  for (;;) {
    ;(await fd.ready('readable', AbortSignal.timeout(20_000)))._unsafeUnwrap()
    const some = powers.pipes.read(fd, bytes.subarray(count))
    if (some === 'again') continue
    if (some === 'failed' || some === 0) break
    count += some
  }
  fd.close()
  return new TextDecoder().decode(bytes.subarray(0, count))
}

/** Asks for the content of an offer; what comes back reads it. */
async function paste(client: Connection['client'], offer: number, type: string): Promise<Fd> {
  const { reader, writer } = powers.pipes.open()._unsafeUnwrap()
  client.send(offer, 'receive', type, writer)
  await client.sync()
  writer.close()
  return reader
}

/** Writes and closes, as a source does. */
function give(fd: Fd, text: string): void {
  const writer = powers.pipes.forWriting(fd)._unsafeUnwrap()
  powers.pipes.write(writer, new TextEncoder().encode(text))
  writer.close()
}

const hostOffers = (compositor: Connection['compositor'], types: readonly string[], id = 0xff000000) => {
  const device = compositor.newest('wl_data_device')
  compositor.objects.delete(id)
  compositor.send(device, 'data_offer', id)
  for (const type of types) compositor.send(id, 'offer', type)
  compositor.send(device, 'selection', id)
}

describe('the clipboard of a unit', () => {
  test('goes from one of its programs to another, and never to the compositor', async () => {
    await using unit = new Unit()
    const writer = await programOf(unit)
    const reader = await programOf(unit)
    const source = writer.copy(['text/plain', 'text/html'])
    const offer = (await reader.client.next('wl_data_device.selection')).args[0] as number
    const pipe = await paste(reader.client, offer, 'text/plain')
    const { id, args } = await writer.client.next('wl_data_source.send')
    expect([id, args[0]]).toEqual([source, 'text/plain'])
    give(args[1] as Fd, 'hello')
    expect(await readAll(pipe)).toBe('hello')
    for (const { compositor } of [writer, reader]) {
      expect(compositor.names().some((name) => name.startsWith('wl_data'))).toBe(false)
    }
  })

  test('is told to the source that it was replaced, and to all that it is gone', async () => {
    await using unit = new Unit()
    const one = await programOf(unit)
    const two = await programOf(unit)
    const first = one.copy(['text/plain'])
    await two.client.next('wl_data_device.selection')
    two.copy(['text/plain'])
    expect((await one.client.next('wl_data_source.cancelled')).id).toBe(first)
    two.client.close()
    expect((await one.client.next('wl_data_device.selection')).args).toEqual([null])
  })

  test('is told to a program when it gets the keyboard, before that, and to one without a keyboard at once', async () => {
    await using unit = new Unit()
    const other = await programOf(unit)
    const typing = await programOf(unit)
    const { client, compositor } = typing
    client.make(typing.seat, 'get_keyboard')
    const surface = client.make(client.bind('wl_compositor'), 'create_surface')
    await client.sync()
    const heard = () =>
      client.names().filter((name) => /^wl_data_device\.selection|keyboard\.enter/.test(name))
    const [keyboard, theirs] = [compositor.newest('wl_keyboard'), compositor.newest('wl_surface')]
    const enter = async () => {
      compositor.send(keyboard, 'enter', 1, theirs, new Uint8Array())
      await client.next('wl_keyboard.enter')
    }
    other.copy(['text/plain'])
    await other.client.next('wl_data_device.selection')
    await client.sync()
    expect(heard()).toEqual([])
    await enter()
    expect(heard()).toEqual(['wl_data_device.selection', 'wl_keyboard.enter'])
    other.copy(['text/plain'])
    await client.next('wl_data_device.selection')
    compositor.send(keyboard, 'leave', 2, theirs)
    await client.sync()
    other.copy(['text/plain'])
    await other.client.sync()
    await client.sync()
    expect(heard()).toHaveLength(3)
    await enter()
    expect(heard().slice(3)).toEqual(['wl_data_device.selection', 'wl_keyboard.enter'])
    // What it has heard is not told again.
    await enter()
    expect(heard()).toHaveLength(6)
    expect(surface).toBeGreaterThan(0)
  })

  test('is told to a new program as soon as it is known whether it asks for the keyboard', async () => {
    await using unit = new Unit()
    const other = await programOf(unit)
    other.copy(['text/plain'])
    await other.client.next('wl_data_device.selection')
    const [silent, asking] = [await unit.started(), await unit.started()]
    for (const { client } of [silent, asking]) {
      const seat = client.bind('wl_seat')
      client.make(client.bind('wl_data_device_manager'), 'get_data_device', seat)
      if (client === asking.client) client.make(seat, 'get_keyboard')
    }
    await silent.client.next('wl_data_device.selection')
    await asking.client.sync()
    expect(asking.client.names()).not.toContain('wl_data_device.selection')
  })

  test('is told with the keyboard when there is nothing, too: who pastes waits for it', async () => {
    await using unit = new Unit()
    const { client, compositor, seat } = await programOf(unit)
    client.make(seat, 'get_keyboard')
    client.make(client.bind('wl_compositor'), 'create_surface')
    await client.sync()
    expect(client.names()).not.toContain('wl_data_device.selection')
    const [keyboard, surface] = [compositor.newest('wl_keyboard'), compositor.newest('wl_surface')]
    compositor.send(keyboard, 'enter', 1, surface, new Uint8Array())
    expect((await client.next('wl_data_device.selection')).args).toEqual([null])
  })

  test('is another for every unit', async () => {
    await using one = new Unit()
    await using two = new Unit()
    const writer = await programOf(one)
    const reader = await programOf(two)
    writer.copy(['text/plain'])
    await writer.client.sync()
    await reader.client.sync()
    expect(reader.client.names()).not.toContain('wl_data_device.selection')
  })

  test('can be off', async () => {
    await using unit = new Unit({ clipboard: { mode: 'off' } })
    const one = await programOf(unit)
    const two = await programOf(unit)
    const source = one.copy(['text/plain'])
    expect((await one.client.next('wl_data_source.cancelled')).id).toBe(source)
    expect(two.client.names()).not.toContain('wl_data_device.selection')
    expect(unit.codes()).toContain('W-CLIPBOARD')
  })

  test('has so many types at most', async () => {
    await using unit = new Unit({ clipboard: { maxMimeTypes: 3 } })
    const one = await programOf(unit)
    one.copy(['a/1', 'a/2', 'a/2', 'a/3', 'a/4', 'x'.repeat(300), ''])
    await one.client.next('wl_data_device.selection')
    const types = one.client.seen.filter(({ name }) => name === 'wl_data_offer.offer')
    expect(types.map(({ args }) => args[0])).toEqual(['a/1', 'a/2', 'a/3'])
  })

  test('keeps a drag at home', async () => {
    await using unit = new Unit()
    const one = await programOf(unit)
    const source = one.client.make(one.manager, 'create_data_source')
    const surface = one.client.make(one.client.bind('wl_compositor'), 'create_surface')
    one.client.send(one.device, 'start_drag', source, surface, null, 1)
    expect((await one.client.next('wl_data_source.cancelled')).id).toBe(source)
    expect(unit.codes()).toContain('W-DRAG')
  })

  test('has a primary selection of its own, which is the unit’s alone', async () => {
    await using unit = new Unit()
    const { client, seat, compositor } = await programOf(unit)
    const manager = client.bind('zwp_primary_selection_device_manager_v1')
    const device = client.make(manager, 'get_device', seat)
    const source = client.make(manager, 'create_source')
    client.send(source, 'offer', 'text/plain')
    client.send(device, 'set_selection', source, 1)
    await client.next('zwp_primary_selection_device_v1.selection')
    await client.sync()
    expect(compositor.names().some((name) => name.includes('primary'))).toBe(false)
  })
})

describe('pasting from the desktop', () => {
  test('is possible right after a gesture of the user, and the content comes through', async () => {
    await using unit = new Unit({ clipboard: { mode: 'paste-in' } })
    const { client, compositor, gesture } = await programOf(unit)
    hostOffers(compositor, ['text/plain', 'application/x-secret'])
    const offer = (await client.next('wl_data_device.selection')).args[0] as number
    const types = client.seen.filter(({ name }) => name === 'wl_data_offer.offer')
    expect(types.map(({ args }) => args[0])).toEqual(['text/plain'])
    await gesture(7)
    const pipe = await paste(client, offer, 'text/plain')
    const { args } = await compositor.next('wl_data_offer.receive')
    give(args[1] as Fd, 'from the desktop')
    expect(await readAll(pipe)).toBe('from the desktop')
  })

  test('is possible to a program that runs already when the policy opens the border, and not when it closes it', async () => {
    await using unit = new Unit()
    const { client, compositor, gesture } = await programOf(unit)
    expect(compositor.names()).not.toContain('wl_data_device_manager.get_data_device')
    const border = (mode: string) => unit.proxy.setPolicy(readPolicy({ clipboard: { mode } })._unsafeUnwrap())
    border('paste-in')
    border('both')
    await compositor.next('wl_data_device_manager.get_data_device')
    hostOffers(compositor, ['text/plain'])
    const offer = (await client.next('wl_data_device.selection')).args[0] as number
    await gesture(7)
    const pipe = await paste(client, offer, 'text/plain')
    give((await compositor.next('wl_data_offer.receive')).args[1] as Fd, 'from the desktop')
    expect(await readAll(pipe)).toBe('from the desktop')
    border('internal')
    expect(await readAll(await paste(client, offer, 'text/plain'))).toBe('')
    const count = (name: string) => compositor.names().filter((one) => one === name).length
    expect(count('wl_data_offer.receive')).toBe(1)
    expect(count('wl_data_device_manager.get_data_device')).toBe(1)
  })

  test('has devices at the compositor for a few seats, however often a client asks for another', async () => {
    await using unit = new Unit({ clipboard: { mode: 'paste-in' } })
    const { client, compositor } = await unit.started()
    const manager = client.bind('wl_data_device_manager')
    for (let round = 0; round < 40; round++) {
      const seat = client.bind('wl_seat')
      client.send(client.make(manager, 'get_data_device', seat), 'release')
      client.send(seat, 'release')
      await client.sync()
    }
    const asked = compositor.names().filter((name) => name === 'wl_data_device_manager.get_data_device')
    expect(asked).toHaveLength(16)
  })

  test('without one gives nothing, and says so', async () => {
    await using unit = new Unit({ clipboard: { mode: 'paste-in' } })
    const { client, compositor } = await programOf(unit)
    hostOffers(compositor, ['text/plain'])
    const offer = (await client.next('wl_data_device.selection')).args[0] as number
    const pipe = await paste(client, offer, 'text/plain')
    expect(await readAll(pipe)).toBe('')
    expect(compositor.names()).not.toContain('wl_data_offer.receive')
    expect(unit.codes()).toContain('W-CLIPBOARD-GESTURE')
  })

  test('long after one gives nothing', async () => {
    let now = 0
    const clock = { now: () => now }
    await using unit = new Unit(
      { clipboard: { mode: 'paste-in', gestureMilliseconds: 500 } },
      { powers: { clock } },
    )
    const { client, compositor, gesture } = await programOf(unit)
    hostOffers(compositor, ['text/plain'])
    const offer = (await client.next('wl_data_device.selection')).args[0] as number
    await gesture(7)
    now = 501
    expect(await readAll(await paste(client, offer, 'text/plain'))).toBe('')
  })

  test('ends at the limit of bytes', async () => {
    await using unit = new Unit({ clipboard: { mode: 'paste-in', maxBytes: 10 } })
    const { client, compositor, gesture } = await programOf(unit)
    hostOffers(compositor, ['text/plain'])
    const offer = (await client.next('wl_data_device.selection')).args[0] as number
    await gesture(7)
    const pipe = await paste(client, offer, 'text/plain')
    const { args } = await compositor.next('wl_data_offer.receive')
    give(args[1] as Fd, '12345678901')
    expect(await readAll(pipe)).toBe('')
    expect(unit.codes()).toContain('W-CLIPBOARD-SIZE')
  })

  test('is asked about where the policy says so', async () => {
    const questions: Question[] = []
    const ask = async (question: Question) => questions.push(question) > 1
    await using unit = new Unit({ clipboard: { mode: 'paste-in', confirm: true } }, { ask })
    const { client, compositor, gesture } = await programOf(unit)
    hostOffers(compositor, ['text/plain'])
    const offer = (await client.next('wl_data_device.selection')).args[0] as number
    await gesture(7)
    expect(await readAll(await paste(client, offer, 'text/plain'))).toBe('')
    const pipe = await paste(client, offer, 'text/plain')
    give((await compositor.next('wl_data_offer.receive')).args[1] as Fd, 'yes')
    expect(await readAll(pipe)).toBe('yes')
    expect(questions[0]).toEqual({ kind: 'paste', session: 1, mimeType: 'text/plain' })
  })

  for (const mode of ['internal', 'copy-out', 'off']) {
    test(`is not offered when the clipboard is ${mode}`, async () => {
      await using unit = new Unit({ clipboard: { mode } })
      const { client, compositor } = await programOf(unit)
      if (mode === 'copy-out') hostOffers(compositor, ['text/plain'])
      await client.sync()
      expect(client.names()).not.toContain('wl_data_device.data_offer')
    })
  }

  test('the desktop’s drags stay at the desktop', async () => {
    await using unit = new Unit({ clipboard: { mode: 'paste-in' } })
    const { client, compositor } = await programOf(unit)
    client.make(client.bind('wl_compositor'), 'create_surface')
    await client.sync()
    const device = compositor.newest('wl_data_device')
    compositor.send(device, 'data_offer', 0xff000000)
    compositor.send(0xff000000, 'offer', 'text/uri-list')
    compositor.send(device, 'enter', 5, compositor.newest('wl_surface'), 1, 1, 0xff000000)
    await compositor.next('wl_data_offer.destroy')
    await client.sync()
    expect(client.names()).not.toContain('wl_data_device.data_offer')
  })
})

describe('copying to the desktop', () => {
  test('happens with the serial of a fresh gesture, and the content comes through', async () => {
    await using unit = new Unit({ clipboard: { mode: 'copy-out' } })
    const { client, compositor, gesture, copy } = await programOf(unit)
    await gesture(77)
    copy(['text/plain', 'application/x-thing'], 77)
    expect((await compositor.next('wl_data_source.offer')).args).toEqual(['text/plain'])
    expect((await compositor.next('wl_data_device.set_selection')).args[1]).toBe(77)
    const { reader, writer } = powers.pipes.open()._unsafeUnwrap()
    compositor.send(compositor.newest('wl_data_source'), 'send', 'text/plain', writer)
    const { args } = await client.next('wl_data_source.send')
    writer.close()
    give(args[1] as Fd, 'from the unit')
    expect(await readAll(reader)).toBe('from the unit')
    expect(compositor.names().filter((name) => name === 'wl_data_source.offer')).toHaveLength(1)
  })

  for (const [what, serial] of [
    ['an old serial', 76],
    ['a made-up serial', 0xffffffff],
  ] as const) {
    test(`does not happen with ${what}`, async () => {
      await using unit = new Unit({ clipboard: { mode: 'both' } })
      const { client, compositor, gesture, copy } = await programOf(unit)
      await gesture(77)
      copy(['text/plain'], serial)
      await client.sync()
      expect(compositor.names()).not.toContain('wl_data_device.set_selection')
      expect(unit.codes()).toContain('W-CLIPBOARD')
    })
  }

  test('ends when the desktop copies something else, which can then be pasted', async () => {
    await using unit = new Unit({ clipboard: { mode: 'both' } })
    const { client, compositor, gesture, copy } = await programOf(unit)
    await gesture(77)
    const source = copy(['text/plain'], 77)
    await compositor.next('wl_data_device.set_selection')
    hostOffers(compositor, ['text/plain'], 0xff000000)
    compositor.send(compositor.newest('wl_data_source'), 'cancelled')
    hostOffers(compositor, ['text/html'], 0xff000001)
    expect((await client.next('wl_data_source.cancelled')).id).toBe(source)
    await client.sync()
    expect(client.seen.filter(({ name }) => name === 'wl_data_offer.offer').at(-1)!.args).toEqual([
      'text/html',
    ])
  })

  test('a reader at the desktop that never reads holds nobody up', async () => {
    await using unit = new Unit({ clipboard: { mode: 'copy-out' } })
    const { client, compositor, gesture, copy } = await programOf(unit)
    await gesture(77)
    copy(['text/plain'], 77)
    await compositor.next('wl_data_device.set_selection')
    const { reader, writer } = descriptors.createPipe()._unsafeUnwrap()
    compositor.send(compositor.newest('wl_data_source'), 'send', 'text/plain', writer)
    const { args } = await client.next('wl_data_source.send')
    writer.close()
    const theirs = powers.pipes.forWriting(args[1] as Fd)._unsafeUnwrap()
    const block = new Uint8Array(65_536)
    for (let round = 0; round < 8; round++) {
      powers.pipes.write(theirs, block)
      await client.sync()
    }
    theirs.close()
    reader.close()
  })
})
