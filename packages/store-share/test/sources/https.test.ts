import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { openBlobCache } from '../../src/index.js'
import {
  binaryCache,
  cacheFiles,
  clock,
  fetchClosure,
  type LinuxBinaryCacheOptions,
  openFiles,
  processOwners,
} from '../../src/linux.js'
import { directory, file, memoryTree, storePath } from '../memory-store.js'
import { builder, CacheServer, cacheFilesOf, policyOf } from './fake-cache.js'
import { Authority } from './identities.js'

const scratch = mkdtempSync(join(tmpdir(), 'https-'))
afterAll(() => rmSync(scratch, { recursive: true }))

const alice = builder('alice')
const app = storePath('1', 'app')
const files = cacheFilesOf([{ path: app, root: directory({ app: file('#!app', true) }) }], [alice])
const authority = new Authority(scratch, 'authority')
const here = authority.vouchFor('IP:127.0.0.1')
const elsewhere = authority.vouchFor('DNS:cache.example')

async function fetchedFrom(server: CacheServer, options: LinuxBinaryCacheOptions) {
  const retries: string[] = []
  const source = binaryCache(server.address, { ...options, onRetry: ({ why }) => retries.push(why) })
  const powers = { clock, tree: memoryTree({}), files: cacheFiles, owners: await processOwners(), openFiles }
  await using cache = (await openBlobCache(powers, mkdtempSync(join(scratch, 'cache-'))))._unsafeUnwrap()
  const caches = [source._unsafeUnwrap()]
  const result = await fetchClosure([app], { cache, policy: policyOf(1, alice), caches }).result
  return { result, retries }
}

describe('a binary cache over https', () => {
  test('is fetched from when an authority of the user’s own vouches for it', async () => {
    await using server = await CacheServer.open(files, here)
    const { result } = await fetchedFrom(server, { authorities: [authority.certificate] })
    expect(result._unsafeUnwrap().closure.paths.map(({ path }) => path)).toEqual([app])
    expect(server.count(/^nar\//)).toBe(1)
  })

  test.each([
    ['nobody known vouches for', here, [], 'name the authority that vouches'],
    [
      'another authority vouches for',
      here,
      [new Authority(scratch, 'other').certificate],
      'name the authority',
    ],
    ['has the certificate of another name', elsewhere, [authority.certificate], 'for another name'],
  ])('that %s is not talked to, and not tried again', async (_name, identity, authorities, remedy) => {
    await using server = await CacheServer.open(files, identity)
    const { result, retries } = await fetchedFrom(server, { authorities })
    const failure = result._unsafeUnwrapErr()
    expect(failure.message).toContain(remedy)
    expect(retries).toEqual([])
    expect(server.requests).toEqual([])
  })

  test('does not redirect to plain http', async () => {
    await using plain = await CacheServer.open(files)
    await using server = await CacheServer.open(files, here)
    server.misbehave = (request, response) => {
      response.writeHead(302, { location: `${plain.address}/${request.url?.split('/').at(-1)}` }).end()
      return true
    }
    const { result } = await fetchedFrom(server, { authorities: [authority.certificate] })
    expect(result._unsafeUnwrapErr().message).toContain('which is not followed')
    expect(plain.requests).toEqual([])
  })

  test('with an authority that is no certificate is refused at once', () => {
    const wrong = binaryCache('https://127.0.0.1/', { authorities: [authority.certificate, 'PEM'] })
    expect(wrong._unsafeUnwrapErr()).toMatchObject({
      reason: 'certificate',
      message: expect.stringContaining('Authority 2 of 2'),
    })
  })
})
