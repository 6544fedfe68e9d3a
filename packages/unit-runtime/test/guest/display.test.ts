import { chmodSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Programs, windowPrograms } from '../../../../examples/windows/src/programs.js'
import { INSETS } from '../../../wayland-proxy/src/frame/picture.js'
import { Desktop, type Rectangle } from '../../../wayland-proxy/test/hosts/desktop.js'
import { Screen } from '../../../wayland-proxy/test/hosts/screen.js'
import { Display, displayService } from '../../src/display.js'
import { type CallEvent, closure, compose, defineUnit, fromHost, type Unit } from '../../src/index.js'
import { nothing, RealHost } from './real-host.js'

const frame = { label: 'letters', colour: '#2a6ad0' }
const lines: string[] = []
const calls: CallEvent[] = []
let tools: Programs
let sway: Desktop
let real: RealHost
let mail: Unit

beforeAll(async () => {
  tools = await windowPrograms(['/usr/bin/waypipe', '/usr/bin/weston-flower'])
  sway = await Desktop.sway()
  // sway runs as nobody, whose socket even root may not enter without capabilities.
  chmodSync(sway.runtime, 0o755)
  chmodSync(sway.socket, 0o777)
  const display = displayService({
    upstream: sway.socket,
    units: { mail: frame },
    onLine: (unit, text) => lines.push(`${unit}: ${text}`),
  })._unsafeUnwrap()
  const graph = compose({
    mail: defineUnit('mail', { store: closure(tools.path), needs: { display: Display } }),
  })
    .wire({ mail: { display: fromHost(Display, 'display') } })
    ._unsafeUnwrap()
  real = await RealHost.open('display', { services: { display } })
  real.host.events.on('call', (event) => calls.push(event))
  mail = (await real.host.start(graph))._unsafeUnwrap().mail
})

afterAll(async () => {
  await real?.[Symbol.asyncDispose]()
  await sway?.[Symbol.asyncDispose]()
})

/** A program of the unit that finds a Wayland socket, whose other end is the host's. */
const show = async (program: string) => {
  const socket = ['--socket', '/run/spectrum/services/display', '--display', 'wayland-0']
  const options = ['--no-gpu', '--threads', '1', ...socket]
  const argv = tools.argv('waypipe', ...options, 'server', '--', ...tools.argv(program))
  const env = { ...tools.env, XDG_RUNTIME_DIR: '/tmp' }
  return (await mail.spawn(argv, { env }))._unsafeUnwrap()
}

/** Processes of the host's displays. */
const running = async () => (await real.remains()).processes.filter((line) => /waypipe|wayland/.test(line))

const windows = async () => (await sway.windows()).map(({ title, appId }) => `${title} ${appId}`)

it('shows the window of a program in a unit: with its frame, its title and its content, by pixels', async () => {
  await show('weston-flower')
  await expect
    .poll(windows, { timeout: 120_000 })
    .toEqual(['[letters] Flower unit.mail.org.freedesktop.weston.flower'])
  const shown = async () => {
    const [window] = await sway.windows()
    const screen = await Screen.of(sway)
    return window !== undefined && screen.isFramed(window.content, frame) && drawn(screen, window.content)
  }
  await expect.poll(shown, { timeout: 60_000 }).toBe(true)
  expect(calls).toMatchObject([{ kind: 'allowed', unit: 'mail', need: 'display' }])
  await expect
    .poll(() => lines.join())
    .toContain('mail: spectrum-wayland: W-GLOBAL-NEVER: zwlr_screencopy_manager_v1')
})

/** Whether there is more than one colour within the frame. */
function drawn(screen: Screen, { x, y, width, height }: Rectangle): boolean {
  const colours = new Set<number>()
  for (let row = INSETS.top; row < height - INSETS.bottom; row++)
    for (let column = INSETS.left; column < width - INSETS.right; column++)
      colours.add(screen.pixel(x + column, y + row))
  return colours.size > 10
}

it('reads what the unit says in processes that have no power at all', async () => {
  const found = await running()
  expect(found.map((line) => /waypipe|spectrum-wayland/.exec(line)![0]).sort()).toEqual([
    'spectrum-wayland',
    'waypipe',
  ])
  for (const line of found) {
    const status = await readFile(`/proc/${Number.parseInt(line, 10)}/status`, 'utf8')
    expect(status).toMatch(/^CapEff:\s+0+$/m)
    expect(status).toMatch(/^CapBnd:\s+0+$/m)
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m)
  }
})

it('ends with the unit: its window, and what served it', async () => {
  for (const { pid } of mail.processes) process.kill(pid, 'SIGKILL')
  await expect.poll(windows).toEqual([])
  await expect.poll(running).toEqual([])
  await expect.poll(() => calls.at(-1)).toMatchObject({ kind: 'ended', end: { kind: 'caller-gone' } })
  ;(await real.host.stop())._unsafeUnwrap()
  expect(await real.remains()).toEqual(nothing)
})
