import type { ChildProcess } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { liveFds } from '@spectrum/unix-fd'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { NEVER } from '../../src/policy/lists.js'
import { run } from '../hosts/desktop.js'
import { swayHost, westonHost } from '../hosts/hosts.js'
import { KEY } from '../hosts/keyboard.js'
import { type Host, Walk } from '../hosts/walk.js'

/*
 * What is walked at both hosts, by the user's mouse and keyboard. "-": the program has no such thing.
 *
 *                   open  resize  menu  fullscreen  paste      copy  close
 * foot              yes   yes     -     yes         yes        yes   yes
 * weston-terminal   yes   yes     yes   yes         refused 1  yes   yes
 * GTK 3, GTK 4      yes   yes     yes   yes         yes        yes   yes
 * weston-simple-shm yes 2 -       -     yes         -          -     yes
 * Xwayland          yes   -       - 3   refused 4   -          -     yes
 * X in a weston     yes   -       - 3   yes         -          -     yes
 *
 * 1: it wants it in its terminal device. 2: at weston; at sway it mostly aborts, without the proxy, too. 3: its menus
 * are parts of its own picture. 4: as large as the screen, it makes no room for its frame, and weston would cut it off.
 * paste: from another program of the unit; from the desktop after a gesture; and not from there when that is over.
 * copy: for another program of the unit, and not for the desktop.
 */
const before = liveFds()
const hosts: Partial<Record<'sway' | 'weston', Host>> = {}

beforeAll(async () => {
  hosts.sway = await swayHost()
  hosts.weston = await westonHost()
}, 120_000)

afterAll(async () => {
  for (const host of Object.values(hosts)) await host.close()
  expect(liveFds()).toBe(before)
})

