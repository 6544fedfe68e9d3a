/**
 * A unit under crosvm whose windows come to a desktop through virtio-gpu's cross-domain contexts and its proxy. Run in
 * the lab by `cross-domain.test.ts`, where KVM is real; prints one JSON object a line, so that one that ends too early has
 * said how far it came. Argument: `{ binary, program, proxy }`, the last one a script.
 */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { crosvmMonitor } from '@spectrum/unit-monitor'
import { linuxCrosvmPowers, linuxPowers } from '@spectrum/unit-monitor/linux'
import {
  closure,
  compose,
  defineUnit,
  nixStore,
  openHostWith,
  type SpawnOptions,
} from '@spectrum/unit-runtime'
import { findGuestKernel, linuxHostPowers } from '@spectrum/unit-runtime/linux'
import { unixFd } from '@spectrum/unix-fd/linux'
import { readPolicy, UnitDisplay } from '@spectrum/wayland-proxy'
import { Desktop, run } from '../../../wayland-proxy/test/hosts/desktop.js'
import { HostKeyboard, KEY } from '../../../wayland-proxy/test/hosts/keyboard.js'
import { Screen } from '../../../wayland-proxy/test/hosts/screen.js'

const { binary, program, proxy } = JSON.parse(process.argv[2]!) as {
  readonly binary: string
  readonly program: string
  readonly proxy: string
}
/** Two machines stand around this one, and the outer one is emulated. */
const PATIENT = { deadlineMs: 500_000 }
const LONG_MS = 180_000
const FRAME = { label: 'ledger', colour: '#2a6ad0' }
const COLOUR = 0xff33cc66
const began = performance.now()
const say = (what: object) =>
  process.stdout.write(`${JSON.stringify({ ...what, ms: Math.round(performance.now() - began) })}\n`)
/** Read only when the program ends otherwise than it should. */
const tell = (who: string, what: string) =>
  process.stderr.write(`${Math.round(performance.now() - began)} ms: ${who}: ${what}\n`)

type Maybe<T> = T | false | undefined
async function until<T>(what: string, ask: () => Maybe<T> | Promise<Maybe<T>>): Promise<T> {
  for (const end = performance.now() + LONG_MS; ; await sleep(200)) {
    const answer = await ask()
    if (answer) return answer
    if (performance.now() > end) throw new Error(`${what}: not within ${LONG_MS} ms`)
  }
}

// The jail of crosvm's GPU shows the device all of /usr/lib, which must then be of one piece. A lab mounts its modules there.
for (const [path] of readFileSync('/proc/mounts', 'latin1').matchAll(/(?<= )\/usr\/lib\/\S+/g))
  execFileSync('umount', [path], { timeout: 100_000, killSignal: 'SIGKILL' })

const desktop = await Desktop.sway()
// The proxy has no capability to enter what is another user's.
chmodSync(desktop.runtime, 0o755)
chmodSync(desktop.socket, 0o777)
const keyboard = await HostKeyboard.at(desktop)
say({ desktop: 'sway' })

const folder = mkdtempSync('/tmp/cross-domain-')
const descriptors = unixFd()._unsafeUnwrap()
const { clock, processes } = linuxPowers()
let proxyPid = 0
const display = (
  await UnitDisplay.open(
    {
      clock,
      processes: {
        spawn: async (request) => {
          const started = await processes.spawn(request)
          proxyPid = started.pid
          return started
        },
      },
      writeFile: async (path, text) => writeFileSync(path, text),
      removeFile: async (path) => rmSync(path, { force: true }),
      connect: (path) => descriptors.connect(path, 'stream'),
      program: { file: process.execPath, argv: [proxy], environment: {} },
    },
    {
      unit: 'ledger',
      directory: folder,
      upstream: desktop.socket,
      crossDomain: true,
      policy: readPolicy({
        identity: { titlePrefix: '[ledger] ', appIdPrefix: 'unit.ledger.', frame: FRAME },
        clipboard: { mode: 'both' },
        limits: { registries: 150 },
      })._unsafeUnwrap(),
      onLine: (line) => tell('proxy', line),
    },
    AbortSignal.timeout(LONG_MS),
  )
)._unsafeUnwrap()
/** What it holds: descriptors of any kind, or sockets alone. */
const heldByProxy = (kind = '') =>
  readdirSync(`/proc/${proxyPid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${proxyPid}/fd/${fd}`).startsWith(kind)
    } catch {
      return false // It was closed meanwhile.
    }
  }).length
/** The number at which it stays. */
async function settled(count: () => number): Promise<number> {
  let last = count()
  for (let quiet = 0; quiet < 5; await sleep(200)) {
    const now = count()
    quiet = now === last ? quiet + 1 : 0
    last = now
  }
  return last
}
// That it serves has been tried by a connection, whose end it may not have seen yet.
const idle = await settled(() => heldByProxy('socket:'))
say({ proxied: readdirSync(folder) })

