import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parsePublicKey, type TrustPolicy } from '../../src/index.js'
import { binaryCache, fetchClosure, nixStore, openBlobCache } from '../../src/linux.js'
import { COMPRESSIONS } from '../../src/sources/decompress.js'
import { CacheServer } from '../sources/fake-cache.js'
import { BuiltStore } from './nix-builds.js'

const scratch = mkdtempSync(join(tmpdir(), 'binary-cache-'))
const built = new BuiltStore()
afterAll(() => {
  built[Symbol.dispose]()
  rmSync(scratch, { recursive: true, force: true })
})

let roots: string[]
const secretKey = (name: string) => join(scratch, `${name}.secret`)
beforeAll(() => {
  roots = built.build('several', 'graph')
  for (const name of ['alpha', 'beta']) {
    built.run(
      'nix-store',
      '--generate-binary-cache-key',
      `${name}-1`,
      secretKey(name),
      join(scratch, `${name}.public`),
    )
  }
})

/** What Nix itself writes. */
function copyTo(name: string, key: string, compression: string): string {
  const directory = join(scratch, name)
  built.run(
    'nix',
    'copy',
    '--to',
    `file://${directory}?compression=${compression}&secret-key=${secretKey(key)}`,
    ...roots,
  )
  return directory
}

function filesOf(directory: string): Map<string, Buffer> {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  )
  return new Map(
    entries.map(({ parentPath, name }) => {
      const path = join(parentPath, name)
      return [path.slice(directory.length + 1), readFileSync(path)]
    }),
  )
}

function policy(need: number): TrustPolicy {
  const builders = ['alpha', 'beta'].map((name) => {
    const publicKey = parsePublicKey(readFileSync(join(scratch, `${name}.public`), 'utf8'))._unsafeUnwrap()
    return { name, keys: [{ publicKey }] }
  })
  return { builders, need, contentAddressed: 'k-of-n' }
}

describe('a closure from binary caches that Nix has written', () => {
  it.each(COMPRESSIONS)('compressed with %s is what the store has, byte for byte', async (compression) => {
    const directory = copyTo(compression, 'alpha', compression)
    await using server = await CacheServer.open(filesOf(directory))
    const cache = (await openBlobCache(join(scratch, `fetched-${compression}`)))._unsafeUnwrap()
    for (const address of [server.address, `file://${directory}`]) {
      const caches = [binaryCache(address)._unsafeUnwrap()]
      const { closure } = (
        await fetchClosure(roots, { caches, policy: policy(1), cache }).result
      )._unsafeUnwrap()
      const store = nixStore({ root: built.root })
      const known = (await store.closure(roots))._unsafeUnwrap()
      expect(closure.paths).toEqual(
        known.paths.map(({ path, narHash, narSize, references }) => ({ path, narHash, narSize, references })),
      )
      const local = (await openBlobCache(join(scratch, 'local'), { locate: store.locate }))._unsafeUnwrap()
      const [here, there] = [await local.attach(closure), await cache.attach(closure)].map((each) =>
        each._unsafeUnwrap(),
      )
      for (const [index, { file }] of [here!.metadata, ...here!.blobs].entries()) {
        expect(readFileSync([there!.metadata, ...there!.blobs][index]!.file).equals(readFileSync(file))).toBe(
          true,
        )
      }
      await local.close()
    }
    expect((await cache.verify())._unsafeUnwrap().damaged).toEqual([])
    await cache.close()
  })

  it('is admitted when two builders agree, and not when only one has signed', async () => {
    const [alpha, beta] = [copyTo('by-alpha', 'alpha', 'none'), copyTo('by-beta', 'beta', 'zstd')]
    const caches = [alpha, beta].map((directory) => binaryCache(`file://${directory}`)._unsafeUnwrap())
    const cache = (await openBlobCache(join(scratch, 'agreed')))._unsafeUnwrap()
    const alone = await fetchClosure(roots, { caches: caches.slice(1), policy: policy(2), cache }).result
    expect(alone._unsafeUnwrapErr().kind).toBe('not-admitted')
    const { verdict } = (
      await fetchClosure(roots, { caches, policy: policy(2), cache }).result
    )._unsafeUnwrap()
    for (const { outcome } of verdict.paths)
      expect(outcome).toMatchObject({ kind: 'agreed', builders: ['alpha', 'beta'] })
    await cache.close()
  })
})
