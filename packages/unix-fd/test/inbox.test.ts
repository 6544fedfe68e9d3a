import { fstatSync, openSync, statSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Inbox, liveFds, type SocketType } from '../src/index.js'
import { unixFd } from '../src/linux.js'
import { expectNothingKept, type Held, held, openedSince } from './held.js'

const descriptors = unixFd()._unsafeUnwrap()
const soon = () => AbortSignal.timeout(50_000)
const bytesOf = (text: string) => new TextEncoder().encode(text)
const textOf = (inbox: Inbox) => new TextDecoder().decode(inbox.bytes)
const inboxOf = (room: Parameters<typeof descriptors.createInbox>[0]) =>
  descriptors.createInbox(room)._unsafeUnwrap()
const file = descriptors.adopt(openSync('/etc/passwd', 'r'))

let before: Held

beforeEach(() => {
  before = held()
})

afterEach(() => {
  expectNothingKept(before)
})

describe.each<SocketType>(['stream', 'seqpacket'])('without waiting, a %s socket', (type) => {
  test('gives what is there, then empty, then the end', () => {
    const [left, right] = descriptors.socketpair(type)._unsafeUnwrap()
    using _right = right
    using inbox = inboxOf({ maxFds: 2 })
    expect(right.tryReceive(inbox)._unsafeUnwrap()).toBe('empty')
    expect(left.trySend(bytesOf('now'), [file, file])._unsafeUnwrap()).toBe(3)
    expect(right.tryReceive(inbox)._unsafeUnwrap()).toBe('data')
    expect({ text: textOf(inbox), fds: inbox.fdCount }).toEqual({ text: 'now', fds: 2 })
    expect(right.tryReceive(inbox)._unsafeUnwrap()).toBe('empty')
    expect({ length: inbox.length, fds: inbox.fdCount }).toEqual({ length: 0, fds: 0 })
    left.close()
    expect(right.tryReceive(inbox)._unsafeUnwrap()).toBe('end')
  })

  test('takes nothing, no descriptor either, when it is full, and everything when it is not any more', () => {
    const [left, right] = descriptors.socketpair(type)._unsafeUnwrap()
    using _left = left
    using _right = right
    using inbox = inboxOf({ maxFds: 253 })
    const block = new Uint8Array(4096)
    let taken = 0
    let sends = 0
    for (;;) {
      const now = left.trySend(block, [file])._unsafeUnwrap()
      if (now === 0) break
      taken += now
      sends += 1
    }
    expect(sends).toBeGreaterThan(10)
    let bytes = 0
    let fds = 0
    while (right.tryReceive(inbox)._unsafeUnwrap() === 'data') {
      bytes += inbox.length
      fds += inbox.fdCount
    }
    expect({ bytes, fds }).toEqual({ bytes: taken, fds: sends })
    expect(left.trySend(bytesOf('again'), [file])._unsafeUnwrap()).toBe(5)
    expect(right.tryReceive(inbox)._unsafeUnwrap()).toBe('data')
    expect({ text: textOf(inbox), fds: inbox.fdCount }).toEqual({ text: 'again', fds: 1 })
  })

  test('sends a part of its bytes, and refuses one that is none', () => {
    const [left, right] = descriptors.socketpair(type)._unsafeUnwrap()
    using _left = left
    using _right = right
    using inbox = inboxOf({ maxFds: 1 })
    const bytes = bytesOf('no part, a part, no part')
    expect(left.trySend(bytes, [file], 9, 15)._unsafeUnwrap()).toBe(6)
    expect(right.tryReceive(inbox)._unsafeUnwrap()).toBe('data')
    expect({ text: textOf(inbox), fds: inbox.fdCount }).toEqual({ text: 'a part', fds: 1 })
    for (const [start, end] of [
      [-1, 3],
      [3, 3],
      [4, 3],
      [0, bytes.length + 1],
      [0.5, 3],
      [0, Number.NaN],
    ] as const)
      expect(left.trySend(bytes, [file], start, end)._unsafeUnwrapErr().kind).toBe('invalid-argument')
    expect(right.tryReceive(inbox)._unsafeUnwrap()).toBe('empty')
  })

  test('calls back when there is something to read, until the watch or the socket closes', async () => {
    const [left, right] = descriptors.socketpair(type)._unsafeUnwrap()
    using _left = left
    using inbox = inboxOf({})
    const texts: string[] = []
    let heard = () => {}
    const watch = right.fd
      .onReady('readable', () => {
        while (right.tryReceive(inbox)._unsafeUnwrap() === 'data') texts.push(textOf(inbox))
        heard()
      })
      ._unsafeUnwrap()
    for (const text of ['one', 'two']) {
      const next = new Promise<void>((resolve) => {
        heard = resolve
      })
      left.trySend(bytesOf(text))._unsafeUnwrap()
      await next
    }
    watch.close()
    watch.close()
    left.trySend(bytesOf('three'))._unsafeUnwrap()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(texts).toEqual(['one', 'two'])
    const second = right.fd.onReady('readable', () => texts.push('called'))._unsafeUnwrap()
    right.close()
    await new Promise((resolve) => setTimeout(resolve, 20))
    second.close()
    expect(texts).toEqual(['one', 'two'])
    expect(right.fd.onReady('readable', () => {})._unsafeUnwrapErr().kind).toBe('closed')
  })

  test('shows many messages that came in one call one by one, each with its own descriptors', () => {
    const [left, right] = descriptors.socketpair(type)._unsafeUnwrap()
    using _left = left
    using _right = right
    using inbox = inboxOf({ maxBytes: 16, maxFds: 3, maxMessages: 4 })
    const sent = ['a', 'bb', 'ccc', 'dddd', 'eeeee']
    for (const text of sent) left.trySend(bytesOf(text), [file, file])._unsafeUnwrap()
    const seen: string[] = []
    const waiting: number[] = []
    while (right.tryReceive(inbox)._unsafeUnwrap() === 'data') {
      seen.push(textOf(inbox))
      waiting.push(inbox.waiting)
      expect(inbox.fdCount).toBe(2)
      using mine = inbox.takeFd()!
      expect(fstatSync(mine.number).ino).toBe(statSync('/etc/passwd').ino)
      expect(inbox.fdCount).toBe(1)
    }
    expect(seen).toEqual(sent)
    // The event loop knows nothing of those: the kernel has handed them over.
    expect(waiting).toEqual([3, 2, 1, 0, 0])
    expect(inbox.waiting).toBe(0)
    left.trySend(bytesOf('later'))._unsafeUnwrap()
    expect(right.tryReceive(inbox)._unsafeUnwrap()).toBe('data')
    expect(textOf(inbox)).toBe('later')
  })

  test('passes the descriptors of an inbox on as they came', () => {
    const [left, right] = descriptors.socketpair(type)._unsafeUnwrap()
    using _left = left
    using _right = right
    using inbox = inboxOf({ maxFds: 253 })
    left.trySend(bytesOf('there'), [file, file, file])._unsafeUnwrap()
    right.tryReceive(inbox)._unsafeUnwrap()
    inbox.takeFd()!.close()
    expect(right.trySend(bytesOf('back'), inbox)._unsafeUnwrap()).toBe(4)
    expect(inbox.fdCount).toBe(2)
    inbox.closeFds()
    left.tryReceive(inbox)._unsafeUnwrap()
    expect(inbox.takeFds().map((fd) => fstatSync(fd.number).ino && fd.close())).toHaveLength(2)
  })

  test('with more descriptors than room closes all of them, those of later messages too, and itself', () => {
    const [left, right] = descriptors.socketpair(type)._unsafeUnwrap()
    using _left = left
    using inbox = inboxOf({ maxFds: 1, maxMessages: 8 })
    for (const count of [1, 2, 1]) left.trySend(bytesOf('x'), Array(count).fill(file))._unsafeUnwrap()
    expect(right.tryReceive(inbox)._unsafeUnwrap()).toBe('data')
    expect(right.tryReceive(inbox)._unsafeUnwrapErr().kind).toBe('descriptors-truncated')
    expect(right.fd.closed).toBe(true)
    expect(right.tryReceive(inbox)._unsafeUnwrapErr().kind).toBe('closed')
    expect(openedSince(before.open)).toHaveLength(1)
  })
})