const root = mkdtempSync('/tmp/cross-domain-host-')
const places = { state: `${root}/state`, cache: `${root}/cache` }
const kernel = (await findGuestKernel(process.env, places.cache))._unsafeUnwrap()
const powers = linuxHostPowers(places, kernel, 'kvm')
const host = (
  await openHostWith(
    {
      ...powers,
      guest: {
        ...powers.guest,
        initramfs: (signal, needs) => powers.guest.initramfs(signal, { ...needs, display: true }),
      },
      // It is not chosen by a trial: here a trial takes longer than anybody would wait elsewhere.
      chooseMonitor: (given) =>
        linuxCrosvmPowers(given)
          .map((more) => {
            const monitor = crosvmMonitor(more, { binary })
            const start: typeof monitor.start = (machine, options) =>
              monitor.start({ ...machine, display: { socket: display.socket } }, options)
            return { monitor: { ...monitor, start }, why: 'it is the one to be tried', considered: [] }
          })
          .asyncMap(async (chosen) => chosen),
    },
    places,
    { store: nixStore(), ...PATIENT },
  )
)._unsafeUnwrap()
host.events.on('step', ({ unit, step }) => tell(unit, step))
host.events.on('log', ({ unit, text }) => tell(unit, text))
const definition = defineUnit('ledger', { store: closure(program) })
const { ledger: unit } = (
  await host.start(compose({ ledger: definition })._unsafeUnwrap(), PATIENT)
)._unsafeUnwrap()
const commandOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')
const [monitor] = unit.processes
say({
  argv: commandOf(monitor!.pid).filter((word) => /^--(gpu|wayland|disable|seccomp)/.test(word)),
  roles: unit.processes.map(({ role }) => role),
})

const talk = (...argv: readonly string[]) => [`${program}/bin/cross-domain`, ...argv]
/** The lines of a program that ends by itself. */
async function linesOf(...argv: readonly string[]): Promise<readonly string[]> {
  const ran = (await unit.exec(talk(...argv), PATIENT))._unsafeUnwrap()
  return new TextDecoder().decode(ran.stdout).trim().split('\n')
}
/** One that stays, and what it has said so far. */
async function stays(...argv: readonly string[]) {
  const options: SpawnOptions = { stdin: 'open' }
  const running = (await unit.spawn(talk(...argv), options))._unsafeUnwrap()
  const lines: string[] = []
  void (async () => {
    let left = ''
    for await (const bytes of running.stdout) {
      const parts = (left + new TextDecoder().decode(bytes)).split('\n')
      left = parts.pop()!
      lines.push(...parts)
    }
  })()
  const hears = (start: string) =>
    until(`"${start}" after ${JSON.stringify(lines)}`, () => lines.find((line) => line.startsWith(start)))
  return { running, lines, hears }
}

const globals = await linesOf('globals')
say({ globals })

// A window, with what a user sees of it and does to it.
const window = await stays('window', '33cc66')
await window.hears('shown')
const [seen] = await until('the window', async () => {
  const windows = await desktop.windows()
  return windows.length > 0 && windows
})
say({ seen })
const pictured = await until('its frame and its pixels', async () => {
  const screen = await Screen.of(desktop)
  const { x, y, width, height } = seen!.content
  const middle = screen.pixel(x + Math.floor(width / 2), y + Math.floor(height / 2))
  return screen.isFramed(seen!.content, FRAME) && middle === COLOUR && { width, height, middle }
})
say({ pictured })
const keymap = await window.hears('keymap')
await window.hears('entered')
await keyboard.press(KEY.c)
const key = await window.hears('key ')
say({ keymap, key })
await window.running.stdin!.write(new TextEncoder().encode('copy said in the unit\n'))
const pasted = await until('what was copied', async () => {
  const { code, output } = await run(['wl-paste', '--no-newline'], desktop.environment(), 30_000)
  return code === 0 && output
})
say({ pasted, sent: await window.hears('sent') })

// What a hostile program tries beside it.
const hidden = 'zwlr_screencopy_manager_v1'
say({ registries: await linesOf('registries', '100'), flood: await linesOf('registries', '200') })
say({ guessed: await linesOf('bind', '1000', hidden) })
say({
  disguised: await linesOf('bind', globals.find((line) => line.includes('wl_shm'))!.split(' ')[1]!, hidden),
})
say({ many: await linesOf('pools', '28') })
// wl_display.sync with a size that is no multiple of four, and a request of an object that never was.
say({ unaligned: await linesOf('bytes', '0100000000000d00020000000000000000') })
say({ nobody: await linesOf('bytes', '2a00000001000800') })
say({ beside: (await desktop.windows()).map(({ title }) => title) })

// An end, and what is left.
;(await window.running.signal(9))._unsafeUnwrap()
await until('the end of the window', async () => (await desktop.windows()).length === 0)
await until('the end of its connection', () => heldByProxy('socket:') === idle)
const after = await settled(heldByProxy)
const again = await stays('window', '33cc66')
await again.hears('shown')
const end = (await unit.stop({ graceMs: 120_000 }))._unsafeUnwrap()
await until('the end of all windows', async () => (await desktop.windows()).length === 0)
await until('the end of all that it held', () => heldByProxy() === after)
;(await host.stop())._unsafeUnwrap()
await display.close()
rmSync(folder, { recursive: true })
say({
  end,
  leftovers: (await host.leftovers())._unsafeUnwrap(),
  proxy: existsSync(`/proc/${proxyPid}`),
})
keyboard[Symbol.dispose]()
await desktop[Symbol.asyncDispose]()
say({ finished: true })
