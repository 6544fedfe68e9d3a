import { spawnSync } from 'node:child_process'
import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Received, SocketType } from '../src/index.js'
import { unixFd } from '../src/linux.js'
import { expectNothingKept, type Held, held } from './held.js'

const descriptors = unixFd()._unsafeUnwrap()
const soon = () => AbortSignal.timeout(50_000)
const bytesOf = (text: string) => new TextEncoder().encode(text)
const textOf = (received: Received) =>
  received.kind === 'data' ? new TextDecoder().decode(received.bytes) : 'END'
const fdsOf = (received: Received) => (received.kind === 'data' ? received.fds : [])

let before: Held
let folder: string

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'unix-fd-'))
  before = held()
})

afterEach(() => {
  expectNothingKept(before)
  rmSync(folder, { recursive: true })
})

describe.each<SocketType>(['stream', 'seqpacket'])('a %s socket', (type) => {
  test('carries bytes and descriptors, and the peer holds the same open files', async () => {
    const [left, right] = descriptors.socketpair(type)._unsafeUnwrap()
    using _left = left
    using _right = right
    const paths = ['/etc/passwd', '/dev/null', '/proc/self/exe']
    const fds = paths.map((path) => descriptors.adopt(openSync(path, 'r')))
    ;(await left.send(bytesOf('three'), { fds, signal: soon() }))._unsafeUnwrap()
    const received = (await right.receive({ maxFds: 8, signal: soon() }))._unsafeUnwrap()
    expect(textOf(received)).toBe('three')
    expect(fdsOf(received).map((fd) => fstatSync(fd.number).ino)).toEqual(
      paths.map((path) => statSync(path).ino),
    )
    for (const fd of fdsOf(received)) {
      expect(fds.map((sent) => sent.number)).not.toContain(fd.number)
      // O_CLOEXEC is 02000000 in fdinfo.
      expect(readFileSync(`/proc/self/fdinfo/${fd.number}`, 'latin1')).toMatch(/flags:\s+0?2\d{6}/)
    }
    for (const fd of [...fds, ...fdsOf(received)]) fd.close()
  })

  test('fits exactly the descriptors asked for, and with one more closes them all and itself', async () => {
    const [left, right] = descriptors.socketpair(type)._unsafeUnwrap()
    using _left = left
    const file = descriptors.adopt(openSync('/etc/passwd', 'r'))
    ;(await left.send(bytesOf('a'), { fds: [file, file, file], signal: soon() }))._unsafeUnwrap()
    const fits = (await right.receive({ maxFds: 3, signal: soon() }))._unsafeUnwrap()
    expect(fdsOf(fits)).toHaveLength(3)
    for (const fd of fdsOf(fits)) fd.close()
    ;(await left.send(bytesOf('b'), { fds: [file, file, file, file], signal: soon() }))._unsafeUnwrap()
    const lost = await right.receive({ maxFds: 3, signal: soon() })
    expect(lost._unsafeUnwrapErr().kind).toBe('descriptors-truncated')
    expect(right.fd.closed).toBe(true)
    file.close()
  })

  test('that expects no descriptor loses none silently', async () => {
    const [left, right] = descriptors.socketpair(type)._unsafeUnwrap()
    using _left = left
    const file = descriptors.adopt(openSync('/etc/passwd', 'r'))
    ;(await left.send(bytesOf('a'), { fds: [file], signal: soon() }))._unsafeUnwrap()
    expect((await right.receive({ signal: soon() }))._unsafeUnwrapErr().kind).toBe('descriptors-truncated')
    file.close()
  })

  test('carries 253 descriptors in one message and refuses 254', async () => {
    const [left, right] = descriptors.socketpair(type)._unsafeUnwrap()
    using _left = left
    using _right = right
    const file = descriptors.adopt(openSync('/dev/null', 'r'))
    const many = Array.from({ length: 253 }, () => file)
    ;(await left.send(bytesOf('x'), { fds: many, signal: soon() }))._unsafeUnwrap()
    const received = (await right.receive({ maxFds: 253, signal: soon() }))._unsafeUnwrap()
    expect(fdsOf(received)).toHaveLength(253)
    for (const fd of fdsOf(received)) fd.close()
    const tooMany = await left.send(bytesOf('x'), { fds: [...many, file], signal: soon() })
    expect(tooMany._unsafeUnwrapErr().kind).toBe('invalid-argument')
    file.close()
  })

  test('reads an end after the peer finished or closed', async () => {
    const [left, right] = descriptors.socketpair(type)._unsafeUnwrap()
    using _right = right
    ;(await left.send(bytesOf('last'), { signal: soon() }))._unsafeUnwrap()
    left.finish()._unsafeUnwrap()
    expect(textOf((await right.receive({ signal: soon() }))._unsafeUnwrap())).toBe('last')
    expect((await right.receive({ signal: soon() }))._unsafeUnwrap().kind).toBe('end')
    left.close()
    expect((await right.receive({ signal: soon() }))._unsafeUnwrap().kind).toBe('end')
  })

  test('reads what it was sent, and an end, from a peer that renounced what it had not read', async () => {
    const [left, right] = descriptors.socketpair(type)._unsafeUnwrap()
    using _right = right
    const file = descriptors.createMemfd('lost')._unsafeUnwrap().fd
    const open = readdirSync('/proc/self/fd').length
    ;(await right.send(bytesOf('unread'), { fds: [file, file], signal: soon() }))._unsafeUnwrap()
    for (let full = false; !full; ) full = right.trySend(new Uint8Array(10_000))._unsafeUnwrap() === 0
    ;(await left.send(bytesOf('last'), { signal: soon() }))._unsafeUnwrap()
    const waiting = right.send(new Uint8Array(50_000), { signal: soon() })
    left.renounce()._unsafeUnwrap()
    expect((await waiting)._unsafeUnwrapErr().kind).toBe('peer-gone')
    expect(right.trySend(bytesOf('more'))._unsafeUnwrapErr().kind).toBe('peer-gone')
    expect((await left.receive({ signal: soon() }))._unsafeUnwrap().kind).toBe('end')
    left.close()
    expect(textOf((await right.receive({ signal: soon() }))._unsafeUnwrap())).toBe('last')
    expect((await right.receive({ signal: soon() }))._unsafeUnwrap().kind).toBe('end')
    expect(left.renounce()._unsafeUnwrapErr().kind).toBe('closed')
    file.close()
    expect(readdirSync('/proc/self/fd').length).toBeLessThan(open)
  })

  test('answers peer-gone when sending to a closed peer, and no SIGPIPE kills the program', async () => {
    const [left, right] = descriptors.socketpair(type)._unsafeUnwrap()
    using _left = left
    right.close()
    expect((await left.send(bytesOf('x'), { signal: soon() }))._unsafeUnwrapErr().kind).toBe('peer-gone')
  })

  test('waits for a silent peer until the deadline, the abort or the close, whichever comes', async () => {
    const [left, right] = descriptors.socketpair(type)._unsafeUnwrap()
    using _left = left
    const kindOf = async (signal: AbortSignal) => (await right.receive({ signal }))._unsafeUnwrapErr().kind
    expect(await kindOf(AbortSignal.timeout(20))).toBe('timed-out')
    expect(await kindOf(AbortSignal.abort())).toBe('aborted')
    const controller = new AbortController()
    const waiting = kindOf(controller.signal)
    controller.abort()
    expect(await waiting).toBe('aborted')
    const closing = kindOf(soon())
    right.close()
    expect(await closing).toBe('closed')
  })

  test('never loses a descriptor under back-pressure', async () => {
    const [left, right] = descriptors.socketpair(type)._unsafeUnwrap()
    using _left = left
    using _right = right
    const file = descriptors.adopt(openSync('/etc/passwd', 'r'))
    const rounds = 60
    const block = new Uint8Array(16 * 1024).fill(7)
    let sent = 0
    const sending = Promise.all(
      Array.from({ length: rounds }, async () => {
        ;(await left.send(block, { fds: [file], signal: soon() }))._unsafeUnwrap()
        sent += 1
      }),
    )
    await new Promise((resolve) => setTimeout(resolve, 20))
    // The peer does not read: the kernel's buffer is full and the rest waits.
    expect(sent).toBeGreaterThan(0)
    expect(sent).toBeLessThan(rounds)
    let bytes = 0
    let fds = 0
    while (bytes < rounds * block.length) {
      const received = (await right.receive({ maxFds: 253, signal: soon() }))._unsafeUnwrap()
      if (received.kind === 'end') break
      bytes += received.bytes.length
      for (const fd of received.fds) {
        fds += 1
        fd.close()
      }
    }
    await sending
    expect({ bytes, fds }).toEqual({ bytes: rounds * block.length, fds: rounds })
    file.close()
  })

  test('listens, connects, accepts and knows its peer', async () => {
    const path = join(folder, 'socket')
    using listener = descriptors.listen(path, type)._unsafeUnwrap()
    using client = descriptors.connect(path, type)._unsafeUnwrap()
    using server = (await listener.accept(soon()))._unsafeUnwrap()
    const self = { pid: process.pid, uid: process.getuid!(), gid: process.getgid!() }
    expect(server.peerCredentials()._unsafeUnwrap()).toEqual(self)
    expect(client.peerCredentials()._unsafeUnwrap()).toEqual(self)
    ;(await client.send(bytesOf('hello'), { signal: soon() }))._unsafeUnwrap()
    expect(textOf((await server.receive({ signal: soon() }))._unsafeUnwrap())).toBe('hello')
    expect(descriptors.listen(path, type)._unsafeUnwrapErr().kind).toBe('address-in-use')
    expect((await listener.accept(AbortSignal.timeout(20)))._unsafeUnwrapErr().kind).toBe('timed-out')
    listener.close()
    expect(readdirSync(folder)).toEqual([])
    expect(descriptors.connect(path, type)._unsafeUnwrapErr().kind).toBe('not-listening')
  })

  test('answers busy when the queue of the listener is full', () => {
    const path = join(folder, 'socket')
    using _listener = descriptors.listen(path, type, { backlog: 1 })._unsafeUnwrap()
    const clients = [1, 2].map(() => descriptors.connect(path, type)._unsafeUnwrap())
    expect(descriptors.connect(path, type)._unsafeUnwrapErr().kind).toBe('busy')
    for (const client of clients) client.close()
  })
})

