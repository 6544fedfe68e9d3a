import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { liveFds } from '@spectrum/unix-fd'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NEVER } from '../../src/policy/lists.js'
import { Desktop, run } from '../hosts/desktop.js'
import { Screen } from '../hosts/screen.js'
import { RealUnit } from '../hosts/unit.js'

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

describe('at sway', () => {
  test('wayland-info sees what is offered, none of what is never offered, and no name of a monitor', async () => {
    await using unit = new RealUnit(sway)
    const direct = await run(['wayland-info'], sway.environment())
    const { code, output } = await run(['wayland-info'], sway.environment(unit.socket))
    expect(code).toBe(0)
    const offered = [...output.matchAll(/interface: '([^']+)'/g)].map(([, name]) => name!)
    expect(offered).toEqual(expect.arrayContaining(['wl_compositor', 'wl_shm', 'wl_seat', 'xdg_wm_base']))
    expect(offered.filter((name) => name in NEVER)).toEqual([])
    expect(direct.output).toContain('HEADLESS-1')
    expect(output).not.toContain('HEADLESS-1')
    expect(unit.accidents).toEqual([])
  })

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

  test('what one program of a unit copies, another pastes, and the desktop never sees it', async () => {
    await using unit = new RealUnit(sway)
    // A keyboard for the seat, as long as it sleeps.
    const keyboard = sway.start(['wtype', '-s', '60000', '-k', 'Shift_L'], sway.environment())
    const inside = sway.environment(unit.socket)
    const copying = sway.start(['wl-copy', '--foreground', 'said in the unit'], inside)
    const pasted = async () => (await run(['wl-paste', '--no-newline'], inside, 5_000)).output
    await expect.poll(pasted, { timeout: 60_000 }).toBe('said in the unit')
    const atTheDesktop = await run(['wl-paste', '--no-newline'], sway.environment(), 5_000)
    expect(atTheDesktop.output).not.toContain('said in the unit')
    copying.kill()
    keyboard.kill()
    expect(unit.accidents).toEqual([])
  })

  for (const [name, argv] of Object.entries({
    'grim takes no picture': ['grim', '/dev/null'],
    'wtype types nothing': ['wtype', 'x'],
    'wl-paste --watch watches nothing': ['wl-paste', '--watch', 'true'],
    'wlr-randr lists no monitor': ['wlr-randr'],
    'swaylock locks nothing': ['swaylock'],
    'kanshi arranges nothing': ['kanshi', '-c', '/dev/null'],
  })) {
    test(name, async () => {
      await using unit = new RealUnit(sway)
      const { code, output } = await run(argv, sway.environment(unit.socket))
      expect(code, output).not.toBe(0)
      expect(code, output).not.toBeNull()
      expect(sway.running).toBe(true)
    })
  }

  test('grim does take one without the proxy: it is the policy that stops it', async () => {
    const { code } = await run(['grim', join(sway.folder, 'picture.png')], sway.environment())
    expect(code).toBe(0)
  })
})

describe('at weston', () => {
  for (const argv of [['weston-simple-shm'], ['weston-terminal'], ['gtk3-demo']]) {
    test(`${argv[0]} shows itself in a frame, by pixels, and goes on`, async () => {
      const frame = { label: 'mail', colour: '#a51d2d' }
      await using unit = new RealUnit(weston, { identity: { frame } })
      const child = weston.start(argv, weston.environment(unit.socket))
      const frames = async () => (await Screen.ofWeston(weston)).frames(frame).length
      await expect.poll(frames).toBe(1)
      await expect.poll(() => unit.proxy.counters.requests).toBeGreaterThan(30)
      expect(child.exitCode).toBeNull()
      expect(unit.accidents).toEqual([])
      child.kill()
      await once(child, 'exit')
      await expect.poll(() => unit.proxy.connections).toBe(0)
      await expect.poll(frames).toBe(0)
    })
  }
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
