import * as childProcess from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Fd, UnixSocket } from '@spectrum/unix-fd'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { expectNothingKept, type Held, held } from '../../../unix-fd/test/held.js'
import { clock, openView } from '../../src/linux.js'
import { ControlClient } from '../../src/view/control/client.js'
import { encode, MOST_PACKET_BYTES, parseAnswer, parseRequest } from '../../src/view/control/messages.js'
import { type OpenViewPowers, openView as openWith } from '../../src/view/open.js'
import { fakeView, runViewProgram, type View } from '../../src/view.js'
import { Driver } from './driver.js'
import { descriptors, FrontEnd, soon } from './front-end.js'
import { NAME, OTHER, Sample } from './serving.js'

const folders: string[] = []
const folder = () => {
  const made = mkdtempSync(join(tmpdir(), 'view-control-'))
  folders.push(made)
  return made
}
afterAll(() => {
  for (const made of folders) rmSync(made, { recursive: true, force: true })
})

describe('a view in a process of its own', () => {
  let sample: Sample
  let view: View
  beforeAll(async () => {
    sample = new Sample()
    view = (await openView({ directory: folder(), tag: 'store' }))._unsafeUnwrap()
  })
  afterAll(async () => {
    await view.close()
    sample[Symbol.dispose]()
  })

  const connected = async () => {
    const frontEnd = new FrontEnd(descriptors.connect(view.socket, 'stream')._unsafeUnwrap())
    await frontEnd.start()
    const driver = new Driver(frontEnd)
    await driver.initialise()
    return { frontEnd, driver }
  }
  const granted = (name: string) => view.grant({ name, location: join(sample.root, name) })

  test('serves what its host grants, until it revokes it', async () => {
    ;(await granted(NAME))._unsafeUnwrap()
    const { frontEnd, driver } = await connected()
    using _ = frontEnd
    const text = await driver.walk(NAME, 'text')
    expect((await driver.read(text, 0, 64))!.payload.toString()).toBe('hello, guest')
    ;(await granted(OTHER))._unsafeUnwrap()
    ;(await granted(OTHER))._unsafeUnwrap()
    expect((await driver.read(await driver.walk(OTHER, 'file'), 0, 64))!.payload.toString()).toBe('other')
    ;(await view.revoke(OTHER))._unsafeUnwrap()
    expect((await driver.lookup(1n, OTHER))!.error).toBe(-2)
    expect((await view.revoke(OTHER))._unsafeUnwrapErr().kind).toBe('not-granted')
    expect((await view.counters())._unsafeUnwrap()).toMatchObject({ grants: 1, frontEnds: 1, bytesRead: 17 })
  })

  test('tells its host why it does not grant', async () => {
    const kind = async (name: string, location: string) =>
      (await view.grant({ name, location })).match(
        () => 'granted',
        (error) => error.kind,
      )
    expect(await kind('a/b', sample.root)).toBe('invalid-name')
    expect(await kind('nothing', join(sample.root, 'nothing'))).toBe('missing-path')
    expect(await kind('null', '/dev/null')).toBe('unsupported-file')
    expect(await kind(NAME, join(sample.root, OTHER))).toBe('already-granted')
    expect(await kind('single', join(sample.root, NAME, 'text'))).toBe('granted')
    const aborted = await view.grant({ name: 'x', location: sample.root }, { signal: AbortSignal.abort() })
    expect(aborted._unsafeUnwrapErr().kind).toBe('aborted')
  })

  test('survives a front end that breaks every rule, and lets the next one in', async () => {
    for (const garbage of [
      Buffer.alloc(4096, 0xff),
      Buffer.alloc(12),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    ]) {
      using socket = descriptors.connect(view.socket, 'stream')._unsafeUnwrap()
      ;(await socket.send(garbage, { signal: soon() }))._unsafeUnwrap()
      expect((await socket.receive({ signal: soon() })).unwrapOr({ kind: 'end' as const })).toEqual({
        kind: 'end',
      })
    }
    const { frontEnd, driver } = await connected()
    using _ = frontEnd
    expect(await driver.walk(NAME)).toBeGreaterThan(1n)
    expect((await view.counters())._unsafeUnwrap().protocolErrors).toBe(3)
  })

  test('serves one front end at a time, and the next when that has gone', async () => {
    const { frontEnd } = await connected()
    using second = new FrontEnd(descriptors.connect(view.socket, 'stream')._unsafeUnwrap())
    const started = second.start()
    const waited = await Promise.race([started.then(() => 'served'), view.counters().then(() => 'waits')])
    expect(waited).toBe('waits')
    frontEnd[Symbol.dispose]()
    await started
  })

  test('ends with its host’s end of the channel, and leaves nothing', async () => {
    const before = held()
    const directory = folder()
    const short = (await openView({ directory }))._unsafeUnwrap()
    process.kill(short.pid, 0)
    await short.close()
    expect(await short.ended).toEqual({ kind: 'closed' })
    expect(() => process.kill(short.pid, 0)).toThrow()
    expect(readdirSync(directory)).toEqual([])
    expectNothingKept(before)
    expect((await short.counters())._unsafeUnwrapErr().kind).toBe('closed')
  })

  test('that is killed is lost, and says so to whoever waits for it', async () => {
    const lost = (await openView({ directory: folder() }))._unsafeUnwrap()
    process.kill(lost.pid, 'SIGSTOP')
    const asked = lost.counters()
    const impatient = await lost.counters({ deadlineMs: 20 })
    expect(impatient._unsafeUnwrapErr().kind).toBe('timed-out')
    process.kill(lost.pid, 'SIGKILL')
    expect((await asked)._unsafeUnwrapErr().kind).toBe('view-lost')
    expect(await lost.ended).toMatchObject({ kind: 'lost' })
  })
})

