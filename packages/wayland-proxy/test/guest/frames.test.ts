import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { liveFds } from '@spectrum/unix-fd'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Desktop, run } from '../hosts/desktop.js'
import { HostKeyboard, KEY } from '../hosts/keyboard.js'
import { HostPointer, RIGHT } from '../hosts/pointer.js'
import { Screen } from '../hosts/screen.js'
import { RealUnit } from '../hosts/unit.js'
import { FakeClient } from '../peers/client.js'
import { descriptors } from '../peers/peer.js'

const frame = { label: 'mail', colour: '#a51d2d' }
const identity = { titlePrefix: '[mail] ', appIdPrefix: 'unit.mail.', frame }
const before = liveFds()
let sway: Desktop
let pointer: HostPointer

beforeAll(async () => {
  sway = await Desktop.sway()
  pointer = await HostPointer.at(sway)
  await pointer.moveTo(...OUT_OF_THE_WAY)
})

afterAll(async () => {
  pointer?.[Symbol.dispose]()
  await sway?.[Symbol.asyncDispose]()
  expect(liveFds()).toBe(before)
})

const windows = async () => (await sway.windows()).filter(({ title }) => title.startsWith('[mail] '))

/** Whether the one window of the unit has its whole frame on the screen now. */
async function isFramed(): Promise<boolean> {
  const [window] = await windows()
  return window !== undefined && (await Screen.of(sway)).isFramed(window.content, frame)
}

const framesShown = async () => (await Screen.of(sway)).frames(frame)

/** Where the pointer's image covers no frame. */
const OUT_OF_THE_WAY = [300, 560] as const

interface Walk {
  readonly argv: readonly string[]
  /** Where in the window a press of the right button opens a menu. */
  readonly menu?: readonly [number, number]
}

const WALKS: Readonly<Record<string, Walk>> = {
  foot: { argv: ['foot', '--config=/dev/null'] },
  'a GTK 3 program': { argv: ['gtk3-demo'], menu: [400, 180] },
  'a GTK 4 program': { argv: ['gtk4-demo'], menu: [600, 400] },
  'weston-terminal': { argv: ['weston-terminal'], menu: [300, 180] },
}

for (const [name, { argv, menu }] of Object.entries(WALKS)) {
  test(`${name} keeps its frame when it opens, is resized${menu ? ', opens a menu' : ''}, covers the screen, and closes`, async () => {
    await using unit = new RealUnit(sway, { identity })
    const child = sway.start(argv, sway.environment(unit.socket))
    await expect.poll(isFramed, { message: 'as it opens' }).toBe(true)
    await sway.swaymsg('[title="mail"] resize set 800 560, move position 100 60')
    await expect.poll(isFramed, { message: 'resized' }).toBe(true)
    if (menu) {
      // A busy program overlooks a press now and then, as users know.
      const until = async (frames: number, press: () => Promise<void>) => {
        const pressed = async () => {
          if ((await framesShown()).length === frames) return true
          await press()
          await pointer.moveTo(...OUT_OF_THE_WAY)
          return false
        }
        await expect.poll(pressed, { interval: 500, message: `${frames} frames` }).toBe(true)
      }
      await until(2, () => pointer.click(100 + menu[0], 60 + menu[1], RIGHT))
      await until(1, () => pointer.click(...OUT_OF_THE_WAY))
    }
    await sway.swaymsg('[title="mail"] fullscreen enable')
    const whole = { x: 0, y: 0, width: 1_280, height: 720 }
    await expect.poll(framesShown, { message: 'in fullscreen' }).toEqual([whole])
    await sway.swaymsg('[title="mail"] fullscreen disable')
    await expect.poll(isFramed, { message: 'back from fullscreen' }).toBe(true)
    await sway.swaymsg('[title="mail"] kill')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    await expect.poll(windows).toEqual([])
    expect(unit.accidents).toEqual([])
  })
}

test('a frame is as sharp as its window on a dense screen, and has the same size', async () => {
  await sway.swaymsg('output * scale 2')
  await using unit = new RealUnit(sway, { identity })
  sway.start(['foot', '--config=/dev/null'], sway.environment(unit.socket))
  const isSharp = async () => {
    const [window] = await windows()
    return window !== undefined && (await Screen.of(sway)).hasBand(window.content, frame, 2)
  }
  await expect.poll(isSharp).toBe(true)
  await sway.swaymsg('[title="mail"] kill')
  await expect.poll(windows).toEqual([])
  await sway.swaymsg('output * scale 1')
})