test('an inbox that closes loses no descriptor, shown or not', () => {
  const [left, right] = descriptors.socketpair('seqpacket')._unsafeUnwrap()
  using _left = left
  using _right = right
  const inbox = inboxOf({ maxFds: 2, maxMessages: 8 })
  for (let i = 0; i < 5; i++) left.trySend(bytesOf('x'), [file, file])._unsafeUnwrap()
  right.tryReceive(inbox)._unsafeUnwrap()
  expect(openedSince(before.open)).toHaveLength(2 + 10)
  expect(liveFds()).toBe(before.live + 2 + 10)
  inbox.close()
  inbox.close()
  expect(openedSince(before.open)).toHaveLength(2)
  expect(right.tryReceive(inbox)._unsafeUnwrapErr().kind).toBe('closed')
})

test('room for several messages is one socket’s; room for one is anybody’s', () => {
  const [left, right] = descriptors.socketpair('seqpacket')._unsafeUnwrap()
  using _left = left
  using _right = right
  using several = inboxOf({ maxMessages: 2 })
  expect(right.tryReceive(several)._unsafeUnwrap()).toBe('empty')
  expect(() => left.tryReceive(several)).toThrow('belongs to one socket')
  using one = inboxOf({})
  for (const [from, to] of [
    [left, right],
    [right, left],
  ] as const) {
    from.trySend(bytesOf('x'))._unsafeUnwrap()
    expect(to.tryReceive(one)._unsafeUnwrap()).toBe('data')
  }
})