describe('opening a view', () => {
  const powers = (script: string): OpenViewPowers => {
    const { spawn } = childProcess
    return {
      descriptors,
      clock,
      program: { file: process.execPath, argv: ['-e', script], environment: {} },
      processes: {
        async spawn({ file, argv }) {
          const child = spawn(file, argv, { stdio: ['ignore', 'ignore', 'pipe'] })
          const exit = new Promise((resolve) => child.once('close', resolve))
          return { pid: child.pid!, output: child.stderr!, exit, kill: () => child.kill('SIGKILL') }
        },
      },
    }
  }

  test('fails with what its program said when that ends at once', async () => {
    const before = held()
    const directory = folder()
    const failed = await openWith(powers('console.error("no \\u001b[31mluck"); process.exit(3)'), {
      directory,
    })
    expect(failed._unsafeUnwrapErr()).toMatchObject({ kind: 'not-started', output: 'no \\x1b[31mluck' })
    expect(readdirSync(directory)).toEqual([])
    expectNothingKept(before)
  })

  test('fails when its program hangs, is not there, or its directory is not', async () => {
    const before = held()
    const options = { directory: folder(), deadlineMs: 50 }
    expect((await openWith(powers('setTimeout(() => {}, 1e6)'), options))._unsafeUnwrapErr().kind).toBe(
      'timed-out',
    )
    const absent: OpenViewPowers = {
      ...powers(''),
      processes: { spawn: () => Promise.reject(new Error('spawn ENOENT')) },
    }
    expect((await openWith(absent, { directory: folder() }))._unsafeUnwrapErr().kind).toBe('not-started')
    const nowhere = await openWith(powers(''), { directory: '/nowhere/at/all' })
    expect(nowhere._unsafeUnwrapErr().kind).toBe('system')
    expect(() => openWith(powers(''), { directory: 'relative' })).toThrow(RangeError)
    expect(() => openWith(powers(''), { directory: '/', limits: { maxNodes: 0 } })).toThrow(RangeError)
    expectNothingKept(before)
  })
})

