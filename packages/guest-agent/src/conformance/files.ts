import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import type { Agent, FileContent, FileGet, FilePut, GuestFilePlace } from '../agent.js'
import { limits } from '../frames.js'
import { type ConformanceSubject, checkOf, collect, finish, pattern, start, withDeadline } from './probe.js'

const check = checkOf<ConformanceSubject>()
/** More than a window of a stream. */
const manyBytes = 2 * limits.streamWindow + 13

/** What every agent promises of files. */
export const fileChecks = [
  check('puts a file and gives it back byte for byte, with its mode', async (subject) => {
    const { agent } = subject
    const below = await directory(subject)
    for (const [size, mode] of [
      [0, 0o600],
      [1, 0o4755],
      [manyBytes, 0o644],
    ] as const) {
      const place = { below, path: `file-${size}` }
      const content = pattern(size, 3)
      ;(await agent.putFile({ ...place, mode }, content))._unsafeUnwrap()
      const file = (await agent.getFile(place))._unsafeUnwrap()
      assert.equal(file.size, size)
      assert.equal(file.mode, mode)
      assert.ok((await collect(file.content)).equals(content))
      assert.ok((await file.ended).isOk())
    }
    assert.deepEqual(await list(subject, below), ['file-0', 'file-1', `file-${manyBytes}`].sort())
  }),

  check('replaces a file and a link whole, and follows no link to do so', async (subject) => {
    const { agent } = subject
    const below = await directory(subject)
    await put(agent, { below, path: 'other' }, 'other')
    await run(subject, 'link', 'other', `${below}/link`)
    for (const path of ['link', 'other']) await put(agent, { below, path }, `new ${path}`)
    assert.equal(await read(agent, { below, path: 'link' }), 'new link')
    assert.equal(await read(agent, { below, path: 'other' }), 'new other')
    assert.deepEqual(await list(subject, below), ['link', 'other'])
  }),

  check('takes content as it comes', async (subject) => {
    const { agent } = subject
    const below = await directory(subject)
    const content = {
      size: 6,
      content: (async function* () {
        for (const part of ['one', '', 'two']) yield Buffer.from(part)
      })(),
    }
    ;(await agent.putFile({ below, path: 'parts' }, content))._unsafeUnwrap()
    assert.equal(await read(agent, { below, path: 'parts' }), 'onetwo')
  }),

  check('refuses what is not there and what is no regular file, by kind', async (subject) => {
    const below = await directory(subject)
    await run(subject, 'mkdir', `${below}/directory`)
    await run(subject, 'fifo', `${below}/fifo`)
    await put(subject.agent, { below, path: 'file' }, 'x')
    const expected = {
      absent: ['not-found', undefined],
      'absent/file': ['not-found', 'not-found'],
      directory: ['is-directory', 'is-directory'],
      'file/below': ['not-found', 'not-found'],
      fifo: ['not-regular', 'not-regular'],
    } as const
    for (const [path, [got, wasPut]] of Object.entries(expected)) {
      assert.equal(await reasonOfGet(subject, { below, path }), got, `get ${path}`)
      if (wasPut !== undefined)
        assert.equal(await reasonOfPut(subject, { below, path }), wasPut, `put ${path}`)
    }
    assert.deepEqual(await list(subject, below), ['directory', 'fifo', 'file'])
  }),

  check('follows links within the directory that was named, and none out of it', async (subject) => {
    const { agent } = subject
    const outer = await directory(subject)
    const below = `${outer}/inner`
    await run(subject, 'mkdir', below)
    await put(agent, { below: outer, path: 'secret' }, 'secret')
    await put(agent, { below, path: 'plain' }, 'plain')
    await run(subject, 'link', 'plain', `${below}/near`)
    await run(subject, 'link', '../secret', `${below}/up`)
    await run(subject, 'link', `${outer}/secret`, `${below}/absolute`)
    await run(subject, 'link', '..', `${below}/out`)
    assert.equal(await read(agent, { below, path: 'near' }), 'plain')
    for (const path of ['up', 'absolute', '../secret', 'out/secret']) {
      assert.equal(await reasonOfGet(subject, { below, path }), 'outside', path)
    }
    for (const path of ['../new', 'out/new']) {
      assert.equal(await reasonOfPut(subject, { below, path }), 'outside', path)
    }
    assert.deepEqual(await list(subject, outer), ['inner', 'secret'])
  }),

  check(
    'leaves nothing behind of a put that is given up, or whose content is not what was promised',
    async (subject) => {
      const { agent } = subject
      const below = await directory(subject)
      const place = { below, path: 'never' }
      const abort = new AbortController()
      const stalled: FileContent = {
        size: manyBytes,
        content: (async function* () {
          yield pattern(1_000, 1)
          abort.abort()
          await new Promise(() => {})
        })(),
      }
      const aborted = (await agent.putFile(place, stalled, { signal: abort.signal }))._unsafeUnwrapErr()
      assert.deepEqual([aborted.kind, 'outcome' in aborted], ['aborted', false])
      for (const size of [2, 4]) {
        const error = (await agent.putFile(place, { size, content: parts('abc') }))._unsafeUnwrapErr()
        assert.equal(error.kind === 'file-failed' && error.reason, 'wrong-size')
      }
      const failing = {
        size: 4,
        content: (async function* () {
          yield Buffer.from('abc')
          throw new Error('disk on fire')
        })(),
      }
      assert.match((await agent.putFile(place, failing))._unsafeUnwrapErr().message, /disk on fire/)
      const late = await agent.putFile(place, { size: 1, content: never() }, { deadlineMs: 30 })
      assert.equal(late._unsafeUnwrapErr().kind, 'timed-out')
      // What was given up goes when the unit hears of it.
      for (let left: string[] = ['?']; left.length > 0; ) left = await list(subject, below)
    },
  ),

  check('gets no more than the caller allows, and gives up where it is told to', async (subject) => {
    const { agent } = subject
    const below = await directory(subject)
    const place = { below, path: 'large' }
    ;(await agent.putFile(place, pattern(manyBytes, 1)))._unsafeUnwrap()
    assert.equal(await reasonOfGet(subject, { ...place, maxBytes: manyBytes - 1 }), 'too-large')
    const whole = (await agent.getFile({ ...place, maxBytes: manyBytes }))._unsafeUnwrap()
    assert.equal((await collect(whole.content)).length, manyBytes)
    const left = (await agent.getFile(place))._unsafeUnwrap()
    for await (const _ of left.content) break
    assert.equal((await left.ended)._unsafeUnwrapErr().kind, 'aborted')
    const cancelled = (await agent.getFile(place))._unsafeUnwrap()
    cancelled.cancel()
    assert.equal((await cancelled.ended)._unsafeUnwrapErr().kind, 'aborted')
    const unread = await withDeadline((deadlineMs) => agent.getFile(place, { deadlineMs }))
    assert.equal((await unread.ended)._unsafeUnwrapErr().kind, 'timed-out')
  }),

  check('carries as many files as connections at once, while one is not read', async (subject) => {
    const { agent } = subject
    const below = await directory(subject)
    ;(await agent.putFile({ below, path: 'large' }, pattern(manyBytes, 1)))._unsafeUnwrap()
    const unread = (await agent.getFile({ below, path: 'large' }))._unsafeUnwrap()
    const names = Array.from({ length: 8 }, (_, i) => `small-${i}`)
    await Promise.all(names.map((path) => put(agent, { below, path }, path)))
    assert.deepEqual(await Promise.all(names.map((path) => read(agent, { below, path }))), names)
    assert.ok((await collect(unread.content)).equals(pattern(manyBytes, 1)))
  }),

  check('says which field of a file cannot be carried', async ({ agent }) => {
    const field = async (place: FilePut, content: FileContent = new Uint8Array()) => {
      const error = (await agent.putFile(place, content))._unsafeUnwrapErr()
      return error.kind === 'invalid-request' && error.field
    }
    assert.equal(await field({ below: 'relative', path: 'x' }), 'below')
    assert.equal(await field({ below: '/tmp', path: '/x' }), 'path')
    assert.equal(await field({ path: '/' }), 'path')
    assert.equal(await field({ path: 'a\0' }), 'path')
    assert.equal(await field({ path: 'x'.repeat(limits.pathBytes + 1) }), 'path')
    assert.equal(await field({ path: 'x', mode: 0o10000 }), 'mode')
    assert.equal(await field({ path: 'x', owner: { uid: -1, gid: 0 } }), 'user')
    assert.equal(await field({ path: 'x' }, { size: -1, content: parts('') }), 'size')
    assert.equal(await field({ path: 'x' }, { size: limits.fileBytes + 1, content: parts('') }), 'size')
  }),
]

