import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  connectControl,
  connectControlWith,
  serveControl,
  serveControlWith,
} from '@spectrum/unit-runtime/control'
import { manualClock } from '@spectrum/unit-runtime/fake'
import { liveFds } from '@spectrum/unix-fd'
import { afterEach, describe, expect, it } from 'vitest'
import { mayBeTold } from '../../src/linux/control.js'
import { settle } from '../supervision/watched-host.js'
import { gdb, hello, openServed, Pairs, powers } from './served.js'

const fds = liveFds()
afterEach(() => expect.poll(() => liveFds()).toBe(fds))

async function textOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  return (await bytesOf(bytes)).toString()
}

async function bytesOf(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of bytes) chunks.push(chunk)
  return Buffer.concat(chunks)
}

describe('a host that serves control', () => {
  it('tells who it is and which units it has', async () => {
    await using served = await openServed()
    await using client = await served.client()
    expect(client.host).toMatchObject({ pid: 42, directory: served.host.directory, monitor: 'fake' })
    expect((await client.list())._unsafeUnwrap()).toMatchObject([
      { name: 'left', state: 'running', since: 1_000_000, running: { paths: 1, injection: 'devices' } },
      { name: 'right', state: 'running' },
    ])
  })

  it('runs a command: both outputs, and how it ended', async () => {
    await using served = await openServed()
    await using client = await served.client()
    const command = (await client.exec('left', [`${hello}/bin/hello`, 'you']))._unsafeUnwrap()
    expect(await Promise.all([textOf(command.stdout), textOf(command.stderr), command.outcome])).toEqual([
      'hello you\n',
      'to stderr\n',
      { kind: 'exited', code: 3 },
    ])
  })

  it('says that there is no such program, unit, or store path', async () => {
    await using served = await openServed()
    await using client = await served.client()
    const command = (await client.exec('left', [`${hello}/bin/none`]))._unsafeUnwrap()
    expect(await command.outcome).toMatchObject({ kind: 'not-started', reason: 'not-found' })
    expect((await client.exec('lef', ['/x']))._unsafeUnwrapErr()).toMatchObject({
      kind: 'failed',
      failure: { kind: 'no-such-unit' },
      message: 'there is no unit "lef"; there are: left, right',
    })
    expect((await client.inject('left', ['/usr']))._unsafeUnwrapErr()).toMatchObject({ kind: 'failed' })
  })

  it('carries input and output byte by byte, while another command is not read at all', async () => {
    await using served = await openServed()
    await using client = await served.client()
    const input = randomBytes(3 * 1024 * 1024)
    const stalled = (await client.exec('right', [`${hello}/bin/copy`], { stdin: 'open' }))._unsafeUnwrap()
    let stalledTook = 0
    void (async () => {
      for (;;) {
        await stalled.stdin!.write(input.subarray(0, 65_536))
        stalledTook += 65_536
      }
    })().catch(() => {})
    const command = (await client.exec('left', [`${hello}/bin/copy`], { stdin: 'open' }))._unsafeUnwrap()
    void command.stdin!.write(input).then(() => command.stdin!.end())
    expect((await bytesOf(command.stdout)).equals(input)).toBe(true)
    expect(await command.outcome).toEqual({ kind: 'exited', code: 0 })
    // A window here, one at the host, one in the unit, each way: no more than that is ever held.
    expect(stalledTook).toBeLessThan(3 * 1024 * 1024)
    stalled.cancel()
    expect(await stalled.outcome).toEqual({ kind: 'cancelled' })
  })

  it('gives a command what is written without waiting, in order, and the end behind it', async () => {
    await using served = await openServed()
    await using client = await served.client()
    const parts = Array.from({ length: 5 }, () => randomBytes(200_000))
    const command = (await client.exec('left', [`${hello}/bin/copy`], { stdin: 'open' }))._unsafeUnwrap()
    const written = [...parts.map((part) => command.stdin!.write(part)), command.stdin!.end()]
    expect((await bytesOf(command.stdout)).equals(Buffer.concat(parts))).toBe(true)
    await Promise.all(written)
    expect(await command.outcome).toEqual({ kind: 'exited', code: 0 })
  })

  it('sends signals to a command', async () => {
    await using served = await openServed()
    await using client = await served.client()
    const command = (await client.exec('left', [`${hello}/bin/stay`]))._unsafeUnwrap()
    command.signal(15)
    expect(await command.outcome).toEqual({ kind: 'signalled', signal: 'SIGTERM', coreDumped: false })
  })

  it('ends what a client has started when the client goes', async () => {
    let ended = 0
    await using served = await openServed({
      programs: {
        [`${hello}/bin/stay`]: (process) =>
          new Promise((resolve) => {
            process.killed.addEventListener('abort', () => {
              ended += 1
              resolve(0)
            })
          }),
      },
    })
    const client = await served.client()
    ;(await client.exec('left', [`${hello}/bin/stay`]))._unsafeUnwrap()
    await client[Symbol.asyncDispose]()
    await expect.poll(() => ended).toBe(1)
    await expect.poll(() => served.server.clients).toBe(0)
    expect((await client.list())._unsafeUnwrapErr().kind).toBe('aborted')
  })

  it('cancels a command by the signal of whoever started it', async () => {
    await using served = await openServed()
    await using client = await served.client()
    const controller = new AbortController()
    const { signal } = controller
    const command = (await client.exec('left', [`${hello}/bin/stay`], { signal }))._unsafeUnwrap()
    controller.abort()
    expect(await command.outcome).toEqual({ kind: 'cancelled' })
  })

  it('injects store paths', async () => {
    await using served = await openServed()
    await using client = await served.client()
    expect((await client.inject('left', [gdb]))._unsafeUnwrap()).toMatchObject({
      added: [gdb],
      way: 'devices',
    })
    expect((await client.list())._unsafeUnwrap()[0]?.running?.paths).toBe(2)
  })

  it('gives the log: the newest lines, then those that come, until the unit ends', async () => {
    await using served = await openServed()
    await using client = await served.client()
    served.print('left', 'one')
    served.print('right', 'another')
    served.print('left', 'two')
    const heard: string[] = []
    const lines = (await client.logs({ unit: 'left', lines: 1, follow: true }))._unsafeUnwrap()
    const reading = (async () => {
      for await (const line of lines.lines) heard.push('text' in line ? line.text : 'lost')
    })()
    await expect.poll(() => heard).toEqual(['two'])
    served.print('left', 'three')
    served.print('right', 'not this')
    await expect.poll(() => heard).toEqual(['two', 'three'])
    ;(await client.stop({ unit: 'left', graceMs: 0 }))._unsafeUnwrap()
    await reading
    expect((await lines.ended).isOk()).toBe(true)
    const after = (await client.logs())._unsafeUnwrap()
    const texts: string[] = []
    for await (const line of after.lines) if ('text' in line) texts.push(`${line.unit} ${line.text}`)
    expect(texts).toEqual(expect.arrayContaining(['left one', 'left two', 'left three', 'right another']))
    expect((await client.logs({ unit: 'none' }))._unsafeUnwrapErr().kind).toBe('failed')
  })

  it('gives the logs of all units to a client that begins to read late, every line of them whole', async () => {
    const clock = manualClock()
    await using served = await openServed({ clock })
    await using client = await served.client()
    const log = (await client.logs({ lines: 0, follow: true }))._unsafeUnwrap()
    // Together more than one window.
    const long = 'x'.repeat(1_000)
    for (let second = 0; second < 3; second += 1) {
      for (const unit of ['left', 'right'])
        for (let line = 0; line < 150; line += 1) served.print(unit, `${second} ${line} ${long}`)
      await settle()
      clock.advance(1_000)
    }
    const heard = { left: 0, right: 0, lost: 0 }
    const reading = (async () => {
      for await (const line of log.lines) {
        if ('lost' in line) heard.lost += line.lost
        else if (line.source === 'console') heard[line.unit as 'left' | 'right'] += 1
      }
    })()
    await expect.poll(() => heard).toEqual({ left: 450, right: 450, lost: 0 })
    await client.stop({ graceMs: 0 })
    await reading
    expect((await log.ended).isOk()).toBe(true)
  })

  it('stops one unit, tells of it afterwards, then stops all', async () => {
    await using served = await openServed()
    await using client = await served.client()
    expect((await client.stop({ unit: 'left', graceMs: 0 }))._unsafeUnwrap()).toEqual({
      stopped: [{ unit: 'left', graceful: false }],
    })
    expect((await client.list())._unsafeUnwrap().map(({ name, state }) => [name, state])).toEqual([
      ['right', 'running'],
      ['left', 'stopped'],
    ])
    expect((await client.exec('left', ['/x']))._unsafeUnwrapErr().message).toContain('unit "left" is stopped')
    expect((await client.stop())._unsafeUnwrap()).toEqual({ stopped: [{ unit: 'right', graceful: true }] })
    await served.server.stopped
    expect(served.host.units.size).toBe(0)
  })

  it('serves only its own user and the superuser', async () => {
    const uid = process.getuid?.() ?? 0
    // Whoever runs these tests as the superuser is let in anywhere: another user is pretended at the socket.
    await using served = await openServed({ uid: uid + 1 })
    const socket = served.pairs.connect()
    if (uid !== 0) {
      expect((await connectControlWith(socket, powers))._unsafeUnwrapErr().kind).toBe('host-lost')
      return
    }
    const client = (await connectControlWith(socket, powers))._unsafeUnwrap()
    await client[Symbol.asyncDispose]()
    const pairs = new Pairs()
    const stranger = pairs.connect()
    const accepted = (await pairs.accept())!
    let given = false
    await using server = serveControlWith(served.host, {
      ...powers,
      listener: {
        path: '/nowhere',
        accept: (signal) => {
          if (given) return pairs.accept()
          given = true
          signal.throwIfAborted()
          return Promise.resolve({ ...accepted, peerUid: () => 12_345 })
        },
        close: () => pairs.close(),
        [Symbol.dispose]: () => pairs.close(),
      },
      epochMs: () => 0,
      uid,
      pid: 1,
    })
    expect((await connectControlWith(stranger, powers))._unsafeUnwrapErr().kind).toBe('host-lost')
    expect(server.clients).toBe(0)
  })

  it('takes no more clients than it has room for, and takes others when some have gone', async () => {
    await using served = await openServed()
    const clients = await Promise.all(Array.from({ length: 64 }, () => served.client()))
    expect((await connectControlWith(served.pairs.connect(), powers))._unsafeUnwrapErr().kind).toBe(
      'host-lost',
    )
    await clients[0]![Symbol.asyncDispose]()
    await expect.poll(() => served.server.clients).toBe(63)
    clients[0] = await served.client()
    await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()))
  })

  it('lets what waits end when it is closed', async () => {
    const served = await openServed()
    const client = await served.client()
    const command = (await client.exec('left', [`${hello}/bin/stay`]))._unsafeUnwrap()
    await served[Symbol.asyncDispose]()
    expect(['cancelled', 'unit-lost']).toContain((await command.outcome).kind)
    expect((await client.closed).kind).toBe('host-lost')
    expect((await client.list())._unsafeUnwrapErr().kind).toBe('host-lost')
    await client[Symbol.asyncDispose]()
  })
})