describe('the program', () => {
  let before: Held
  beforeEach(() => {
    before = held()
  })
  afterEach(() => {
    expectNothingKept(before)
  })
  const fillRandom = () => {}
  const running = () => {
    const [ours, theirs] = descriptors.socketpair('seqpacket')._unsafeUnwrap()
    return { ours, end: runViewProgram(theirs, { descriptors, clock, fillRandom }) }
  }
  const say = async (socket: UnixSocket, message: unknown, fds: readonly Fd[] = []) =>
    (await socket.send(encode(message), { fds, signal: soon() }))._unsafeUnwrap()
  const configure = { id: 1, do: 'configure', tag: 'view', limits: {} }

  test('ends when its host does not keep to the protocol', async () => {
    const wrong: readonly (readonly [unknown, number?])[] = [
      ['not an object'],
      [{}],
      [{ id: 1 }],
      [{ id: -1, do: 'counters' }],
      [{ id: 1, do: 'counters' }],
      [{ id: 1, do: 'grant', name: 'x' }, 1],
      [{ ...configure, limits: { maxNodes: '5' } }],
      [{ ...configure, limits: { other: 5 } }],
      [{ ...configure, more: 1 }],
      [{ id: 1, do: 'configure', limits: {} }],
      [configure, 1],
    ]
    for (const [message, fds = 0] of wrong) {
      const { ours, end } = running()
      using fd = descriptors.openPath('/', 'place')._unsafeUnwrap()
      await say(ours, message, Array(fds).fill(fd))
      expect(await end).toBe('host-broke-protocol')
      ours.close()
    }
    for (const [message, fds = 0] of [
      [configure],
      [{ id: 2, do: 'grant', name: 'x' }],
      [{ id: 2, do: 'grant', name: '../x' }, 1],
      [{ id: 2, do: 'revoke', name: 'x' }, 1],
      [{ id: 2, do: 'counters', name: 'x' }],
      [{ id: 2, do: 'open', name: '/etc/passwd' }],
    ] as const) {
      const { ours, end } = running()
      using fd = descriptors.openPath('/', 'place')._unsafeUnwrap()
      await say(ours, configure)
      await say(ours, message, Array(fds).fill(fd))
      expect(await end).toBe('host-broke-protocol')
      ours.close()
    }
  })

  test('attaches connected stream sockets only', async () => {
    const { ours, end } = running()
    await say(ours, configure)
    const [one, other] = descriptors.socketpair('seqpacket')._unsafeUnwrap()
    using place = descriptors.openPath('/', 'place')._unsafeUnwrap()
    await say(ours, { id: 2, do: 'attach' }, [one.fd])
    await say(ours, { id: 3, do: 'attach' }, [place])
    const answer = async () => {
      const received = (await ours.receive({ signal: soon() }))._unsafeUnwrap()
      return received.kind === 'data' ? parseAnswer(received.bytes)._unsafeUnwrap() : undefined
    }
    expect(await answer()).toEqual({ id: 1 })
    for (const id of [2, 3]) expect(await answer()).toMatchObject({ id, failure: { kind: 'refused' } })
    for (const socket of [one, other, ours]) socket.close()
    expect(await end).toBe('host-gone')
  })
})

describe('what a program says', () => {
  test('is taken only as it is meant', () => {
    const bad = ['', '[]', '"x"', '{', '{"id":-1}', '{"id":1.5}', '{"id":"1"}', '{"id":1,"counters":{}}']
    bad.push('{"id":1,"failure":{"kind":"x","message":""}}', '{"id":1,"failure":{"kind":"busy"}}')
    bad.push('{"event":"front-end-gone","kind":"x","message":""}', '{"event":"other"}', '{"id":1e300}')
    for (const text of bad) expect(parseAnswer(Buffer.from(text)).isErr()).toBe(true)
    expect(parseAnswer(Buffer.from([0xff, 0xfe])).isErr()).toBe(true)
    expect(parseRequest(Buffer.from('{"id":1,"do":"__proto__"}')).isErr()).toBe(true)
  })

  test('of the longest names fits a packet', () => {
    const name = '\u0001'.repeat(255)
    const message = encode({ id: Number.MAX_SAFE_INTEGER, do: 'grant', name })
    expect(message.length).toBeLessThan(MOST_PACKET_BYTES)
    expect(parseRequest(message)._unsafeUnwrap().request).toEqual({ do: 'grant', name })
  })
})