for (const name of ['sway', 'weston'] as const) {
  const host = () => hosts[name]!
  const file = (leaf: string) => join(host().desktop.folder, leaf)
  const control = (...keys: number[]) => host().keyboard.press(KEY.control, ...keys)

  /** A program for a terminal: shows what can be copied, and keeps what is typed. */
  const shell = () => {
    const path = file('shell')
    const lines = 'copied copied copied copied copied copied copied copied'
    writeFileSync(
      path,
      `#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do echo ${lines}; done\ncat > ${file('typed')}\n`,
    )
    chmodSync(path, 0o755)
    writeFileSync(file('typed'), '')
    return path
  }
  const typed = () => readFileSync(file('typed'), 'utf8')
  const typedWith =
    (...keys: number[]) =>
    async () => {
      await host().keyboard.press(...keys)
      await host().keyboard.press(KEY.enter)
    }
  const copiedWith =
    (...keys: number[]) =>
    async (window: { x: number; y: number; width: number }) => {
      const { pointer, keyboard } = host()
      const [x, y] = [window.x + 120, window.y + 90]
      await pointer.click(x, y)
      await pointer.click(x, y)
      await keyboard.press(...keys)
    }

  describe(`at ${name}`, () => {
    for (const [terminal, argv, paste, copy, steps] of [
      [
        'foot',
        () => [
          ...['foot', '--config=/dev/null', '--override=key-bindings.clipboard-paste=F5'],
          ...['--override=key-bindings.clipboard-copy=F6', shell()],
        ],
        [KEY.f5],
        [KEY.f6],
        'resize, fullscreen, paste from the unit and from the desktop',
      ],
      [
        'weston-terminal',
        () => ['weston-terminal', `--shell=${shell()}`],
        [KEY.control, KEY.shift, KEY.v],
        [KEY.control, KEY.shift, KEY.c],
        'resize, menu, fullscreen, no paste',
      ],
    ] as const) {
      test(`${terminal}: open, ${steps}, copy, close`, async () => {
        await using walk = new Walk(host())
        await walk.opens(argv())
        await walk.isResized()
        // foot has none.
        if (terminal !== 'foot') await walk.opensAndClosesItsMenu()
        await walk.coversTheScreenAndComesBack()
        if (terminal === 'foot') {
          await walk.pastes(typedWith(...paste), typed)
          await walk.pastesFromTheDesktop(typedWith(...paste), typed)
        } else {
          // It names its terminal device to be pasted into, which may be no pipe.
          await walk.pastesNothing(typedWith(...paste))
        }
        await walk.copies(copiedWith(...copy), 'copied')
        await walk.keptItsClipboard()
        await walk.focus()
        await walk.closes(() => control(KEY.d))
      })
    }

    const ends = async (child: ChildProcess) => {
      if (name === 'sway') await host().desktop.swaymsg('[title="mail"] kill')
      else child.kill()
    }

    for (const gtk of ['gtk3', 'gtk4']) {
      test(`${gtk}-demo-application: open, resize, menu, fullscreen, paste from the desktop and in the unit, copy, close`, async () => {
        await using walk = new Walk(host())
        await walk.opens([`${gtk}-demo-application`])
        await walk.isResized()
        await walk.opensAndClosesItsMenu('bar')
        await walk.coversTheScreenAndComesBack()
        const paste = () => control(KEY.v)
        // In GTK 3 the other key for it shows who wrote the program.
        const all = () => control(KEY.slash)
        const typesAndSelects = async () => {
          await host().keyboard.press(KEY.x)
          await all()
        }
        // Of its own copy it would paste from then on. Where nothing is selected, who asks for it waits.
        const text = async () => {
          await typesAndSelects()
          return await walk.clipboard('--primary')
        }
        await walk.pastesFromTheDesktop(paste, text)
        await walk.pastes(paste, text)
        await walk.copies(async () => {
          await typesAndSelects()
          await control(KEY.c)
        }, 'x')
        await walk.keptItsClipboard()
        await walk.focus()
        await walk.closes(ends)
      })
    }

    /** A picture that moves, of an X program. */
    const moving = (display: string, inside: NodeJS.ProcessEnv) => {
      const environment = { ...inside, GDK_BACKEND: 'x11', DISPLAY: display, WAYLAND_DISPLAY: 'none' }
      return host().desktop.start(['gtk3-demo', '--run=pixbufs'], environment)
    }

    test('Xwayland, as large as the screen: open, no fullscreen, close', async () => {
      await using walk = new Walk(host())
      const display = name === 'sway' ? ':81' : ':82'
      await walk.opensLarge(['Xwayland', display, '-nolisten', 'tcp', '-noreset'], name === 'sway')
      const program = moving(display, walk.inside)
      await walk.moves()
      await walk.staysAWindow()
      await walk.moves()
      program.kill()
      await walk.closes(async (child) => void child.kill())
    })

    test('an X program in Xwayland in another weston: open, fullscreen, close', async () => {
      await using walk = new Walk(host())
      const log = file('nested.log')
      await walk.opens([
        ...['weston', '--backend=wayland-backend.so', '--use-pixman', '--width=640', '--height=400'],
        ...['--idle-time=0', '--xwayland', '--socket=wayland-9', `--log=${log}`],
      ])
      const display = await vi.waitUntil(
        () => /listening on display (:\d+)/.exec(readFileSync(log, 'utf8')),
        {
          timeout: 60_000,
        },
      )
      const program = moving(display[1]!, walk.inside)
      await walk.moves()
      await walk.coversTheScreenInItsSize()
      await walk.moves()
      program.kill()
      await walk.closes(async (child) => void child.kill())
    })

    if (name === 'weston') {
      test('weston-simple-shm, which has no menu and one size: open, fullscreen, close', async () => {
        await using walk = new Walk(host())
        await walk.opens(['weston-simple-shm'])
        await host().toggleFullscreen()
        await expect.poll(() => walk.frames()).toMatchObject([{ width: 258, x: 509 }])
        await walk.closes(async (child) => void child.kill('SIGINT'))
      })
    } else {
      test('weston-simple-shm, with the proxy and without: draws, or aborts when sway keeps both of its buffers', async () => {
        await using walk = new Walk(host())
        const inside = walk.inside
        for (const environment of [host().desktop.environment(), inside]) {
          const child = host().desktop.start(['weston-simple-shm'], environment)
          const draws = () => environment !== inside || walk.unit.proxy.counters.requests > 100
          const titled = async () => (await host().titles()).length > 0 && draws()
          await expect.poll(async () => child.signalCode === 'SIGABRT' || (await titled())).toBe(true)
          child.kill()
          await expect.poll(() => host().titles()).toEqual([])
        }
        expect(walk.unit.accidents).toEqual([])
      })
    }

    test('wayland-info sees none of what is never offered', async () => {
      await using walk = new Walk(host())
      const { code, output } = await run(['wayland-info'], walk.inside)
      expect(code).toBe(0)
      const offered = [...output.matchAll(/interface: '([^']+)'/g)].map(([, one]) => one!)
      expect(offered).toEqual(expect.arrayContaining(['wl_compositor', 'wl_seat', 'xdg_wm_base']))
      expect(offered.filter((one) => one in NEVER)).toEqual([])
    })

    for (const argv of [
      ['grim', '/dev/null'],
      ['wtype', 'x'],
      ['wl-paste', '--watch', 'true'],
      ['wlr-randr'],
      ['swaylock'],
      ['kanshi', '-c', '/dev/null'],
      ['weston-screenshooter'],
    ]) {
      test(`${argv[0]} is refused`, async () => {
        await using walk = new Walk(host())
        const { code, output } = await run(argv, walk.inside)
        expect(code, output).not.toBe(0)
        expect(code, output).not.toBeNull()
        expect(host().desktop.running).toBe(true)
      })
    }
  })
}
