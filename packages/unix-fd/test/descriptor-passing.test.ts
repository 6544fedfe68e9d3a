import { fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Fd, FileType, Received, UnixSocket } from '../src/index.js'
import { unixFd } from '../src/linux.js'
import { expectNothingKept, type Held, held } from './held.js'

// What other ways to pass descriptors from Node get wrong, one test for each.
const descriptors = unixFd()._unsafeUnwrap()
const soon = () => AbortSignal.timeout(50_000)
const bytesOf = (text: string) => new TextEncoder().encode(text)
const file = descriptors.adopt(openSync('/etc/passwd', 'r'))

let before: Held
let left: UnixSocket
let right: UnixSocket

beforeEach(() => {
  before = held()
  ;[left, right] = descriptors.socketpair('stream')._unsafeUnwrap()
})

afterEach(() => {
  left.close()
  right.close()
  expectNothingKept(before)
})

async function receive(socket: UnixSocket, maxBytes = 65_536): Promise<{ text: string; fds: readonly Fd[] }> {
  const received: Received = (await socket.receive({ maxBytes, maxFds: 253, signal: soon() }))._unsafeUnwrap()
  if (received.kind === 'end') return { text: 'END', fds: [] }
  return { text: new TextDecoder().decode(received.bytes), fds: received.fds }
}

async function receiveCount(socket: UnixSocket, maxBytes?: number): Promise<[string, number]> {
  const { text, fds } = await receive(socket, maxBytes)
  for (const fd of fds) fd.close()
  return [text, fds.length]
}

