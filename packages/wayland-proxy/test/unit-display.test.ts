import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Listener, liveFds } from '@spectrum/unix-fd'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type DisplayPowers, type DisplayStream, readPolicy, UnitDisplay } from '../src/index.js'
import { descriptors } from './peers/peer.js'

/** Programs that only listen, as the proxy and waypipe do, and leave their sockets behind when they are killed. */
let running: Set<string>
let starting: (role: string) => Promise<void>
let folder: string
let before: number

beforeEach(() => {
  running = new Set()
  starting = async () => {}
  folder = mkdtempSync(join(tmpdir(), 'unit-display-'))
  before = liveFds()
})

afterEach(() => {
  expect([...running]).toEqual([])
  expect(liveFds()).toBe(before)
  rmSync(folder, { recursive: true })
})

function leaveBehind(listener: Listener): void {
  descriptors.adopt(listener.fd.take()).close()
}

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
  program: { file: '/bin/proxy', argv: [], environment: {} },
  processes: {
    async spawn({ role, argv }) {
      await starting(role)
      const path = argv.find((_, at) => ['--listen', '--socket'].includes(argv[at - 1]!))!
      const listener = descriptors.listen(path, 'stream')._unsafeUnwrap()
      running.add(path)
      let gone = () => {}
      const exit = new Promise<void>((resolve) => {
        gone = resolve
      })
      const kill = () => {
        if (!running.delete(path)) return
        leaveBehind(listener)
        setImmediate(gone)
      }
      async function* output() {}
      return { output: output(), exit, kill }
    },
  },
}

const request = () => ({
  unit: 'mail',
  directory: folder,
  upstream: '/run/w-0',
  policy: readPolicy({})._unsafeUnwrap(),
})
const never = new AbortController().signal
const open = async () => (await UnitDisplay.open(powers, request(), never))._unsafeUnwrap()

const silent = (): DisplayStream => ({
  incoming: { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) },
  write: async () => {},
})
async function* nothing() {}

test('the end of a display waits for the connection whose program is just being started', async () => {
  const display = await open()
  let started = () => {}
  starting = () =>
    new Promise((resolve) => {
      started = resolve
    })
  const carried = display.carry(silent(), never)
  let closed = false
  const close = display.close().then(() => {
    closed = true
  })
  await expect.poll(() => running.size).toBe(0)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(closed).toBe(false)
  started()
  await close
  expect([...running]).toEqual([])
  expect((await carried)._unsafeUnwrapErr().kind).toBe('lost')
})

test('a connection leaves no socket behind, however it ended, while its display goes on', async () => {
  const display = await open()
  const there = readdirSync(folder)
  expect((await display.carry({ incoming: nothing(), write: async () => {} }, never)).isOk()).toBe(true)
  expect(readdirSync(folder)).toEqual(there)
  const abort = new AbortController()
  const carried = display.carry(silent(), abort.signal)
  await expect.poll(() => readdirSync(folder).length).toBe(there.length + 1)
  abort.abort()
  expect((await carried)._unsafeUnwrapErr().kind).toBe('aborted')
  expect(readdirSync(folder)).toEqual(there)
  await display.close()
})

test('for crosvm it carries only what gets there, and leaves nothing beside its socket', async () => {
  const asked: (readonly string[])[] = []
  const processes: DisplayPowers['processes'] = {
    spawn: (request) => {
      asked.push(request.argv)
      return powers.processes.spawn(request)
    },
  }
  for (const crossDomain of [false, true]) {
    const ours = { ...request(), crossDomain }
    const display = (await UnitDisplay.open({ ...powers, processes }, ours, never))._unsafeUnwrap()
    expect(asked.pop()!.includes('--cross-domain')).toBe(crossDomain)
    expect(readdirSync(folder).length).toBe(crossDomain ? 1 : 2)
    expect(join(folder, readdirSync(folder).at(-1)!)).toBe(display.socket)
    await display.close()
    rmSync(display.socket)
  }
})

test('what cannot be removed stays with the directory, and the connection ends as it would', async () => {
  const removeFile = () => Promise.reject(new Error('EACCES'))
  const display = (await UnitDisplay.open({ ...powers, removeFile }, request(), never))._unsafeUnwrap()
  expect((await display.carry({ incoming: nothing(), write: async () => {} }, never)).isOk()).toBe(true)
  await display.close()
})
