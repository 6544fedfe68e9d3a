import { getEventListeners } from 'node:events'
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { unixFd } from '../src/linux.js'
import { expectNothingKept, type Held, held } from './held.js'

const descriptors = unixFd()._unsafeUnwrap()
const soon = () => AbortSignal.timeout(50_000)

let before: Held

beforeEach(() => {
  before = held()
})

afterEach(() => {
  expectNothingKept(before)
})

describe('an owner', () => {
  test('closes once, whoever asks, and its number is gone', () => {
    const fd = descriptors.adopt(openSync('/dev/null', 'r'))
    const { number } = fd
    fd.close()
    fd.close()
    fd[Symbol.dispose]()
    expect(fd.closed).toBe(true)
    expect(() => fd.number).toThrow('closed')
    expect(() => fstatSync(number)).toThrow('EBADF')
  })

  test('that gave its number away closes nothing', () => {
    const fd = descriptors.adopt(openSync('/dev/null', 'r'))
    const number = fd.take()
    fd.close()
    expect(() => fd.take()).toThrow('closed')
    fstatSync(number)
    closeSync(number)
  })

  test('duplicates to the same file under another owner', () => {
    using fd = descriptors.adopt(openSync('/etc/passwd', 'r'))
    using second = fd.duplicate()._unsafeUnwrap()
    expect(second.number).not.toBe(fd.number)
    expect(fstatSync(second.number).ino).toBe(fstatSync(fd.number).ino)
  })

  test('of a regular file cannot be waited for, and says so', async () => {
    using fd = descriptors.adopt(openSync('/etc/passwd', 'r'))
    expect((await fd.ready('readable', soon()))._unsafeUnwrapErr()).toMatchObject({ code: 'EPERM' })
  })

  test('leaves nothing on the signals of its waits once it is closed', async () => {
    const [left, right] = descriptors.socketpair('stream')._unsafeUnwrap()
    using _right = right
    const signals = [new AbortController().signal, new AbortController().signal, new AbortController().signal]
    const listeners = () => signals.map((signal) => getEventListeners(signal, 'abort').length)
    for (const signal of signals) (await left.fd.ready('writable', signal))._unsafeUnwrap()
    const waiting = left.fd.ready('readable', signals[1]!)
    // At most on the last signal, which whoever waits in a loop brings again.
    expect(listeners()).toEqual([0, 1, 0])
    left.close()
    expect((await waiting)._unsafeUnwrapErr().kind).toBe('closed')
    expect(listeners()).toEqual([0, 0, 0])
  })

  test('ends the wait whose signal aborts, and no other', async () => {
    const [left, right] = descriptors.socketpair('stream')._unsafeUnwrap()
    using _left = left
    using _right = right
    const [first, second] = [new AbortController(), new AbortController()]
    const waits = [first, second, first].map(({ signal }) => left.fd.ready('readable', signal))
    first.abort()
    expect((await waits[0]!)._unsafeUnwrapErr().kind).toBe('aborted')
    expect((await waits[2]!)._unsafeUnwrapErr().kind).toBe('aborted')
    right.trySend(Uint8Array.of(1))._unsafeUnwrap()
    expect((await waits[1]!).isOk()).toBe(true)
  })

  test('serves a reader and a writer of one descriptor at the same time', async () => {
    const [left, right] = descriptors.socketpair('stream')._unsafeUnwrap()
    using _left = left
    using _right = right
    const readable = left.fd.ready('readable', soon())
    expect((await left.fd.ready('writable', soon())).isOk()).toBe(true)
    ;(await right.send(Uint8Array.of(1), { signal: soon() }))._unsafeUnwrap()
    expect((await readable).isOk()).toBe(true)
  })
})

describe('a memfd', () => {
  test('holds what was written and obeys its seals', () => {
    using memfd = descriptors.createMemfd('table')._unsafeUnwrap()
    memfd.write(new TextEncoder().encode('sealed'))._unsafeUnwrap()
    expect(memfd.seals()._unsafeUnwrap()).toEqual([])
    memfd.addSeals('write', 'grow', 'shrink')._unsafeUnwrap()
    memfd.addSeals('seal')._unsafeUnwrap()
    expect(memfd.seals()._unsafeUnwrap()).toEqual(['seal', 'shrink', 'grow', 'write'])
    expect(memfd.write(Uint8Array.of(1))._unsafeUnwrapErr().kind).toBe('permission-denied')
    expect(memfd.addSeals('write')._unsafeUnwrapErr().kind).toBe('permission-denied')
    expect(() => writeSync(memfd.fd.number, 'x')).toThrow('EPERM')
    const read = Buffer.alloc(16)
    expect(read.toString('utf8', 0, readSync(memfd.fd.number, read, 0, 16, 0))).toBe('sealed')
  })

  test('has a name of 249 bytes at most', () => {
    descriptors.createMemfd('x'.repeat(249))._unsafeUnwrap().close()
    expect(descriptors.createMemfd('x'.repeat(250))._unsafeUnwrapErr().kind).toBe('invalid-argument')
    expect(descriptors.createMemfd('a\0b')._unsafeUnwrapErr().kind).toBe('invalid-argument')
  })

  test('is told from an ordinary file by its seals', () => {
    using file = descriptors.adopt(openSync('/etc/passwd', 'r'))
    expect(descriptors.sealsOf(file)._unsafeUnwrapErr()).toMatchObject({ kind: 'system', code: 'EINVAL' })
  })
})

describe('an eventfd', () => {
  test('wakes whoever waits with the sum, exact to the last of 64 bits', async () => {
    using event = descriptors.createEventFd()._unsafeUnwrap()
    const waiting = event.take(soon())
    event.add(1n)._unsafeUnwrap()
    event.add(0xffff_ffff_ffff_fffdn)._unsafeUnwrap()
    expect((await waiting)._unsafeUnwrap()).toBe(0xffff_ffff_ffff_fffen)
    expect((await event.take(AbortSignal.timeout(20)))._unsafeUnwrapErr().kind).toBe('timed-out')
  })

  test('refuses what does not fit, and is busy when full', () => {
    using event = descriptors.createEventFd()._unsafeUnwrap()
    for (const amount of [0n, -1n, 0xffff_ffff_ffff_ffffn]) {
      expect(event.add(amount)._unsafeUnwrapErr().kind).toBe('invalid-argument')
    }
    event.add(0xffff_ffff_ffff_fffen)._unsafeUnwrap()
    expect(event.add(1n)._unsafeUnwrapErr().kind).toBe('busy')
  })
})

describe('a pipe', () => {
  test('carries bytes one way and is ready when they are there', async () => {
    const { reader, writer } = descriptors.createPipe({ nonBlocking: true })._unsafeUnwrap()
    expect((await reader.ready('readable', AbortSignal.timeout(20)))._unsafeUnwrapErr().kind).toBe(
      'timed-out',
    )
    writeSync(writer.number, 'x')
    expect((await reader.ready('readable', soon())).isOk()).toBe(true)
    reader.close()
    // The reader is gone: an error condition, which counts as ready, so that the next write tells.
    expect((await writer.ready('writable', soon())).isOk()).toBe(true)
    expect(() => writeSync(writer.number, 'x')).toThrow('EPIPE')
    expect((await writer.ready('writable', soon())).isOk()).toBe(true)
    writer.close()
  })
})
