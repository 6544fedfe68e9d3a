import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { findGuestKernel } from '@spectrum/unit-runtime/linux'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const expression = fileURLToPath(new URL('./closure/act.nix', import.meta.url))

let place: string
let closure: string
let env: Record<string, string | undefined>

beforeAll(async () => {
  const { stdout } = await promisify(execFile)('nix-build', [expression, '--no-out-link'], {
    env: { ...process.env, NIX_CONFIG: 'build-users-group =\nsandbox = false\nsubstituters =' },
    timeout: 120_000,
  })
  closure = stdout.trim()
  // A state and a cache of its own: whatever is left over is ours.
  place = await mkdtemp(join(tmpdir(), 'spectrum-run-'))
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'spectrum')
  const kernel = (await findGuestKernel(process.env, cache))._unsafeUnwrap()
  env = {
    ...process.env,
    XDG_STATE_HOME: join(place, 'state'),
    XDG_CACHE_HOME: join(place, 'cache'),
    SPECTRUM_KERNEL: kernel.image,
    SPECTRUM_KERNEL_MODULES: kernel.modulesDirectory,
    TSX_TSCONFIG_PATH: join(root, 'tsconfig.base.json'),
    NODE_OPTIONS: undefined,
  }
})
afterAll(() => rm(place, { recursive: true, force: true }))
afterEach(async () => expect(await leftovers()).toEqual({ processes: [], files: [], mounts: [] }))

/** The real command, from its sources, in a process group of its own as a shell would start it. */
function start(...words: string[]): ChildProcess & { finished: Promise<Finished> } {
  const loader = pathToFileURL(join(root, 'node_modules/tsx/dist/loader.mjs')).href
  const argv = ['--import', loader, join(root, 'packages/cli/src/bin.ts'), ...words]
  const child = spawn(process.execPath, argv, { env, detached: true, stdio: 'pipe' })
  child.stdin.on('error', () => {})
  const stderr: Buffer[] = []
  child.stderr.on('data', (bytes) => stderr.push(bytes))
  const finished = once(child, 'exit').then(([code, signal]) => ({
    status: (code ?? signal) as number | string,
    stderr: Buffer.concat(stderr).toString(),
  }))
  return Object.assign(child, { finished })
}

interface Finished {
  readonly status: number | string
  readonly stderr: string
}

async function run(options: string[], argv: string[], input?: Buffer) {
  const child = start(
    'run',
    '--closure',
    closure,
    ...options,
    '--',
    `${closure}/bin/${argv[0]}`,
    ...argv.slice(1),
  )
  const stdout: Buffer[] = []
  child.stdout?.on('data', (bytes) => stdout.push(bytes))
  child.stdin?.end(input)
  const ended = once(child.stdout!, 'end')
  const { status, stderr } = await child.finished
  await ended
  return { status, stderr, stdout: Buffer.concat(stdout) }
}

async function leftovers() {
  const processes: string[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const cmdline = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '')
    if (cmdline.includes(place) || cwd.startsWith(place)) processes.push(cmdline.replaceAll('\0', ' '))
  }
  const under = async (path: string) => (await readdir(path).catch(() => [])).map((name) => `${path}/${name}`)
  const files = [
    ...(await under(join(place, 'state/spectrum/hosts'))),
    ...(await under(join(place, 'cache/spectrum/unfinished'))),
  ]
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').filter((line) => line.includes(place))
  return { processes, files, mounts }
}

/** `length` bytes of what `act pattern` writes. */
function pattern(length: number): Buffer {
  const block = Buffer.from(Uint8Array.from({ length: 65_536 }, (_, at) => at * 167 + (at >> 8)))
  return Buffer.concat(Array(Math.ceil(length / block.length)).fill(block)).subarray(0, length)
}

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

// Each boots a unit, which costs seconds under emulation: what fakes can show is shown with fakes.
describe('spectrum run in a real unit', () => {
  it('answers with the status of the command, its two streams apart, its environment as granted', async () => {
    expect(await run(['--env', 'A=1', '--env', 'B=x=y'], ['act', 'report', '42'])).toEqual({
      status: 42,
      stderr: 'to standard error\n',
      stdout: Buffer.from('A=1\nB=x=y\n'),
    })
  })

  it('answers 127 for a command that is not in the unit', async () => {
    const { status, stderr } = await run([], ['absent'])
    expect(status).toBe(127)
    expect(stderr).toContain(`${closure}/bin/absent`)
  })

  it('passes every byte in and out, also to a reader that stalls', async () => {
    const input = pattern(1024 * 1024 + 1)
    const child = start('run', '--closure', closure, '-i', '--', `${closure}/bin/act`, 'copy')
    child.stdin?.end(input)
    await once(child.stdout!, 'readable')
    // Pipes and credits are full long before the reader goes on.
    await sleep(2_000)
    expect(child.exitCode).toBeNull()
    const chunks: Buffer[] = []
    for await (const chunk of child.stdout!) chunks.push(chunk)
    expect((await child.finished).status).toBe(0)
    expect(digest(Buffer.concat(chunks))).toBe(digest(input))
  })

  it('ends the command when nobody reads any more', async () => {
    const child = start('run', '--closure', closure, '--', `${closure}/bin/act`, 'pattern', '50000000')
    await once(child.stdout!, 'data')
    child.stdout?.destroy()
    expect((await child.finished).status).toBe(141)
  })

  it('refuses what is not a store path, with 125', async () => {
    const child = start('run', '--closure', '/usr', '--', '/bin/x')
    const { status, stderr } = await child.finished
    expect(status).toBe(125)
    expect(stderr).toMatch(/^spectrum: .*\/usr/)
  })

  it('leaves nothing after Ctrl-C while the command runs', async () => {
    const child = start('run', '--closure', closure, '--', `${closure}/bin/act`, 'stay')
    await once(child.stdout!, 'data')
    process.kill(-child.pid!, 'SIGINT')
    expect(await child.finished).toEqual({ status: 130, stderr: '' })
  })

  it.each([200, 1_000, 2_000, 4_000])('leaves nothing after Ctrl-C %i ms from the start', async (ms) => {
    const child = start('run', '--closure', closure, '--', `${closure}/bin/act`, 'stay')
    await sleep(ms)
    process.kill(-child.pid!, 'SIGINT')
    const { status } = await child.finished
    // In the first moments Node itself has not come up yet, and the signal ends it as it ends any program.
    expect([130, 'SIGINT']).toContain(status)
  })
})