test('a window is moved by its band and resized at its edge', async () => {
  await using unit = new RealUnit(sway, { identity })
  sway.start(['foot', '--config=/dev/null'], sway.environment(unit.socket))
  await expect.poll(isFramed).toBe(true)
  await sway.swaymsg('[title="mail"] resize set 800 560, move position 100 60')
  await expect.poll(isFramed).toBe(true)
  const place = async () => (await windows())[0]!.content
  const carried = () => unit.proxy.counters.events + unit.proxy.counters.requests
  /** The proxy answers a press with a request of its own, in the same turn. */
  const pressed = () => {
    const before = carried()
    return async () => {
      const isPress = (line: string) => /<- wl_pointer@\d+\.button/.test(line)
      const since = () => {
        const lines = unit.proxy.recentMessages()
        return lines.slice(Math.max(0, lines.length - (carried() - before)))
      }
      await expect.poll(() => since().some(isPress), { message: 'the press' }).toBe(true)
    }
  }
  await pointer.drag([500, 70], [550, 110], pressed())
  await expect.poll(place).toMatchObject({ x: 150, y: 100, width: 800 })
  await pointer.drag([948, 400], [988, 400], pressed())
  await expect.poll(place).toMatchObject({ x: 150, y: 100, width: 840 })
  await pointer.moveTo(...OUT_OF_THE_WAY)
  await expect.poll(isFramed).toBe(true)
  await sway.swaymsg('[title="mail"] kill')
  await expect.poll(windows).toEqual([])
})

test('what is copied in the unit is pasted into a framed terminal of the unit', async () => {
  await using unit = new RealUnit(sway, { identity })
  const inside = sway.environment(unit.socket)
  const file = join(sway.folder, 'typed')
  const paste = '--override=key-bindings.clipboard-paste=F5'
  sway.start(['foot', '--config=/dev/null', paste, 'sh', '-c', `cat > ${file}`], inside)
  await expect.poll(isFramed).toBe(true)
  // Who copies needs the keyboard.
  using keyboard = await HostKeyboard.at(sway)
  const copying = sway.start(['wl-copy', '--foreground', 'said in the unit'], inside)
  const pasted = async () => (await run(['wl-paste', '--no-newline'], inside, 5_000)).output
  await expect.poll(pasted).toBe('said in the unit')
  await expect.poll(windows).toHaveLength(1)
  const typed = async () => {
    await keyboard.press(KEY.f5)
    await keyboard.press(KEY.enter)
    return readFileSync(file, 'utf8')
  }
  await expect.poll(typed, { interval: 300 }).toContain('said in the unit')
  copying.kill()
  await sway.swaymsg('[title="mail"] kill')
  await expect.poll(windows).toEqual([])
})

test('Xwayland, which keeps its size whatever it is told, shows its label in fullscreen all the same', async () => {
  await using unit = new RealUnit(sway, { identity })
  const child = sway.start(['Xwayland', ':78', '-nolisten', 'tcp', '-noreset'], sway.environment(unit.socket))
  await expect.poll(windows).toHaveLength(1)
  await sway.swaymsg('[title="mail"] fullscreen enable')
  await expect.poll(windows).toMatchObject([{ fullscreen: true }])
  await expect
    .poll(async () => (await Screen.of(sway)).hasBand({ x: 0, y: 0, width: 1_280, height: 720 }, frame))
    .toBe(true)
  child.kill()
  await expect.poll(windows).toEqual([])
})

test('a hostile window without a title, under a larger subsurface, cannot show a pixel outside of its frame', async () => {
  await using unit = new RealUnit(sway, { identity })
  const client = new FakeClient(descriptors.connect(unit.socket, 'stream')._unsafeUnwrap())
  await client.start()
  const compositor = client.bind('wl_compositor')
  const pixels = new Uint32Array(600 * 600).fill(0xff00ff00)
  const memfd = descriptors.createMemfd('green', { size: 0 })._unsafeUnwrap()
  memfd.write(new Uint8Array(pixels.buffer))._unsafeUnwrap()
  const shm = client.bind('wl_shm')
  const pool = client.id()
  client.send(shm, 'create_pool', pool, memfd.fd, pixels.length * 4)
  const buffer = (size: number) => client.make(pool, 'create_buffer', 0, size, size, size * 4, 1)
  const surface = client.make(compositor, 'create_surface')
  const shell = client.bind('xdg_wm_base')
  const xdg = client.make(shell, 'get_xdg_surface', surface)
  client.make(xdg, 'get_toplevel')
  client.send(surface, 'commit')
  const { args } = await client.next('xdg_surface.configure')
  client.send(xdg, 'ack_configure', args[0]!)
  const cover = client.make(compositor, 'create_surface')
  const subcompositor = client.bind('wl_subcompositor')
  const part = client.make(subcompositor, 'get_subsurface', cover, surface)
  client.send(part, 'set_position', -100, -100)
  client.send(part, 'place_above', surface)
  client.send(cover, 'attach', buffer(600), 0, 0)
  client.send(cover, 'commit')
  client.send(xdg, 'set_window_geometry', 0, 0, 50, 50)
  client.send(surface, 'attach', buffer(100), 0, 0)
  client.send(surface, 'damage', 0, 0, 100, 100)
  client.send(surface, 'commit')
  await client.sync()
  await expect.poll(isFramed).toBe(true)
  const [window] = await windows()
  expect(window!.title).toBe('[mail] ')
  const screen = await Screen.of(sway)
  expect(screen.shows(0xff00ff00, window!.content)).toBe(false)
  expect(screen.pixel(window!.content.x + 10, window!.content.y + 30)).toBe(0xff00ff00)
  memfd.close()
  client.close()
  await expect.poll(windows).toEqual([])
  expect(unit.accidents).toEqual([])
})
