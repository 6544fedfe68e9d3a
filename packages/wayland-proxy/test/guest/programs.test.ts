import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { liveFds } from '@spectrum/unix-fd'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NEVER } from '../../src/policy/lists.js'
import { Desktop, run } from '../hosts/desktop.js'
import { HostKeyboard } from '../hosts/keyboard.js'
import { Screen } from '../hosts/screen.js'
import { RealUnit } from '../hosts/unit.js'
import { FakeClient } from '../peers/client.js'
import { descriptors } from '../peers/peer.js'

const identity = { titlePrefix: '[mail] ', appIdPrefix: 'unit.mail.' }
let sway: Desktop
let weston: Desktop
const before = liveFds()

beforeAll(async () => {
  ;[sway, weston] = await Promise.all([Desktop.sway(), Desktop.weston(true)])
})

afterAll(async () => {
  await Promise.all([sway?.[Symbol.asyncDispose](), weston?.[Symbol.asyncDispose]()])
  expect(liveFds()).toBe(before)
})

const frame = { label: 'mail', colour: '#a51d2d' }

/** What the policy keeps from a unit at any compositor: programs that fail, and say so. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  'grim takes no picture': ['grim', '/dev/null'],
  'weston-screenshooter takes none either': ['weston-screenshooter'],
  'wtype types nothing': ['wtype', 'x'],
  'wl-paste --watch watches nothing': ['wl-paste', '--watch', 'true'],
  'wlr-randr lists no monitor': ['wlr-randr'],
  'swaylock locks nothing': ['swaylock'],
  'kanshi arranges nothing': ['kanshi', '-c', '/dev/null'],
}

/** A compositor in a window of another hears of it by and by. */
async function hasKeyboard(desktop: Desktop): Promise<void> {
  const seat = async () => (await run(['wayland-info'], desktop.environment())).output
  await expect.poll(seat).toMatch(/capabilities:.* keyboard/)
}

/** A user with a keyboard, whom who copies needs, at sway. */
async function copiesWithin(desktop: Desktop): Promise<void> {
  using _keyboard = await HostKeyboard.at(sway)
  await hasKeyboard(desktop)
  await using unit = new RealUnit(desktop)
  const inside = desktop.environment(unit.socket)
  const copying = desktop.start(['wl-copy', '--foreground', 'said in the unit'], inside)
  const pasted = async () => (await run(['wl-paste', '--no-newline'], inside, 5_000)).output
  await expect.poll(pasted, { timeout: 60_000 }).toBe('said in the unit')
  const atTheDesktop = await run(['wl-paste', '--no-newline'], desktop.environment(), 5_000)
  expect(atTheDesktop.output).not.toContain('said in the unit')
  copying.kill()
  expect(unit.accidents).toEqual([])
}

describe.each(['sway', 'weston'] as const)('at %s', (host) => {
  const desktop = () => ({ sway, weston })[host]

  test('wayland-info sees what is offered, none of what is never offered, and no name of a monitor', async () => {
    await using unit = new RealUnit(desktop())
    const direct = await run(['wayland-info'], desktop().environment())
    const { code, output } = await run(['wayland-info'], desktop().environment(unit.socket))
    expect(code).toBe(0)
    const offered = (text: string) => [...text.matchAll(/interface: '([^']+)'/g)].map(([, name]) => name!)
    expect(offered(output)).toEqual(expect.arrayContaining(['wl_compositor', 'wl_shm', 'xdg_wm_base']))
    expect(offered(direct.output).filter((name) => name in NEVER)).not.toEqual([])
    expect(offered(output).filter((name) => name in NEVER)).toEqual([])
    const monitor = { sway: 'HEADLESS-1', weston: 'headless' }[host]
    expect(direct.output).toContain(monitor)
    expect(output).not.toContain(monitor)
    expect(unit.accidents).toEqual([])
  })

  test('memory that is cut off after it was looked at ends its own client, and nobody else', async () => {
    await using unit = new RealUnit(desktop(), { identity: { frame } })
    const client = new FakeClient(descriptors.connect(unit.socket, 'stream')._unsafeUnwrap())
    await client.start()
    const bytes = 300 * 300 * 4
    using memory = descriptors.createMemfd('cut', { size: bytes })._unsafeUnwrap()
    const pool = client.make(client.bind('wl_shm'), 'create_pool', memory.fd, bytes)
    const buffer = client.make(pool, 'create_buffer', 0, 300, 300, 300 * 4, 1)
    const surface = client.make(client.bind('wl_compositor'), 'create_surface')
    const xdg = client.make(client.bind('xdg_wm_base'), 'get_xdg_surface', surface)
    client.make(xdg, 'get_toplevel')
    client.send(surface, 'commit')
    const { args } = await client.next('xdg_surface.configure')
    client.send(xdg, 'ack_configure', args[0]!)
    await client.sync()
    memory.resize(0)._unsafeUnwrap()
    const show = () => {
      client.send(surface, 'attach', buffer, 0, 0)
      client.send(surface, 'damage', 0, 0, 300, 300)
      client.send(surface, 'commit')
      return unit.endings.map(({ message }) => message)
    }
    await expect.poll(show).toEqual(['wl_buffer, error 2: error accessing SHM buffer'])
    client.close()
    expect(desktop().running).toBe(true)
  })

  for (const [name, argv] of Object.entries(REFUSED)) {
    test(name, async () => {
      await using unit = new RealUnit(desktop())
      const { code, output } = await run(argv, desktop().environment(unit.socket))
      expect(code, output).not.toBe(0)
      expect(code, output).not.toBeNull()
      expect(desktop().running).toBe(true)
    })
  }
})

