import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FetchEvents, type FetchOptions, type OpenBlobCache, openBlobCache } from '../../src/index.js'
import { binaryCache, cacheFiles, clock, fetchClosure, openFiles, processOwners } from '../../src/linux.js'
import { fetchEvents } from '../../src/sources/fetch-closure.js'
import { directory, file, infoOf, memoryTree, storePath, symlink } from '../memory-store.js'
import { builder, type CachedPath, CacheServer, cacheFilesOf, policyOf, sha256 } from './fake-cache.js'

const [alice, bob, mallory] = [builder('alice'), builder('bob'), builder('mallory')]
const [app, library, data] = [storePath('1', 'app'), storePath('2', 'library'), storePath('3', 'data')]
const large = randomBytes(3 << 20)
const paths: readonly CachedPath[] = [
  {
    path: app,
    root: directory({ bin: directory({ app: file('#!app', true) }) }),
    references: [library, app],
  },
  {
    path: library,
    root: directory({ 'lib.so': file(large), 'lib.so.1': symlink('lib.so') }),
    references: [data],
  },
  { path: data, root: file('data') },
]
const tuning = { backOffMs: 1, attempts: 4, answerMs: 20_000, stallMs: 20_000 }

let scratch: string
let cache: OpenBlobCache
let server: CacheServer
beforeEach(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'fetch-'))
  cache = await open('cache')
  server = await CacheServer.open(cacheFilesOf(paths, [alice]))
})
afterEach(async () => {
  await cache.close()
  await server[Symbol.asyncDispose]()
  rmSync(scratch, { recursive: true, force: true })
})

async function open(name: string, tree = memoryTree({})): Promise<OpenBlobCache> {
  const powers = { clock, tree, files: cacheFiles, owners: await processOwners(), openFiles }
  return (await openBlobCache(powers, join(scratch, name)))._unsafeUnwrap()
}

const at = (address: string, options = {}) => binaryCache(address, { ...tuning, ...options })._unsafeUnwrap()

function fetch(options: Partial<FetchOptions> = {}, roots = [app], events = fetchEvents()) {
  const caches = options.caches ?? [
    at(server.address, { onRetry: (retry: never) => events.emit('retry', retry) }),
  ]
  const all = { cache, policy: policyOf(1, alice), ...options, caches }
  return fetchClosure(roots, all, events)
}

const blobFiles = () => readdirSync(join(scratch, 'cache/blobs')).filter((name) => name.endsWith('.blob'))
const nothingUnfinished = () => expect(readdirSync(join(scratch, 'cache/temporary'))).toEqual([])