describe('what cannot be asked', () => {
  it('is told to whoever asked it, and the connection goes on with the rest', async () => {
    await using served = await openServed()
    await using client = await served.client()
    const command = (await client.exec('left', [`${hello}/bin/stay`]))._unsafeUnwrap()
    const asked = [
      [await client.exec('left', []), 'argv must be a list of 1 to 1024'],
      [await client.exec('', ['/x']), 'unit must be text of 1 to 64 bytes'],
      [
        await client.exec('left', ['/x'], { pty: { rows: 0, columns: 80 } }),
        'pty.rows must be a whole number',
      ],
      [await client.inject('left', Array(257).fill(gdb)), 'paths must be a list of 1 to 256'],
      [await client.logs({ lines: -1 }), 'lines must be a whole number'],
      [await client.stop({ unit: 'left', graceMs: Number.NaN }), 'graceMs must be a whole number'],
    ] as const
    for (const [answer, why] of asked)
      expect(answer._unsafeUnwrapErr()).toMatchObject({
        kind: 'invalid-request',
        message: expect.stringContaining(why),
      })
    expect(() => command.signal(65)).toThrow(RangeError)
    expect(() => command.resize({ rows: 24, columns: 0 })).toThrow('columns must be')
    command.signal(9)
    expect(await command.outcome).toMatchObject({ kind: 'signalled' })
  })
})

describe('the socket of a host', () => {
  const place = mkdtempSync(join(tmpdir(), 'control-'))
  chmodSync(place, 0o700)
  afterEach(() => rmSync(place, { recursive: true, force: true }))

  it('is for its user alone, and goes with the server', async () => {
    await using served = await openServed()
    const socket = join(place, 'socket')
    const server = serveControl(served.host, { socket })._unsafeUnwrap()
    expect(statSync(socket).mode & 0o777).toBe(0o600)
    const client = (await connectControl(socket))._unsafeUnwrap()
    expect(client.host.pid).toBe(process.pid)
    await client[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
    expect((await connectControl(socket))._unsafeUnwrapErr()).toMatchObject({ kind: 'not-listening' })
  })

  it.each([
    [1_000, 1_000, true],
    [0, 1_000, true],
    [1_001, 1_000, false],
    [undefined, 1_000, false],
    [1_001, 0, true],
    [undefined, undefined, false],
  ])('is served by user %s, to whom user %s may talk: %s', (peer, own, may) => {
    expect(mayBeTold(peer, own)).toBe(may)
  })
})
