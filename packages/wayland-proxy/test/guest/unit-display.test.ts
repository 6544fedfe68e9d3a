import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { liveFds, type UnixSocket } from '@spectrum/unix-fd'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type DisplayPowers, type DisplayStream, readPolicy, UnitDisplay } from '../../src/index.js'
import { proxyProgram } from '../../src/linux.js'
import { Desktop } from '../hosts/desktop.js'
import { Screen } from '../hosts/screen.js'
import { descriptors } from '../peers/peer.js'

const frame = { label: 'far', colour: '#2a6ad0' }
const policy = readPolicy({ identity: { titlePrefix: '[far] ', frame } })._unsafeUnwrap()
const before = liveFds()
const children = new Set<ChildProcess>()
const lines: string[] = []
let sway: Desktop
let folder: string
let display: UnitDisplay

const powers: DisplayPowers = {
  clock: {
    deadline(ms) {
      const controller = new AbortController()
      const timer = setTimeout(() => controller.abort(), ms)
      return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) }
    },
  },
  writeFile: async (path, text) => writeFileSync(path, text),
  removeFile: async (path) => rmSync(path, { force: true }),
  connect: (path) => descriptors.connect(path, 'stream'),
  program: proxyProgram(),
  processes: {
    async spawn({ file, argv, environment }) {
      const env = { PATH: process.env['PATH'], ...environment }
      const child = spawn(file, argv, { env, stdio: ['ignore', 'pipe', 'pipe'] })
      children.add(child)
      const exit = once(child, 'exit').then(() => children.delete(child))
      child.stdout.resume()
      return { output: child.stderr, exit, kill: () => void child.kill('SIGKILL') }
    },
  },
}

beforeAll(async () => {
  sway = await Desktop.sway()
  folder = mkdtempSync(join(sway.folder, 'unit-'))
  const request = { unit: 'far', directory: folder, upstream: sway.socket, policy }
  const onLine = (text: string) => void lines.push(text)
  display = (
    await UnitDisplay.open(powers, { ...request, onLine }, AbortSignal.timeout(100_000))
  )._unsafeUnwrap()
})

afterAll(async () => {
  await display?.close()
  expect([...children]).toEqual([])
  await sway?.[Symbol.asyncDispose]()
  if (folder) rmSync(folder, { recursive: true, force: true })
  expect(liveFds()).toBe(before)
})

const titles = async () => (await sway.windows()).map(({ title }) => title)

function streamOf(socket: UnixSocket): DisplayStream {
  async function* incoming() {
    for (;;) {
      const received = await socket.receive({ signal: AbortSignal.timeout(600_000) })
      if (received.isErr() || received.value.kind === 'end') return
      yield received.value.bytes
    }
  }
  const write = async (bytes: Uint8Array) => {
    const sent = await socket.send(bytes, { signal: AbortSignal.timeout(600_000) })
    if (sent.isErr()) throw new Error(sent.error.message)
  }
  return { incoming: incoming(), write }
}

test('a program at the far end of a stream has its window, until it is killed; the display stays', async () => {
  using listener = descriptors.listen(join(folder, 'far'), 'stream')._unsafeUnwrap()
  const argv = [
    '--no-gpu',
    '--threads',
    '1',
    '--socket',
    join(folder, 'far'),
    'server',
    '--',
    'weston-flower',
  ]
  for (let round = 0; round < 2; round++) {
    const far = sway.start(['waypipe', ...argv], { ...sway.environment(''), XDG_RUNTIME_DIR: folder })
    using socket = (await listener.accept(AbortSignal.timeout(60_000)))._unsafeUnwrap()
    const carried = display.carry(streamOf(socket), AbortSignal.timeout(600_000))
    await expect.poll(titles).toEqual(['[far] Flower'])
    const framed = async () => {
      const [window] = await sway.windows()
      return window !== undefined && (await Screen.of(sway)).isFramed(window.content, frame)
    }
    await expect.poll(framed).toBe(true)
    far.kill('SIGKILL')
    // The connection is its child's.
    await sway.swaymsg('[title="far"] kill')
    expect((await carried).isOk()).toBe(true)
    await expect.poll(titles).toEqual([])
  }
  expect(children.size).toBe(1)
})

test('what is no waypipe at the far end ends its own connection, and nothing else', async () => {
  for (const bytes of [randomBytes(65_536), new Uint8Array(65_536), new Uint8Array(16).fill(0xff)]) {
    const stream = {
      async *incoming() {
        for (let round = 0; round < 50; round++) yield bytes
      },
      write: async () => {},
    }
    const carried = await display.carry(
      { incoming: stream.incoming(), write: stream.write },
      AbortSignal.timeout(100_000),
    )
    expect(carried.isOk(), carried.isErr() ? carried.error.message : '').toBe(true)
    expect(children.size).toBe(1)
  }
  expect(await titles()).toEqual([])
})

test('an abort ends a connection at once, and the end of the display all of them', async () => {
  const silent = (): DisplayStream => ({
    incoming: { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) },
    write: async () => {},
  })
  const stop = new AbortController()
  const one = display.carry(silent(), stop.signal)
  const other = display.carry(silent(), AbortSignal.timeout(100_000))
  await expect.poll(() => children.size).toBe(3)
  stop.abort()
  expect((await one)._unsafeUnwrapErr().kind).toBe('aborted')
  expect(children.size).toBe(2)
  await display.close()
  expect((await other)._unsafeUnwrapErr().kind).toBe('lost')
  expect(children.size).toBe(0)
})
