import { mkdtempSync, openSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { unixFd } from '../src/linux.js'

const descriptors = unixFd()._unsafeUnwrap()
const look = (number: number) => descriptors.inspect(descriptors.adopt(number))._unsafeUnwrap()

test('a descriptor that came from elsewhere is told by type, access, flags and identity', () => {
  const folder = mkdtempSync(join(tmpdir(), 'unix-fd-'))
  const path = join(folder, 'file')
  using written = descriptors.adopt(openSync(path, 'a'))
  const { ino, dev } = statSync(path, { bigint: true })
  expect(descriptors.inspect(written)._unsafeUnwrap()).toMatchObject({
    type: 'file',
    size: 0n,
    inode: ino,
    device: dev,
    access: 'write',
    append: true,
    nonBlocking: false,
    closeOnExec: true,
    socket: undefined,
  })
  rmSync(folder, { recursive: true })
  const [reading, both, place] = [
    openSync('/etc', 'r'),
    openSync('/dev/null', 'r+'),
    openSync('/', 0o10000000),
  ]
  expect(look(reading)).toMatchObject({ type: 'directory', access: 'read' })
  expect(look(both)).toMatchObject({ type: 'character-device', access: 'read-write', seals: undefined })
  expect(look(place)).toMatchObject({ type: 'directory', access: 'path' })
  for (const number of [reading, both, place]) descriptors.adopt(number).close()
})

test('a memfd shows its seals, a pipe its direction, an eventfd that it is nothing of the file system', () => {
  using memfd = descriptors.createMemfd('m', { size: 4097 })._unsafeUnwrap()
  memfd.addSeals('shrink', 'future-write')._unsafeUnwrap()
  expect(descriptors.inspect(memfd.fd)._unsafeUnwrap()).toMatchObject({
    type: 'file',
    size: 4097n,
    seals: ['shrink', 'future-write'],
  })
  const { reader, writer } = descriptors.createPipe({ nonBlocking: true })._unsafeUnwrap()
  expect(descriptors.inspect(reader)._unsafeUnwrap()).toMatchObject({
    type: 'pipe',
    access: 'read',
    nonBlocking: true,
  })
  expect(descriptors.inspect(writer)._unsafeUnwrap()).toMatchObject({ type: 'pipe', access: 'write' })
  reader.close()
  writer.close()
  using event = descriptors.createEventFd()._unsafeUnwrap()
  expect(descriptors.inspect(event.fd)._unsafeUnwrap()).toMatchObject({ type: 'anonymous', seals: undefined })
  event.close()
  expect(descriptors.inspect(event.fd)._unsafeUnwrapErr().kind).toBe('closed')
})

test('a socket tells its domain and type, and whether it listens', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'unix-fd-'))
  for (const type of ['stream', 'seqpacket'] as const) {
    using listener = descriptors.listen(join(folder, type), type)._unsafeUnwrap()
    using client = descriptors.connect(join(folder, type), type)._unsafeUnwrap()
    expect(descriptors.inspect(listener.fd)._unsafeUnwrap()).toMatchObject({
      type: 'socket',
      socket: { domain: 'unix', type, listening: true },
    })
    expect(descriptors.inspect(client.fd)._unsafeUnwrap()).toMatchObject({
      nonBlocking: true,
      closeOnExec: true,
      socket: { domain: 'unix', type, listening: false },
    })
  }
  rmSync(folder, { recursive: true })
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle
  const borrowed = descriptors.adopt(fd)
  expect(descriptors.inspect(borrowed)._unsafeUnwrap().socket).toEqual({
    domain: 2,
    type: 'stream',
    listening: true,
  })
  borrowed.take()
  server.close()
})
