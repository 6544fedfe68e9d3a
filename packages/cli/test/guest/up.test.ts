import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { findGuestKernel } from '@spectrum/unit-runtime/linux'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const here = fileURLToPath(new URL('./closure/', import.meta.url))
const loader = pathToFileURL(join(root, 'node_modules/tsx/dist/loader.mjs')).href
const spectrum = [process.execPath, '--import', loader, join(root, 'packages/cli/src/bin.ts')]

let place: string
let act: string
let more: string
let env: Record<string, string | undefined>
let graph: string
const children = new Set<ChildProcess>()

async function build(...words: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('nix-build', [...words, '--no-out-link'], {
    env: { ...process.env, NIX_CONFIG: 'build-users-group =\nsandbox = false\nsubstituters =' },
    timeout: 100_000,
    killSignal: 'SIGKILL',
  })
  return stdout.trim()
}

beforeAll(async () => {
  act = await build(join(here, 'act.nix'))
  more = await build(join(here, 'more.nix'), '--argstr', 'act', act)
  place = await mkdtemp(join(tmpdir(), 'spectrum-up-'))
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
    TERM: 'vt100',
  }
  graph = join(place, 'graph.ts')
  await writeFile(
    graph,
    `import { closure, compose, defineUnit } from '${root}packages/unit-graph/src/index.ts'
const path: string = '${act}'
export default compose({ left: defineUnit('left', { store: closure(path) }) })
`,
  )
})
afterAll(() => rm(place, { recursive: true, force: true }))
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
  await expect.poll(leftovers).toEqual({ processes: [], files: [], mounts: [] })
})

interface Finished {
  readonly status: number | string
  readonly out: Buffer
  readonly complaint: string
}

function start(argv: readonly string[]) {
  const child = spawn(argv[0]!, argv.slice(1), { env, stdio: 'pipe', detached: true })
  children.add(child)
  const out: Buffer[] = []
  const complaint: Buffer[] = []
  child.stdin.on('error', () => {})
  child.stdout.on('data', (bytes) => out.push(bytes))
  child.stderr.on('data', (bytes) => complaint.push(bytes))
  const finished = once(child, 'close').then(([code, signal]): Finished => {
    children.delete(child)
    return {
      status: (code ?? signal) as number | string,
      out: Buffer.concat(out),
      complaint: Buffer.concat(complaint).toString(),
    }
  })
  return { child, finished, shown: () => Buffer.concat(out).toString() }
}

function run(words: readonly string[], input?: Buffer): Promise<Finished> {
  const { child, finished } = start([...spectrum, ...words])
  child.stdin.end(input)
  return finished
}

async function upAndReady() {
  const up = start([...spectrum, 'up', graph, '--json'])
  const ended = up.finished.then(({ complaint }) => complaint)
  await Promise.race([expect.poll(up.shown, { timeout: 100_000 }).toContain('"ready"'), ended])
  expect(up.shown()).toContain('"ready"')
  return up
}

/** What is done at a terminal of 100 by 30 characters; afterwards it prints its status, and what the terminal is. */
function atTerminal(words: readonly string[]) {
  const quoted = [...spectrum, ...words].map((word) => `'${word}'`).join(' ')
  const script = `tty; stty rows 30 columns 100; ${quoted}; echo "status=$?"; stty -a`
  return start(['script', '-qec', script, '/dev/null'])
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

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

describe('a host from the command line, with a real unit', () => {
  it('is started from a TypeScript graph, looked at, worked with, and stopped', async () => {
    const up = await upAndReady()

    const { hosts } = JSON.parse((await run(['ps', '--json'])).out.toString())
    expect(hosts).toMatchObject([
      { host: { pid: up.child.pid }, units: [{ name: 'left', state: 'running', running: { paths: 1 } }] },
    ])

    // Byte by byte both ways, while other commands run.
    const input = randomBytes(8 * 1024 * 1024)
    const [copied, refused, injected] = await Promise.all([
      run(['exec', '-i', 'left', '--', `${act}/bin/act`, 'copy'], input),
      run(['exec', 'left', '--', `${act}/bin/absent`]),
      run(['inject', 'left', more, '--json']),
    ])
    expect([copied.status, copied.complaint, digest(copied.out)]).toEqual([0, '', digest(input)])
    expect(refused).toMatchObject({ status: 127, complaint: expect.stringContaining('absent') })
    expect(JSON.parse(injected.out.toString())).toMatchObject({ unit: 'left', added: [more] })

    const terminal = atTerminal(['exec', '-it', 'left', '--', `${act}/bin/act`, 'screen'])
    const following = start([...spectrum, 'logs', '-f', '-n', '5000', 'left'])
    const reported = run(['exec', '--env', 'A=1', 'left', '--', `${more}/more`, 'report', '42'])
    expect(await reported).toEqual({
      status: 42,
      out: Buffer.from('A=1\n'),
      complaint: 'to standard error\n',
    })

    // The size goes there, changes go there, and Ctrl-C is the program's own.
    await expect.poll(terminal.shown).toContain('100x30')
    const [, tty] = /(\/dev\/pts\/\d+)/.exec(terminal.shown()) ?? []
    await promisify(execFile)('stty', ['-F', tty!, 'rows', '40', 'columns', '90'])
    await expect.poll(terminal.shown).toContain('90x40')
    terminal.child.stdin.write('\x03')
    await expect.poll(terminal.shown).toContain('status=130')
    terminal.child.stdin.end()
    const { out } = await terminal.finished
    expect(out.toString()).toMatch(/[^-]icanon/)
    expect(out.toString()).toMatch(/[^-]echo\b/)

    expect(await run(['stop', '--json'])).toMatchObject({
      status: 0,
      out: Buffer.from('{"stopped":[{"unit":"left","graceful":true}]}\n'),
    })
    expect((await up.finished).status).toBe(0)
    const followed = await following.finished
    expect(followed.out.toString()).toMatch(/^running\n[\s\S]*^stopped\n/m)
  })

  it('that is killed leaves the terminal as it was, and what it left goes with the next one', async () => {
    const up = await upAndReady()
    const terminal = atTerminal(['exec', '-it', 'left', '--', `${act}/bin/act`, 'screen'])
    await expect.poll(terminal.shown).toContain('100x30')
    up.child.kill('SIGKILL')
    await expect.poll(terminal.shown).toContain('status=125')
    terminal.child.stdin.end()
    const { out } = await terminal.finished
    expect(out.toString()).toMatch(/[^-]icanon/)
    await writeFile(graph, (await readFile(graph, 'utf8')).replace(act, `${act}-absent`))
    const { status, complaint } = await run(['up', graph])
    expect([status, complaint]).toEqual([125, expect.stringContaining('absent')])
  })
})