test('a packet that is too long is reported, and the one after it arrives', () => {
  const [left, right] = descriptors.socketpair('seqpacket')._unsafeUnwrap()
  using _left = left
  using _right = right
  using inbox = inboxOf({ maxBytes: 3, maxFds: 1, maxMessages: 4 })
  for (const text of ['long', 'ok']) left.trySend(bytesOf(text), [file])._unsafeUnwrap()
  expect(right.tryReceive(inbox)._unsafeUnwrapErr().kind).toBe('packet-truncated')
  expect(inbox.fdCount).toBe(0)
  expect(right.tryReceive(inbox)._unsafeUnwrap()).toBe('data')
  expect(textOf(inbox)).toBe('ok')
})

test('a stream takes a part, and then every descriptor went with it', async () => {
  const [left, right] = descriptors.socketpair('stream')._unsafeUnwrap()
  using _left = left
  using _right = right
  using inbox = inboxOf({ maxFds: 253 })
  const large = new Uint8Array(4_000_000)
  const taken = left.trySend(large, [file])._unsafeUnwrap()
  expect(taken).toBeGreaterThan(0)
  expect(taken).toBeLessThan(large.length)
  const rest = left.send(large.subarray(taken), { signal: soon() })
  // While that waits, nothing else may come between.
  expect(left.trySend(bytesOf('x'), [file])._unsafeUnwrap()).toBe(0)
  let bytes = 0
  let fds = 0
  while (bytes < large.length) {
    ;(await right.fd.ready('readable', soon()))._unsafeUnwrap()
    while (right.tryReceive(inbox)._unsafeUnwrap() === 'data') {
      bytes += inbox.length
      fds += inbox.fdCount
    }
  }
  expect({ bytes, fds, sent: (await rest).isOk() }).toEqual({ bytes: large.length, fds: 1, sent: true })
})

test('a receive that waits is not overtaken', async () => {
  const [left, right] = descriptors.socketpair('stream')._unsafeUnwrap()
  using _left = left
  using _right = right
  using inbox = inboxOf({})
  const waiting = right.receive({ signal: soon() })
  left.trySend(bytesOf('first'))._unsafeUnwrap()
  expect(right.tryReceive(inbox)._unsafeUnwrap()).toBe('empty')
  expect((await waiting)._unsafeUnwrap()).toMatchObject({ kind: 'data' })
})

test('the room of an inbox is bounded at 0, 1, most and most + 1', () => {
  const kindOf = (room: Parameters<typeof descriptors.createInbox>[0]) =>
    descriptors.createInbox(room).match(
      (inbox) => inbox.close(),
      (error) => error.kind,
    )
  const MiB = 1024 * 1024
  const fitting = [
    { maxBytes: 1 },
    { maxBytes: 16 * MiB },
    { maxFds: 253, maxMessages: 64 },
    { maxBytes: MiB, maxMessages: 16 },
  ]
  for (const room of fitting) expect(kindOf(room)).toBeUndefined()
  const excessive = [
    { maxBytes: 0 },
    { maxBytes: 16 * MiB + 1 },
    { maxFds: -1 },
    { maxFds: 254 },
    { maxMessages: 0 },
    { maxMessages: 65 },
    { maxBytes: MiB + 1, maxMessages: 16 },
  ]
  for (const room of excessive) expect(kindOf(room)).toBe('invalid-argument')
})
