import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HeadlessDesktop, pause } from './headless-desktop.js'
import { windowPrograms } from './programs.js'
import { showWindows } from './windows.js'

const programs = await windowPrograms(['waypipe', 'weston-flower'].map((name) => `/usr/bin/${name}`))
const interrupted = new AbortController()
process.on('SIGINT', () => interrupted.abort())

/** Resolves when the user has seen enough. */
const interruption = () =>
  new Promise<void>((resolve) => interrupted.signal.addEventListener('abort', () => resolve()))

async function onHeadlessDesktop(picture: string) {
  await using desktop = await HeadlessDesktop.open()
  const look = async () => {
    while ((await desktop.titles()).length < 2 && !interrupted.signal.aborted) await pause(200)
    // Windows are there before they are drawn.
    await pause(2_000)
    await desktop.picture(picture)
    process.stdout.write(`${(await desktop.titles()).join('\n')}\n${picture}\n`)
  }
  return await showWindows(programs, { upstream: desktop.socket, look, signal: interrupted.signal })
}

async function onThisDesktop() {
  const upstream = join(process.env['XDG_RUNTIME_DIR'] ?? '/', process.env['WAYLAND_DISPLAY'] ?? 'wayland-0')
  return await showWindows(programs, { upstream, look: interruption, signal: interrupted.signal })
}

const [word] = process.argv.slice(2)
const picture = word === '--headless' ? join(await mkdtemp(join(tmpdir(), 'windows-')), 'picture.png') : word
const shown = picture === undefined ? await onThisDesktop() : await onHeadlessDesktop(picture)
if (shown.isErr()) {
  process.stderr.write(`${shown.error.message}\n`)
  process.exitCode = 1
}