describe('at sway', () => {
  for (const [name, argv] of Object.entries({
    foot: ['foot', '--config=/dev/null', 'sh', '-c', 'printf "\\033]0;a\\342\\200\\256b\\007"; sleep 60'],
    'a GTK 3 program': ['gtk3-demo'],
    'a GTK 4 program': ['gtk4-demo'],
    'weston-terminal': ['weston-terminal'],
    Xwayland: ['Xwayland', ':77', '-nolisten', 'tcp', '-noreset'],
  })) {
    test(`${name} opens a window that says whose it is, is resized, covers the screen and closes`, async () => {
      await using unit = new RealUnit(sway, { identity })
      const child = sway.start(argv, sway.environment(unit.socket))
      const mine = async () => (await sway.windows()).find(({ title }) => title.startsWith('[mail] '))
      await expect.poll(mine, { message: JSON.stringify([unit.endings, unit.warnings]) }).toBeDefined()
      const window = (await mine())!
      expect(window.appId.startsWith('unit.mail.')).toBe(true)
      if (name === 'foot') await expect.poll(async () => (await mine())?.title).toBe('[mail] ab')
      await sway.swaymsg('[title="mail"] resize set 500 300')
      if (name !== 'Xwayland') {
        await expect.poll(async () => (await mine())!.width).toBeGreaterThan(400)
      }
      await sway.swaymsg('[title="mail"] fullscreen enable')
      await expect.poll(mine).toMatchObject({ fullscreen: true })
      await sway.swaymsg('[title="mail"] fullscreen disable')
      // Xwayland 22 does not hear that its window is to close.
      if (name === 'Xwayland') child.kill()
      else await sway.swaymsg('[title="mail"] kill')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      await expect.poll(mine).toBeUndefined()
      expect(unit.accidents).toEqual([])
      await expect.poll(() => unit.proxy.connections).toBe(0)
    })
  }

  test('what one program of a unit copies, another pastes, and the desktop never sees it', () =>
    copiesWithin(sway))

  test('weston-simple-shm draws, or aborts as it does without the proxy when sway keeps both of its buffers', async () => {
    await using unit = new RealUnit(sway, { identity: { frame } })
    const child = sway.start(['weston-simple-shm'], sway.environment(unit.socket))
    const outcome = () => child.signalCode ?? (unit.proxy.counters.requests > 100 ? 'draws' : '')
    await expect.poll(outcome).toMatch(/^(SIGABRT|draws)$/)
    child.kill()
    await expect.poll(() => unit.proxy.connections).toBe(0)
    expect(unit.accidents).toEqual([])
  })

  test('grim does take one without the proxy: it is the policy that stops it', async () => {
    const { code } = await run(['grim', join(sway.folder, 'picture.png')], sway.environment())
    expect(code).toBe(0)
  })
})