describe('fetching a closure', () => {
  it('brings every path that the roots need, with the bytes that a local store gives', async () => {
    const { closure, blobs, verdict } = (await fetch().result)._unsafeUnwrap()
    expect(closure.roots).toEqual([app])
    expect(closure.paths.map(({ path }) => path)).toEqual([app, library, data])
    expect(closure.paths[0]!.references).toEqual([library])
    expect(verdict.admitted).toBe(true)
    const local = await open(
      'local',
      memoryTree(Object.fromEntries(paths.map(({ path, root }) => [path, root]))),
    )
    const [here, there] = [await local.attach(closure), await cache.attach(closure)].map((each) =>
      each._unsafeUnwrap(),
    )
    expect(there!.metadata.id).toBe(here!.metadata.id)
    for (const [index, blob] of there!.blobs.entries()) {
      expect(readFileSync(blob.file).equals(readFileSync(here!.blobs[index]!.file))).toBe(true)
    }
    expect(blobs.map(({ storePaths }) => storePaths)).toEqual([[app], [library], [data]])
    nothingUnfinished()
    await local.close()
  })

  it('makes a layer of what it has fetched, without a store', async () => {
    const { closure } = (await fetch().result)._unsafeUnwrap()
    const attachment = (await cache.attach(closure, { deviceBudget: 2 }))._unsafeUnwrap()
    expect(attachment.blobs.map(({ storePaths }) => storePaths)).toEqual([[app, library, data]])
  })

  it('asks for no NAR that is there already, and tells what it does', async () => {
    const seen: Record<string, unknown[]> = {}
    const events = fetchEvents()
    for (const name of [
      'claim',
      'verdict',
      'path-begun',
      'progress',
      'path-done',
    ] as const satisfies (keyof FetchEvents)[]) {
      seen[name] = []
      events.on(name, (event: unknown) => seen[name]!.push(event))
    }
    ;(await fetch({}, [app], events).result)._unsafeUnwrap()
    expect(seen['claim']).toHaveLength(3)
    expect(seen['verdict']).toHaveLength(1)
    expect(seen['path-begun']).toHaveLength(3)
    expect(seen['path-done']).toHaveLength(3)
    expect(seen['progress']!.length).toBeGreaterThan(1)
    const before = server.count(/^nar\//)
    ;(await fetch().result)._unsafeUnwrap()
    expect(server.count(/^nar\//)).toBe(before)
  })

  it('reads a cache in a directory, and none outside of it', async () => {
    const files = cacheFilesOf(paths, [alice], 'br')
    const root = join(scratch, 'file cache')
    for (const [name, bytes] of files) {
      mkdirSync(dirname(join(root, name)), { recursive: true })
      writeFileSync(join(root, name), bytes)
    }
    const caches = [at(`file://${encodeURI(root)}?compression=br`)]
    ;(await fetch({ caches }).result)._unsafeUnwrap()
    for (const url of ['../outside', '/etc/passwd', 'nar/../../outside', 'http://127.0.0.1/x']) {
      const info = files.get(`${data.slice(11, 43)}.narinfo`)!.toString()
      writeFileSync(join(root, `${data.slice(11, 43)}.narinfo`), info.replace(/URL: .*/, `URL: ${url}`))
      const blank = await open(`blank ${encodeURIComponent(url)}`)
      const error = (await fetch({ caches, cache: blank }, [data]).result)._unsafeUnwrapErr()
      expect(error).toMatchObject({ kind: 'fetch-failed', failures: [{ error: { reason: 'unsupported' } }] })
      await blank.close()
    }
  })

  it('says that no cache has a root', async () => {
    const path = storePath('9', 'absent')
    expect((await fetch({}, [path]).result)._unsafeUnwrapErr()).toMatchObject({ kind: 'missing-path', path })
  })

  it('refuses an address that is none, and one with a password', () => {
    for (const address of [
      'ftp://host/',
      'cache',
      'https://me:secret@host/',
      'file://host/x',
      's3://bucket',
    ]) {
      const error = binaryCache(address)._unsafeUnwrapErr()
      expect(error).toMatchObject({ kind: 'cache-failed', reason: 'unsupported' })
    }
  })
})

describe('the policy', () => {
  it('is asked before any data is, and nothing is fetched of a closure with one path that it refuses', async () => {
    const files = new Map([...cacheFilesOf(paths, [alice]), ...cacheFilesOf(paths.slice(2), [mallory])])
    await using other = await CacheServer.open(files)
    const error = (await fetch({ caches: [at(other.address)] }).result)._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'not-admitted', verdict: { admitted: false } })
    expect(error.message).toContain('2 of 3')
    expect(other.count(/^nar\//)).toBe(0)
    expect(blobFiles()).toEqual([])
  })

  it('gets what several caches claim, and the data comes from one that offers what was agreed on', async () => {
    // Mallory's cache offers another library, and is asked first.
    const forged = paths.map((each) => (each.path === library ? { ...each, root: directory({}) } : each))
    await using lying = await CacheServer.open(cacheFilesOf(forged, [mallory]))
    await using second = await CacheServer.open(cacheFilesOf(paths, [bob]))
    const caches = [lying, server, second].map(({ address }) => at(address))
    const fetched = (await fetch({ caches, policy: policyOf(2, alice, bob) }).result)._unsafeUnwrap()
    expect(fetched.closure.paths[1]).toMatchObject({
      path: library,
      narHash: infoOf(library, paths[1]!.root).narHash,
    })
    expect(fetched.verdict.paths[1]!.outcome).toMatchObject({
      kind: 'agreed',
      builders: ['alice-1', 'bob-1'],
    })
    const alone = await fetch({ policy: policyOf(2, alice, bob) }).result
    expect(alone._unsafeUnwrapErr().kind).toBe('not-admitted')
  })

  it('that cannot be followed is said at once', async () => {
    const policy = { ...policyOf(1, alice), need: -1 }
    expect((await fetch({ policy }).result)._unsafeUnwrapErr().kind).toBe('invalid-policy')
    expect(server.requests).toEqual([])
  })

  it('is not led astray by a cache that invents references without end', async () => {
    const endless: CachedPath[] = []
    const name = (index: number) => `/nix/store/${String(index).padStart(32, '0')}-endless`
    for (let index = 0; index < 50; index++) {
      endless.push({ path: name(index), root: file('x'), references: [name(index + 1)] })
    }
    await using other = await CacheServer.open(cacheFilesOf(endless, [mallory]))
    const error = (
      await fetch({ caches: [at(other.address)], maxPaths: 20 }, [name(0)]).result
    )._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'cache-failed', reason: 'too-large' })
    expect(other.count(/narinfo$/)).toBeLessThanOrEqual(20)
  })
})

describe('a server that misbehaves', () => {
  const isNar = (url: string | undefined) => /\/nar\//.test(url ?? '')
  const only = [library]
  const wanted = paths.slice(1)

  it('breaking off again and again is asked for the rest each time', async () => {
    server.misbehave = (request, response, file) => {
      if (!isNar(request.url) || file === undefined || file.length < 1 << 20) return false
      const start = Number(/[0-9]+/.exec(request.headers.range ?? '0')![0])
      const rest = file.subarray(start)
      const part = rest.subarray(0, 1 << 20)
      const range = { 'content-range': `bytes ${start}-${file.length - 1}/${file.length}` }
      response.writeHead(start === 0 ? 200 : 206, {
        'content-length': rest.length,
        ...(start === 0 ? {} : range),
      })
      response.write(part, () => (part.length < rest.length ? response.destroy() : response.end()))
      return true
    }
    const retries: unknown[] = []
    const events = fetchEvents()
    events.on('retry', (retry) => retries.push(retry))
    ;(await fetch({}, only, events).result)._unsafeUnwrap()
    const ranges = server.requests.filter(({ range }) => range !== undefined)
    expect(ranges.length).toBeGreaterThanOrEqual(2)
    expect(retries.length).toBe(ranges.length)
    nothingUnfinished()
  })

  it('knowing no ranges is asked for the whole once more, and what is there is passed over', async () => {
    let broken = 0
    server.misbehave = (request, response, file) => {
      if (!isNar(request.url) || file === undefined || file.length < 1 << 20) return false
      response.writeHead(200, { 'content-length': file.length })
      if (broken++ < 2) response.write(file.subarray(0, 700_000), () => response.destroy())
      else response.end(file)
      return true
    }
    ;(await fetch({}, only).result)._unsafeUnwrap()
    expect(broken).toBe(3)
  })

  it('busy for a while is asked again, with the pause it asks for', async () => {
    let asked = 0
    server.misbehave = (_request, response) => {
      if (asked++ % 3 === 2) return false
      response.writeHead(asked % 2 === 0 ? 503 : 429, { 'retry-after': '0' }).end('busy')
      return true
    }
    ;(await fetch({}, [data]).result)._unsafeUnwrap()
  })

  it('broken for good is given up after a few attempts, and another cache is used', async () => {
    await using healthy = await CacheServer.open(cacheFilesOf(wanted, [alice]))
    server.misbehave = (request, response) => {
      if (!isNar(request.url)) return false
      response.writeHead(500).end()
      return true
    }
    const failed: string[] = []
    const events = fetchEvents()
    events.on('cache-failed', ({ cache }) => failed.push(cache))
    const caches = [at(server.address, { name: 'broken' }), at(healthy.address)]
    ;(await fetch({ caches }, only, events).result)._unsafeUnwrap()
    expect(failed).toEqual(['broken', 'broken'])
    expect(server.count(/^nar\//)).toBe(8)
    const blank = await open('blank')
    const error = (await fetch({ caches: caches.slice(0, 1), cache: blank }, only).result)._unsafeUnwrapErr()
    expect(error).toMatchObject({
      kind: 'fetch-failed',
      failures: [{ error: { reason: 'status', status: 500 } }],
    })
    await blank.close()
  })

  it('gone altogether is said to be unreachable, and soon asked no more', async () => {
    const { address } = server
    await server[Symbol.asyncDispose]()
    const error = (await fetch({ caches: [at(address)] }).result)._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'fetch-failed', failures: [{ error: { reason: 'unreachable' } }] })
    server = await CacheServer.open(new Map())
  })

  it('silent before or within an answer has its deadline, and then it is asked again', async () => {
    let silent = 0
    server.misbehave = (request, response, file) => {
      if (file === undefined || silent >= 2) return false
      silent++
      if (isNar(request.url))
        response.writeHead(200, { 'content-length': file.length }).write(file.subarray(0, 1))
      return true
    }
    const caches = [at(server.address, { answerMs: 300, stallMs: 300 })]
    ;(await fetch({ caches }, [data]).result)._unsafeUnwrap()
    silent = 0
    server.misbehave = (request, response, file) => {
      if (!isNar(request.url) || file === undefined) return false
      silent++
      response.writeHead(200, { 'content-length': file.length }).write(file.subarray(0, 1))
      return true
    }
    const blank = await open('blank')
    const error = (await fetch({ caches, cache: blank }, [data]).result)._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'fetch-failed', failures: [{ error: { reason: 'stalled' } }] })
    await blank.close()
  })

  it.each([
    ['without end', () => '/cache/nar/again'],
    ['to a file', () => 'file:///etc/passwd'],
    ['to a place with a password', () => 'http://me:secret@127.0.0.1/'],
    ['nowhere', () => undefined],
  ])('redirecting %s is not followed', async (_, target) => {
    server.misbehave = (request, response) => {
      if (!isNar(request.url)) return false
      const location = target()
      response.writeHead(302, location === undefined ? {} : { location }).end()
      return true
    }
    const error = (await fetch({}, [data]).result)._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'fetch-failed', failures: [{ error: { reason: 'redirects' } }] })
    expect(server.count(/^nar\//)).toBeLessThan(10)
  })

  it('redirecting to another server is followed', async () => {
    await using mirror = await CacheServer.open(server.files)
    server.misbehave = (request, response) => {
      if (!isNar(request.url)) return false
      response.writeHead(307, { location: mirror.address + request.url!.slice('/cache'.length) }).end()
      return true
    }
    ;(await fetch({}, [data]).result)._unsafeUnwrap()
    expect(mirror.count(/^nar\//)).toBe(1)
  })

  const withNar = async (
    change: (nar: Buffer) => Buffer,
    narinfo: (text: string, file: Buffer) => string,
  ) => {
    const files = cacheFilesOf(wanted, [alice])
    const name = `${library.slice(11, 43)}.narinfo`
    const text = files.get(name)!.toString()
    const url = /URL: (.*)/.exec(text)![1]!
    const file = change(files.get(url)!)
    files.set(url, file)
    files.set(name, Buffer.from(narinfo(text, file)))
    return CacheServer.open(files)
  }
  /** What the cache says of the file; no signature covers it. */
  const honest = (text: string, file: Buffer) =>
    text
      .replace(/FileHash: .*/, `FileHash: sha256:${sha256(file)}`)
      .replace(/FileSize: .*/, `FileSize: ${file.length}`)
  const unchanged = (text: string) => text
  const flip = (nar: Buffer) => {
    const copy = Buffer.from(nar)
    copy[copy.length >> 1]! ^= 1
    return copy
  }
  const otherNar = gzipSync(Buffer.alloc(1000))

  it.each([
    ['with a bit flipped on the way', flip, unchanged, { kind: 'hash-mismatch' }],
    ['that is another NAR, and says so', () => otherNar, honest, { kind: 'malformed-nar', offset: 0 }],
    [
      'that is cut off, and says so',
      (nar: Buffer) => nar.subarray(0, nar.length >> 1),
      honest,
      { reason: 'malformed' },
    ],
    ['longer than announced', (nar: Buffer) => Buffer.concat([nar, nar]), unchanged, { reason: 'too-large' }],
    [
      'that is a bomb',
      () => gzipSync(Buffer.alloc(16 << 20), { level: 1 }),
      honest,
      { kind: 'malformed-nar' },
    ],
    [
      'in a compression that nobody knows',
      (nar: Buffer) => nar,
      (text: string) => text.replace('Compression: gzip', 'Compression: lz77'),
      { reason: 'unsupported' },
    ],
  ])('sending a file %s leaves nothing of the path visible', async (_, change, narinfo, expected) => {
    await using other = await withNar(change, narinfo)
    const error = (await fetch({ caches: [at(other.address)] }, only).result)._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'fetch-failed', failures: [{ error: expected }] })
    expect(blobFiles().some((name) => name.startsWith(infoOf(library, paths[1]!.root).narHash))).toBe(false)
    nothingUnfinished()
  })

  it('sending a narinfo without end, or rubbish, is cut short', async () => {
    for (const [reason, answer] of [
      ['too-large', Buffer.alloc(5 << 20, 'x')],
      ['malformed', Buffer.from('Nix: no\n')],
    ] as const) {
      server.misbehave = (request, response) => {
        if (!/narinfo$/.test(request.url ?? '')) return false
        response.writeHead(200).end(answer)
        return true
      }
      const error = (await fetch({}, [data]).result)._unsafeUnwrapErr()
      expect(error).toMatchObject({ kind: 'fetch-failed', failures: [{ error: { reason } }] })
    }
  })

  it('for another store, or encoding what it sends, is not used', async () => {
    server.misbehave = (request, response) => {
      if (/nix-cache-info$/.test(request.url ?? '')) response.writeHead(200).end('StoreDir: /gnu/store\n')
      else response.writeHead(404).end()
      return true
    }
    const error = (await fetch({}, [data]).result)._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'fetch-failed', failures: [{ error: { reason: 'unsupported' } }] })
    server.misbehave = (request, response, file) => {
      if (!isNar(request.url) || file === undefined) return false
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(file)
      return true
    }
    const encoded = (await fetch({}, [data]).result)._unsafeUnwrapErr()
    expect(encoded).toMatchObject({ kind: 'fetch-failed', failures: [{ error: { reason: 'unsupported' } }] })
  })
})

describe('a fetch that ends before its time', () => {
  it('when it is aborted, or at its deadline, leaves nothing unfinished and nothing open', async () => {
    server.misbehave = (request, response, file) => {
      if (!/\/nar\//.test(request.url ?? '') || file === undefined) return false
      response.writeHead(200, { 'content-length': file.length }).write(file.subarray(0, file.length - 1))
      return true
    }
    const controller = new AbortController()
    const events = fetchEvents()
    events.on('progress', () => controller.abort())
    const aborted = await fetch({ signal: controller.signal }, [library], events).result
    expect(aborted._unsafeUnwrapErr().kind).toBe('aborted')
    nothingUnfinished()
    const late = await fetch({ deadlineMs: 500 }, [library]).result
    expect(late._unsafeUnwrapErr().kind).toBe('timed-out')
    nothingUnfinished()
    expect(blobFiles().length).toBeLessThan(2)
    // Connections that were cut are closed on both sides.
    const connections = () =>
      new Promise<number>((resolve) => server.server.getConnections((_, count) => resolve(count)))
    server.server.closeIdleConnections()
    await expect.poll(connections).toBe(0)
  })
})
