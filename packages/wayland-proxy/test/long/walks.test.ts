import type { ChildProcess } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { liveFds } from '@spectrum/unix-fd'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NEVER } from '../../src/policy/lists.js'
import { run } from '../hosts/desktop.js'
import { swayHost, westonHost } from '../hosts/hosts.js'
import { KEY } from '../hosts/keyboard.js'
import { type Host, Walk } from '../hosts/walk.js'

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
    for (const [terminal, argv, paste, copy] of [
      [
        'foot',
        () => [
          ...['foot', '--config=/dev/null', '--override=key-bindings.clipboard-paste=F5'],
          ...['--override=key-bindings.clipboard-copy=F6', shell()],
        ],
        [KEY.f5],
        [KEY.f6],
      ],
      [
        'weston-terminal',
        () => ['weston-terminal', `--shell=${shell()}`],
        [KEY.control, KEY.shift, KEY.v],
        [KEY.control, KEY.shift, KEY.c],
      ],
    ] as const) {
      test(`${terminal}: open, resize, menu, fullscreen, paste, copy, close`, async () => {
        await using walk = new Walk(host())
        await walk.opens(argv())
        await walk.isResized()
        // foot has none.
        if (terminal !== 'foot') await walk.opensAndClosesItsMenu()
        await walk.coversTheScreenAndComesBack()
        // weston-terminal names its terminal device to be pasted into, which may be no pipe.
        if (terminal === 'foot') await walk.pastes(typedWith(...paste), typed)
        else await walk.pastesNothing(typedWith(...paste))
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

    test('gtk3-demo-application: open, resize, menu, fullscreen, close', async () => {
      await using walk = new Walk(host())
      await walk.opens(['gtk3-demo-application'])
      await walk.isResized()
      await walk.opensAndClosesItsMenu('bar')
      await walk.coversTheScreenAndComesBack()
      await walk.closes(ends)
    })

    test('gtk4-demo-application: open, resize, menu, fullscreen, paste, copy, close', async () => {
      await using walk = new Walk(host())
      await walk.opens(['gtk4-demo-application'])
      await walk.isResized()
      await walk.opensAndClosesItsMenu('bar')
      await walk.coversTheScreenAndComesBack()
      await walk.pastes(
        async () => {
          await control(KEY.v)
          // So that what comes back is what this program copied.
          await host().keyboard.press(KEY.x)
        },
        async () => {
          await control(KEY.a)
          await control(KEY.c)
          return await walk.clipboard()
        },
        'said in the unitx',
      )
      await walk.keptItsClipboard()
      await walk.focus()
      await walk.closes(ends)
    })

    test('Xwayland: open, close', async () => {
      await using walk = new Walk(host())
      // As large as the screen: weston then has its band under its panel.
      const argv = ['Xwayland', name === 'sway' ? ':81' : ':82', '-nolisten', 'tcp', '-noreset']
      await walk.opensLarge(argv, name === 'sway')
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
      test('weston-simple-shm aborts, with the proxy and without: sway keeps both of its buffers', async () => {
        await using walk = new Walk(host())
        for (const environment of [host().desktop.environment(), walk.inside]) {
          const { code, output } = await run(['weston-simple-shm'], environment)
          expect(code).toBeNull()
          expect(output).toContain('Both buffers busy')
        }
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