/** Shown with its whole frame, of which each pixel is looked at, until it is closed. `screen` is where it is seen. */
async function isShownInAFrame(
  desktop: Desktop,
  argv: readonly string[],
  screen: () => Promise<Screen>,
  inside?: (unit: RealUnit) => Promise<void>,
): Promise<void> {
  await using unit = new RealUnit(desktop, { identity: { frame } })
  let child: ChildProcess | undefined
  let [patience, until] = [2_000, 0]
  const frames = async () => (await screen()).frames(frame).length
  const opened = async () => {
    // weston places a window by its surface's origin, wherever: the band above it may be under the panel.
    if (performance.now() > until) {
      child?.kill('SIGKILL')
      child = desktop.start(argv, desktop.environment(unit.socket))
      patience *= 2
      until = performance.now() + patience
    }
    return await frames()
  }
  await expect.poll(opened, { timeout: 60_000 }).toBe(1)
  await expect.poll(() => unit.proxy.counters.requests).toBeGreaterThan(30)
  await inside?.(unit)
  expect(child!.exitCode).toBeNull()
  expect(unit.accidents).toEqual([])
  child!.kill()
  await expect.poll(() => unit.proxy.connections).toBe(0)
  await expect.poll(frames).toBe(0)
}

describe('at weston', () => {
  const screen = () => Screen.ofWeston(weston)

  for (const argv of [['weston-simple-shm'], ['weston-terminal'], ['gtk3-demo']]) {
    test(`${argv[0]} is shown in a frame`, () => isShownInAFrame(weston, argv, screen))
  }

  test('a weston of the unit’s own is shown in a frame, and an X program in its Xwayland', async () => {
    const log = join(weston.folder, 'nested.log')
    const argv = [
      ...['weston', '--backend=wayland-backend.so', '--use-pixman', '--width=640', '--height=400'],
      ...['--idle-time=0', '--xwayland', '--socket=wayland-9', `--log=${log}`],
    ]
    await isShownInAFrame(weston, argv, screen, async (unit) => {
      const display = () => /listening on display (:\d+)/.exec(readFileSync(log, 'utf8'))?.[1]
      await expect.poll(display).toBeDefined()
      const environment = { ...weston.environment(unit.socket), GDK_BACKEND: 'x11', DISPLAY: display() }
      const before = await screen()
      const program = weston.start(['gtk3-demo'], environment)
      await expect.poll(async () => (await screen()).differences(before)).toBeGreaterThan(10_000)
      program.kill()
    })
  })
})

describe('at weston with a user, which is a window of sway', () => {
  let inner: Desktop

  beforeAll(async () => {
    inner = await Desktop.westonIn(sway)
  })

  afterAll(async () => {
    await inner?.[Symbol.asyncDispose]()
  })

  for (const argv of [['foot', '--config=/dev/null'], ['gtk4-demo']]) {
    test(`${argv[0]} is shown in a frame`, async () => {
      using _keyboard = await HostKeyboard.at(sway)
      await hasKeyboard(inner)
      await isShownInAFrame(inner, argv, () => Screen.of(sway))
    })
  }

  test('what one program of a unit copies, another pastes, and the desktop never sees it', () =>
    copiesWithin(inner))
})

describe('the command', () => {
  const root = fileURLToPath(new URL('../../../../', import.meta.url))
  const command = (...argv: string[]) => [
    join(root, 'node_modules/.bin/tsx'),
    '--tsconfig',
    join(root, 'tsconfig.base.json'),
    join(root, 'packages/wayland-proxy/src/linux/spectrum-wayland.ts'),
    ...argv,
  ]

  test('runs a program behind a policy and exits with its status', async () => {
    const policy = join(sway.folder, 'policy.json')
    writeFileSync(policy, JSON.stringify({ seatName: 'unit-seat' }))
    const out = join(sway.folder, 'out')
    const shell = `wayland-info > ${out}; echo "[$DISPLAY]" >> ${out}; exit 7`
    const { code, output } = await run(
      command(
        ...['--policy', policy, '--compositor', sway.socket, '--security-context', 'mail'],
        ...['--', 'sh', '-c', shell],
      ),
      { ...sway.environment(), DISPLAY: ':0' },
      60_000,
    )
    expect(code, output).toBe(7)
    expect(readFileSync(out, 'utf8')).toContain('name: unit-seat')
    expect(readFileSync(out, 'utf8')).toContain('[]')
    expect(output).toContain(
      'without a security context: the compositor has no wp_security_context_manager_v1',
    )
    expect(output).toContain('W-GLOBAL-NEVER: zwlr_screencopy_manager_v1')
  })

  test('says what is wrong with a policy and starts nothing', async () => {
    const policy = join(sway.folder, 'wrong.json')
    writeFileSync(policy, '{"clipboard":{"mode":"open"}}')
    const { code, output } = await run(
      command('--policy', policy, '--', 'touch', `${policy}.ran`),
      sway.environment(),
      60_000,
    )
    expect(code).toBe(2)
    expect(output).toContain('/clipboard/mode must be one of')
  })
})