describe('passing descriptors', () => {
  test('after EAGAIN the retry carries the descriptors again, and not the bytes alone', async () => {
    while (left.trySend(new Uint8Array(4096))._unsafeUnwrap() > 0);
    const waiting = left.send(bytesOf('with two'), { fds: [file, file], signal: soon() })
    let last: [string, number] = ['', 0]
    while (!last[0].endsWith('with two')) last = await receiveCount(right)
    expect(last[1]).toBe(2)
    ;(await waiting)._unsafeUnwrap()
  })

  test('after a part was written the rest carries none a second time', async () => {
    const size = 1_000_000
    const sending = left.send(new Uint8Array(size), { fds: [file, file], signal: soon() })
    let [bytes, fds] = [0, 0]
    while (bytes < size) {
      const [text, count] = await receiveCount(right)
      bytes += text.length
      fds += count
    }
    expect({ bytes, fds, sent: (await sending).isOk() }).toEqual({ bytes: size, fds: 2, sent: true })
  })

  test('they arrive with the first byte of their message, however little is read', async () => {
    left.trySend(bytesOf('abc'), [file, file])._unsafeUnwrap()
    expect(await receiveCount(right, 1)).toEqual(['a', 2])
    expect(await receiveCount(right, 1)).toEqual(['b', 0])
    expect(await receiveCount(right, 1)).toEqual(['c', 0])
  })

  test('those of two messages never come together', async () => {
    left.trySend(bytesOf('one'), [file])._unsafeUnwrap()
    left.trySend(bytesOf('two'), [file, file])._unsafeUnwrap()
    left.trySend(bytesOf('none'))._unsafeUnwrap()
    expect(await receiveCount(right)).toEqual(['one', 1])
    expect(await receiveCount(right)).toEqual(['two', 2])
    expect(await receiveCount(right)).toEqual(['none', 0])
  })

  test('a message needs at least one byte, and only open descriptors', async () => {
    expect(left.trySend(new Uint8Array(0), [file])._unsafeUnwrapErr().kind).toBe('invalid-argument')
    const closed = file.duplicate()._unsafeUnwrap()
    closed.close()
    expect(left.trySend(bytesOf('x'), [file, closed])._unsafeUnwrapErr().kind).toBe('closed')
    expect((await left.send(bytesOf('x'), { fds: [closed], signal: soon() })).isErr()).toBe(true)
    left.finish()._unsafeUnwrap()
    expect(await receiveCount(right)).toEqual(['END', 0])
  })

  test('every kind of open file goes, and the receiver can tell which it got', async () => {
    const memfd = descriptors.createMemfd('passed', { size: 10 })._unsafeUnwrap()
    memfd.addSeals('shrink', 'grow')._unsafeUnwrap()
    const event = descriptors.createEventFd()._unsafeUnwrap()
    const { reader, writer } = descriptors.createPipe()._unsafeUnwrap()
    const directory = descriptors.adopt(openSync('/', 'r'))
    const device = descriptors.adopt(openSync('/dev/null', 'r'))
    const sent = [memfd.fd, event.fd, reader, writer, directory, device, left.fd, file]
    left.trySend(bytesOf('x'), sent)._unsafeUnwrap()
    const { fds } = await receive(right)
    const seen = fds.map((fd) => descriptors.inspect(fd)._unsafeUnwrap())
    expect(seen.map(({ type }) => type)).toEqual<FileType[]>([
      'file',
      'anonymous',
      'pipe',
      'pipe',
      'directory',
      'character-device',
      'socket',
      'file',
    ])
    expect(seen[0]?.seals).toEqual(['shrink', 'grow'])
    expect(seen.slice(2, 4).map(({ access }) => access)).toEqual(['read', 'write'])
    expect(seen.every(({ closeOnExec }) => closeOnExec)).toBe(true)
    for (const owner of [memfd, event, reader, writer, directory, device, ...fds]) owner.close()
  })

  test('what was sent stays the sender’s to close, before it arrives and after', async () => {
    const sent = file.duplicate()._unsafeUnwrap()
    left.trySend(bytesOf('x'), [sent])._unsafeUnwrap()
    sent.close()
    const { fds } = await receive(right)
    expect(fstatSync(fds[0]!.number).ino).toBe(fstatSync(file.number).ino)
    fds[0]!.close()
  })

  test('what nobody received is released when the sockets close', () => {
    const { reader, writer } = descriptors.createPipe()._unsafeUnwrap()
    left.trySend(bytesOf('x'), [writer])._unsafeUnwrap()
    writer.close()
    left.close()
    right.close()
    // The end of the pipe: nobody holds its writer any more. A blocking read would hang here otherwise.
    expect(readSync(reader.number, Buffer.alloc(1))).toBe(0)
    reader.close()
  })

  test('a socket that was passed over a socket is used like any other', async () => {
    const [near, far] = descriptors.socketpair('seqpacket')._unsafeUnwrap()
    left.trySend(bytesOf('take this'), [far.fd])._unsafeUnwrap()
    far.close()
    const { fds } = await receive(right)
    using passed = descriptors.adoptSocket(fds[0]!, 'seqpacket')
    near.trySend(bytesOf('hello'), [file])._unsafeUnwrap()
    expect(await receiveCount(passed)).toEqual(['hello', 1])
    near.close()
  })

  test('a pipe that was passed still carries bytes', async () => {
    const { reader, writer } = descriptors.createPipe()._unsafeUnwrap()
    left.trySend(bytesOf('x'), [writer])._unsafeUnwrap()
    writer.close()
    const { fds } = await receive(right)
    writeSync(fds[0]!.number, 'through')
    fds[0]!.close()
    const read = Buffer.alloc(16)
    expect(read.toString('latin1', 0, readSync(reader.number, read))).toBe('through')
    reader.close()
  })

  test('a receive takes the memory it was given room for, however much waits', async () => {
    while (left.trySend(new Uint8Array(4096))._unsafeUnwrap() > 0);
    expect((await receiveCount(right, 10))[0]).toHaveLength(10)
    using inbox = descriptors.createInbox({ maxBytes: 10 })._unsafeUnwrap()
    right.tryReceive(inbox)._unsafeUnwrap()
    expect([inbox.length, inbox.buffer.buffer.byteLength]).toEqual([10, 10])
  })

  test('100 rounds of 28 descriptors each way leave nothing behind', async () => {
    const fds = Array.from({ length: 28 }, () => file)
    for (let round = 0; round < 100; round++) {
      left.trySend(bytesOf('there'), fds)._unsafeUnwrap()
      const there = await receive(right)
      right.trySend(bytesOf('back'), there.fds)._unsafeUnwrap()
      for (const fd of there.fds) fd.close()
      expect(await receiveCount(left)).toEqual(['back', 28])
    }
  })
})