test('a seqpacket keeps the boundaries of packets and reports one that is too long', async () => {
  const [left, right] = descriptors.socketpair('seqpacket')._unsafeUnwrap()
  using _left = left
  using _right = right
  for (const text of ['one', 'two', 'long one', 'after']) {
    ;(await left.send(bytesOf(text), { signal: soon() }))._unsafeUnwrap()
  }
  expect(textOf((await right.receive({ signal: soon() }))._unsafeUnwrap())).toBe('one')
  expect(textOf((await right.receive({ maxBytes: 3, signal: soon() }))._unsafeUnwrap())).toBe('two')
  expect((await right.receive({ maxBytes: 3, signal: soon() }))._unsafeUnwrapErr().kind).toBe(
    'packet-truncated',
  )
  expect(textOf((await right.receive({ maxBytes: 5, signal: soon() }))._unsafeUnwrap())).toBe('after')
})

test('a stream send that stops half-way says how much went out and refuses to garble the rest', async () => {
  const [left, right] = descriptors.socketpair('stream')._unsafeUnwrap()
  using _left = left
  using _right = right
  const late = (
    await left.send(new Uint8Array(4_000_000), { signal: AbortSignal.timeout(50) })
  )._unsafeUnwrapErr()
  if (late.kind !== 'timed-out') throw new Error(late.kind)
  expect(late.sentBytes).toBeGreaterThan(0)
  expect((await left.send(bytesOf('x'), { signal: soon() }))._unsafeUnwrapErr().kind).toBe('broken-stream')
})