let directories = 0

/** A new, empty one. */
async function directory(subject: ConformanceSubject): Promise<string> {
  const path = `${subject.sockets}/files-${directories++}`
  await run(subject, 'mkdir', path)
  return path
}

async function run(subject: ConformanceSubject, ...verb: string[]): Promise<string> {
  const { stdout, stderr, outcome } = await finish(await start(subject, verb))
  assert.deepEqual(outcome, { kind: 'exited', code: 0 }, stderr.toString())
  return stdout.toString()
}

async function list(subject: ConformanceSubject, path: string): Promise<string[]> {
  return (await run(subject, 'list', path))
    .split('\n')
    .filter((line) => line !== '')
    .sort()
}

async function put(agent: Agent, place: GuestFilePlace, text: string): Promise<void> {
  ;(await agent.putFile(place, Buffer.from(text)))._unsafeUnwrap()
}

async function read(agent: Agent, place: GuestFilePlace): Promise<string> {
  return (await collect((await agent.getFile(place))._unsafeUnwrap().content)).toString()
}

async function reasonOfGet({ agent }: ConformanceSubject, file: FileGet): Promise<string> {
  const error = (await agent.getFile(file))._unsafeUnwrapErr()
  return error.kind === 'file-failed' ? error.reason : error.kind
}

async function reasonOfPut({ agent }: ConformanceSubject, file: FilePut): Promise<string> {
  const error = (await agent.putFile(file, Buffer.from('x')))._unsafeUnwrapErr()
  return error.kind === 'file-failed' ? error.reason : error.kind
}

async function* parts(...all: string[]): AsyncGenerator<Uint8Array> {
  for (const part of all) yield Buffer.from(part)
}

async function* never(): AsyncGenerator<Uint8Array> {
  await new Promise(() => {})
}
