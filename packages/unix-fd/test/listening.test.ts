import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type BackOff, createUnixFd, type SystemCalls } from '../src/index.js'
import { unixFd } from '../src/linux.js'
import { expectNothingKept, type Held, held } from './held.js'

const descriptors = unixFd()._unsafeUnwrap()
const soon = () => AbortSignal.timeout(50_000)

let before: Held
let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'unix-fd-'))
  path = join(folder, 'socket')
  before = held()
})

afterEach(() => {
  expectNothingKept(before)
  rmSync(folder, { recursive: true })
})

describe('accepting', () => {
  /** The real calls, but the next accepts fail in the given way; pauses pass at once and are noted. */
  function failing(...codes: readonly string[]) {
    const real = createRequire(import.meta.url)('node-gyp-build')(
      fileURLToPath(new URL('..', import.meta.url)),
    ) as SystemCalls
    const errors: Record<string, number> = { EINTR: 4, ENOMEM: 12, ENFILE: 23, EMFILE: 24, ECONNABORTED: 103 }
    const left = codes.map((code) => -errors[code]!)
    const pauses: number[] = []
    const calls = { ...real, accept: (fd: number) => left.shift() ?? real.accept(fd) }
    const pause = async (ms: number) => {
      pauses.push(ms)
    }
    return { unixFd: createUnixFd(calls, () => undefined, pause), pauses }
  }

  test('passes over a peer that left, at once', async () => {
    const { unixFd, pauses } = failing('ECONNABORTED', 'EINTR', 'ECONNABORTED')
    using listener = unixFd.listen(path, 'stream')._unsafeUnwrap()
    using _client = unixFd.connect(path, 'stream')._unsafeUnwrap()
    using server = (await listener.accept(soon()))._unsafeUnwrap()
    expect(server.type).toBe('stream')
    expect(pauses).toEqual([])
  })

  test('waits longer and longer while too many descriptors are open, and tells', async () => {
    const { unixFd, pauses } = failing(...Array(8).fill('EMFILE'), 'ENFILE', 'ENOMEM')
    using listener = unixFd.listen(path, 'stream')._unsafeUnwrap()
    using _client = unixFd.connect(path, 'stream')._unsafeUnwrap()
    const told: BackOff[] = []
    using _server = (
      await listener.accept(soon(), { onBackOff: (backOff) => told.push(backOff) })
    )._unsafeUnwrap()
    expect(pauses).toEqual([10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000])
    expect(told.map(({ pauseMs }) => pauseMs)).toEqual(pauses)
    expect(told.at(-2)?.code).toBe('ENFILE')
  })

  test('ends with its deadline or its listener while it waits for descriptors', async () => {
    const { unixFd } = failing(...Array(1_000).fill('EMFILE'))
    using listener = unixFd.listen(path, 'stream')._unsafeUnwrap()
    const stop = new AbortController()
    const onBackOff = ({ pauseMs }: BackOff) => pauseMs === 1000 && stop.abort()
    const stopped = await listener.accept(stop.signal, { onBackOff })
    expect(stopped._unsafeUnwrapErr().kind).toBe('aborted')
    const closed = await listener.accept(soon(), { onBackOff: () => listener.close() })
    expect(closed._unsafeUnwrapErr().kind).toBe('closed')
  })
})

describe('a process with few descriptors left', () => {
  const program = fileURLToPath(new URL('programs/few-descriptors.ts', import.meta.url))
  const node = `exec "$0" --import "$1" "$2" "$3" "$4"`
  const tsx = createRequire(import.meta.url).resolve('tsx')

  async function run(task: string, wrapper = ''): Promise<string> {
    const argv = ['-c', `ulimit -n 60; ${node.replace('exec', `exec ${wrapper}`)}`]
    argv.push(process.execPath, tsx, program, task, path)
    // The loader writes its cache behind the program's back, and fails where no descriptor is left for that.
    const env = { PATH: process.env['PATH'], TSX_DISABLE_CACHE: '1' }
    const child = spawn('/bin/sh', argv, { env, stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
    })
    await once(child, 'close')
    return output
  }

  test('accepts the peer that waits as soon as one is free, without spinning', async () => {
    expect(JSON.parse(await run('accept'))).toEqual({
      accepted: true,
      code: 'EMFILE',
      fewPauses: true,
      cpuLow: true,
    })
  })

  test('takes descriptors that did not all arrive for lost, closes the others and the socket', async () => {
    expect(JSON.parse(await run('receive'))).toEqual({
      kind: 'descriptors-truncated',
      closed: true,
      leaked: 0,
    })
  })

  test('hears that too many are on their way to a peer that does not read, and loses none', async () => {
    // With these capabilities any number may be on their way.
    const unprivileged = process.getuid?.() === 0 ? 'setpriv --bounding-set=-sys_resource,-sys_admin' : ''
    expect(JSON.parse(await run('send', unprivileged))).toEqual({ code: 'ETOOMANYREFS', nothingLost: true })
  })
})

describe('a lock', () => {
  const files = () => readdirSync(folder).sort()

  test('keeps a second listener away while the first lives, and goes with it', () => {
    using first = descriptors.listen(path, 'stream', { lock: true })._unsafeUnwrap()
    expect(files()).toEqual(['socket', 'socket.lock'])
    const second = descriptors.listen(path, 'stream', { lock: true })
    expect(second._unsafeUnwrapErr().kind).toBe('address-in-use')
    using client = descriptors.connect(path, 'stream')._unsafeUnwrap()
    expect(client.type).toBe('stream')
    first.close()
    expect(files()).toEqual([])
    descriptors.listen(path, 'stream', { lock: true })._unsafeUnwrap().close()
  })

  test('lets a listener replace the socket that one left behind when it was killed', () => {
    const killed = descriptors.listen(path, 'seqpacket')._unsafeUnwrap()
    descriptors.adopt(killed.fd.take()).close()
    writeFileSync(`${path}.lock`, '')
    expect(files()).toEqual(['socket', 'socket.lock'])
    expect(descriptors.listen(path, 'stream')._unsafeUnwrapErr().kind).toBe('address-in-use')
    using listener = descriptors.listen(path, 'stream', { lock: true })._unsafeUnwrap()
    using _client = descriptors.connect(path, 'stream')._unsafeUnwrap()
    listener.close()
    expect(files()).toEqual([])
  })

  test('does not make it replace a listener that holds none, nor anything but a socket', () => {
    for (const type of ['stream', 'seqpacket'] as const) {
      using _other = descriptors.listen(path, type)._unsafeUnwrap()
      const refused = descriptors.listen(path, 'stream', { lock: true })
      expect(refused._unsafeUnwrapErr().kind).toBe('address-in-use')
      expect(files()).toEqual(['socket'])
    }
    writeFileSync(path, 'precious')
    const refused = descriptors.listen(path, 'stream', { lock: true })
    expect(refused._unsafeUnwrapErr().message).toContain('is a file')
    expect(statSync(path).size).toBe(8)
    expect(existsSync(`${path}.lock`)).toBe(false)
  })
})