describe('a program that is not to be trusted', () => {
  const gone = { event: 'front-end-gone', kind: 'finished', message: '' }
  const place = () => descriptors.openPath('/', 'place')._unsafeUnwrap()

  /** A host's end, what it was told, and a program that says what it is given. */
  function talking() {
    const [ours, theirs] = descriptors.socketpair('seqpacket')._unsafeUnwrap()
    const client = new ControlClient(ours, clock)
    let told = 0
    client.onFrontEndGone(() => {
      told += 1
    })
    return {
      client,
      told: () => told,
      say: async (message: unknown) =>
        (await theirs.send(encode(message), { signal: soon() }))._unsafeUnwrap(),
      [Symbol.dispose]() {
        client.close()
        theirs.close()
      },
    }
  }

  test('is cut off when it answers what was not asked, or twice', async () => {
    using unasked = talking()
    await unasked.say({ id: 1 })
    expect(await unasked.client.ended).toBe('its program answered what was not asked')
    using twice = talking()
    const asked = twice.client.ask({ do: 'counters' }, [])
    await twice.say({ id: 1 })
    expect((await asked).isOk()).toBe(true)
    await twice.say({ id: 1 })
    expect(await twice.client.ended).toBe('its program answered what was not asked')
  })

  test('may answer once what was given up', async () => {
    using late = talking()
    const asked = late.client.ask({ do: 'counters' }, [], { deadlineMs: 1 })
    expect((await asked)._unsafeUnwrapErr().kind).toBe('timed-out')
    await late.say({ id: 1 })
    const again = late.client.ask({ do: 'counters' }, [])
    await late.say({ id: 2 })
    expect((await again).isOk()).toBe(true)
  })

  test('tells of as many front ends that have gone as it was given', async () => {
    using fd = place()
    using one = talking()
    const attached = one.client.ask({ do: 'attach' }, [fd])
    await one.say({ id: 1 })
    expect((await attached).isOk()).toBe(true)
    await one.say(gone)
    await one.say(gone)
    expect(await one.client.ended).toContain('a front end that it does not have')
    expect(one.told()).toBe(1)
    using refused = talking()
    const asked = refused.client.ask({ do: 'attach' }, [fd])
    await refused.say({ id: 1, failure: { kind: 'busy', message: '' } })
    expect((await asked)._unsafeUnwrapErr().kind).toBe('busy')
    await refused.say(gone)
    expect(await refused.client.ended).toContain('a front end that it does not have')
    expect(refused.told()).toBe(0)
  })
})

test('a fake view remembers what it was told, fails when asked to, and can be lost', async () => {
  const view = fakeView({ tag: 'x' })
  ;(await view.grant({ name: NAME, location: '/a' }))._unsafeUnwrap()
  expect((await view.grant({ name: NAME, location: '/b' }))._unsafeUnwrapErr().kind).toBe('already-granted')
  expect([...view.granted]).toEqual([[NAME, '/a']])
  view.failNext('revoke', { kind: 'timed-out', message: 'late' })
  expect((await view.revoke(NAME))._unsafeUnwrapErr().kind).toBe('timed-out')
  ;(await view.revoke(NAME))._unsafeUnwrap()
  expect((await view.counters())._unsafeUnwrap().grants).toBe(0)
  view.lose()
  expect((await view.revoke(NAME))._unsafeUnwrapErr().kind).toBe('view-lost')
  expect(await view.ended).toMatchObject({ kind: 'lost' })
  const other = fakeView()
  await other.close()
  expect((await other.counters())._unsafeUnwrapErr().kind).toBe('closed')
})
