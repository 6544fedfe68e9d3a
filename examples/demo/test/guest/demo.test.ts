import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { buildDemoClosures } from '../../src/closures.js'
import type { DemoReport } from '../../src/report.js'

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

let state: string

beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'spectrum-demo-'))
})

afterEach(async () => {
  await rm(state, { recursive: true, force: true })
})

/** Runs the demonstration as a person would; `onLine` sees its output as it comes. */
function demo(words: readonly string[], onLine: (line: string, kill: () => void) => void = () => {}) {
  const child = spawn(process.execPath, ['--import', 'tsx', main, ...words], {
    cwd: root,
    env: { ...process.env, XDG_STATE_HOME: state, TSX_TSCONFIG_PATH: join(root, 'tsconfig.base.json') },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (bytes: Buffer) => {
    stdout += bytes
    for (const line of bytes.toString().split('\n')) onLine(line, () => child.kill('SIGINT'))
  })
  child.stderr.on('data', (bytes: Buffer) => {
    stderr += bytes
  })
  return new Promise<{ status: number | null; stdout: string; stderr: string }>((resolve) =>
    child.on('close', (status) => resolve({ status, stdout, stderr })),
  )
}

/** Directories of hosts that were not removed. */
const hosts = () => readdir(join(state, 'spectrum', 'hosts')).catch(() => [])

const baseName = (path: string) => path.slice(path.lastIndexOf('/') + 1)

describe('the demonstration', () => {
  test('shows two units with exactly their closures, one copy of what they share, an injection, and leaves nothing', async () => {
    const { status, stdout, stderr } = await demo(['--json'])
    expect(stderr).toBe('')
    expect(status).toBe(0)
    const report = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as DemoReport
    const built = await buildDemoClosures()

    expect(report.monitor).toBe('qemu')
    expect(['kvm', 'emulation']).toContain(report.accelerator)
    expect(report.why.length).toBeGreaterThan(10)
    const [left, right] = report.units
    expect([left?.name, right?.name]).toEqual(['left', 'right'])
    for (const unit of report.units) {
      expect([...unit.storeListing].sort()).toEqual(unit.closure.map(baseName).sort())
      expect(unit.closure.length).toBeGreaterThan(3)
    }
    expect(left!.closure).toContain(built.left)
    expect(left!.closure).not.toContain(built.right)
    expect(left!.exec.outcome).toEqual({ kind: 'exited', code: 0 })
    expect(left!.exec.stdout).toMatch(/^left says hello/)
    expect(right!.exec.outcome).toEqual({ kind: 'exited', code: 2 })
    expect(right!.exec.stdout).toMatch(/^right sees hello/)

    const shared = report.sharing.blobs.filter((blob) => blob.units.length === 2)
    const common = left!.closure.filter((path) => right!.closure.includes(path))
    expect(shared.flatMap((blob) => blob.storePaths).sort()).toEqual([...common].sort())
    expect(report.sharing.savedBytes).toBe(report.sharing.rssBytes - report.sharing.pssBytes)
    expect(report.sharing.savedBytes).toBeGreaterThan(1024 * 1024)

    expect(report.injected.path).toBe(built.debugger)
    expect(report.injected.visibleIn).toEqual(['left'])
    expect(stdout).toMatch(/demo_counter = \d+/)
    expect(report.leftovers).toEqual({ processes: [], sockets: [], mounts: [], files: [] })
    expect(await hosts()).toEqual([])
  })

  test.each([
    ['while the units start', /^closures/],
    ['while the debugger is injected', /^shared/],
  ])('ends by Ctrl-C %s with status 130 and leaves no host behind', async (_, moment) => {
    let interrupted = false
    const { status, stdout } = await demo([], (line, kill) => {
      if (interrupted || !moment.test(line)) return
      interrupted = true
      kill()
    })
    expect(interrupted).toBe(true)
    expect(stdout).not.toMatch(/^took/m)
    expect(status).toBe(130)
    expect(await hosts()).toEqual([])
  })

  test('says what is wrong with a closure that is none, and starts nothing', async () => {
    const { status, stderr } = await demo(['--closure', '/nix/store/not-a-path'])
    expect(status).toBe(1)
    expect(stderr).toContain('/nix/store/not-a-path')
    expect(await hosts()).toEqual([])
  })
})