test('a send that waits behind another gives up on its own deadline', async () => {
  const [left, right] = descriptors.socketpair('stream')._unsafeUnwrap()
  using _right = right
  const first = left.send(new Uint8Array(4_000_000), { signal: soon() })
  const second = await left.send(bytesOf('x'), { signal: AbortSignal.timeout(20) })
  expect(second._unsafeUnwrapErr().kind).toBe('timed-out')
  left.close()
  expect((await first)._unsafeUnwrapErr().kind).toBe('closed')
})

test('paths that a socket cannot have are refused by name', () => {
  const long = (length: number) => `${folder}/${'x'.repeat(length - folder.length - 1)}`
  for (const path of ['', 'relative', '/with\0nul', long(108), `/${'é'.repeat(54)}`]) {
    expect(descriptors.listen(path, 'stream')._unsafeUnwrapErr().kind).toBe('invalid-argument')
    expect(descriptors.connect(path, 'stream')._unsafeUnwrapErr().kind).toBe('invalid-argument')
  }
  descriptors.listen(long(107), 'stream')._unsafeUnwrap().close()
  expect(descriptors.listen(`${folder}/absent/socket`, 'stream')._unsafeUnwrapErr()).toMatchObject({
    kind: 'system',
    code: 'ENOENT',
  })
})

test('bounds on bytes and descriptors hold at 0, 1, most and most + 1', async () => {
  const [left, right] = descriptors.socketpair('stream')._unsafeUnwrap()
  using _left = left
  using _right = right
  for (const options of [
    { maxBytes: 0 },
    { maxBytes: 16 * 1024 * 1024 + 1 },
    { maxFds: -1 },
    { maxFds: 254 },
  ]) {
    const result = await right.receive({ ...options, signal: soon() })
    expect(result._unsafeUnwrapErr().kind).toBe('invalid-argument')
  }
  expect((await left.send(new Uint8Array(0), { signal: soon() }))._unsafeUnwrapErr().kind).toBe(
    'invalid-argument',
  )
  ;(await left.send(bytesOf('ab'), { signal: soon() }))._unsafeUnwrap()
  expect(textOf((await right.receive({ maxBytes: 1, signal: soon() }))._unsafeUnwrap())).toBe('a')
  const most = await right.receive({ maxBytes: 16 * 1024 * 1024, maxFds: 253, signal: soon() })
  expect(textOf(most._unsafeUnwrap())).toBe('b')
})

test('a child process inherits nothing', () => {
  const [left, right] = descriptors.socketpair('stream')._unsafeUnwrap()
  using _left = left
  using _right = right
  const listing = spawnSync('/bin/ls', ['-l', '/proc/self/fd'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 50_000,
    killSignal: 'SIGKILL',
  })
  const sockets: string[] = listing.stdout.toString().match(/socket:\[\d+\]/g) ?? []
  const ours = [left, right].map((socket) => `socket:[${fstatSync(socket.fd.number).ino}]`)
  expect(ours.filter((name) => sockets.includes(name))).toEqual([])
})

test('closing a descriptor behind its owner is found out', () => {
  const fd = descriptors.adopt(openSync('/dev/null', 'r'))
  closeSync(fd.number)
  expect(() => fd.close()).toThrow("closed behind its owner's back")
})
