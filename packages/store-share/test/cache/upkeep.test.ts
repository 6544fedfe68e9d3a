import {
  chmodSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type BlobCacheOptions,
  type BlobCachePowers,
  type Closure,
  type FileVerity,
  type OpenBlobCache,
  type OutputFile,
  openBlobCache,
} from '../../src/index.js'
import { cacheFiles, clock, openFiles, processOwners } from '../../src/linux.js'
import { directory, file, infoOf, type MemoryNode, memoryTree, storePath } from '../memory-store.js'

const paths: Record<string, MemoryNode> = {
  [storePath('1', 'library')]: directory({
    'lib.so': file(Buffer.alloc(3 << 20, 'lib')),
    small: file('small'),
  }),
  [storePath('2', 'program')]: file('#!program', true),
  [storePath('3', 'other')]: file('other'),
}
const infos = Object.entries(paths).map(([path, root]) => infoOf(path, root))
const [library, program, other] = infos as [(typeof infos)[0], (typeof infos)[0], (typeof infos)[0]]
const closureOf = (...paths: typeof infos): Closure => ({ roots: [], paths })

let root: string
const opened: OpenBlobCache[] = []
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'upkeep-'))
})
afterEach(async () => {
  for (const cache of opened.splice(0)) await cache.close()
  rmSync(root, { recursive: true, force: true })
})

/** Nothing is open in any process, whatever the kernel says: what leases alone protect. */
const nothingOpen = async () => new Set<string>()

async function open(
  powers: Partial<BlobCachePowers> = {},
  options: BlobCacheOptions = {},
): Promise<OpenBlobCache> {
  const { self, alive } = await processOwners()
  const owners = { self, alive: async (owner: string) => owner === 'elsewhere-1' || alive(owner) }
  const all = { clock, tree: memoryTree(paths), files: cacheFiles, owners, openFiles: nothingOpen, ...powers }
  const cache = (await openBlobCache(all, root, options))._unsafeUnwrap()
  opened.push(cache)
  return cache
}

/** As if another process had opened it, which runs for as long as `alive` says. */
async function openElsewhere(alive: () => boolean = () => true): Promise<OpenBlobCache> {
  return open({
    owners: { self: 'elsewhere-1', alive: async (owner) => (owner === 'elsewhere-1' ? alive() : true) },
  })
}

const seenFrom = (alive: boolean) => ({
  self: 'here-1',
  alive: async (owner: string) => (owner === 'elsewhere-1' ? alive : true),
})

const filesIn = (below: string) =>
  readdirSync(join(root, below), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))

const take = async (cache: OpenBlobCache) => (await cache.collect())._unsafeUnwrap()

describe('a collection', () => {
  it('removes what nobody uses, with its index, and says what that frees', async () => {
    const cache = await open()
    const attachment = (await cache.attach(closureOf(library, program)))._unsafeUnwrap()
    const allocated = [attachment.metadata, ...attachment.blobs].map(
      ({ file }) => statSync(file).blocks * 512,
    )
    ;(await cache.release(attachment))._unsafeUnwrap()
    const dry = (await cache.collect({ dryRun: true }))._unsafeUnwrap()
    expect(filesIn('blobs')).toHaveLength(4)
    const collection = await take(cache)
    expect(collection).toEqual(dry)
    expect(collection.removed).toHaveLength(3)
    expect(collection.freedBytes).toBe(allocated.reduce((sum, each) => sum + each, 0))
    expect([...filesIn('blobs'), ...filesIn('images'), ...filesIn('temporary')]).toEqual([])
  })

  it('keeps what is leased: by this cache, by another of this process, by another process', async () => {
    const here = await open()
    const elsewhere = await openElsewhere()
    const first = (await here.attach(closureOf(library)))._unsafeUnwrap()
    const second = (await elsewhere.attach(closureOf(library, program)))._unsafeUnwrap()
    await here.release(first)
    const third = await open()
    expect(await take(third)).toMatchObject({ removed: [{ file: first.metadata.file }], kept: { leased: 3 } })
    for (const { file } of [second.metadata, ...second.blobs]) expect(existsSync(file)).toBe(true)
    await elsewhere.release(second)
    expect((await take(third)).removed).toHaveLength(3)
  })

  it('counts leases: what two units hold goes when both have released it, and a second release is none', async () => {
    const cache = await open()
    const [one, two] = [await cache.attach(closureOf(library)), await cache.attach(closureOf(library))]
    await cache.release(one._unsafeUnwrap())
    await cache.release(one._unsafeUnwrap())
    expect((await take(cache)).removed).toEqual([])
    await cache.release(two._unsafeUnwrap())
    expect((await take(cache)).removed).toHaveLength(2)
  })

  it('takes what a process held that has died, but not what its orphans still map or have open', async () => {
    const dying = await openElsewhere()
    const { metadata, blobs } = (await dying.attach(closureOf(library, program)))._unsafeUnwrap()
    const owners = seenFrom(false)
    const orphan = openSync(blobs[0]!.file, 'r')
    try {
      const cache = await open({ owners, openFiles })
      expect(filesIn('leases')).toEqual([])
      const collection = await take(cache)
      expect(collection.kept).toMatchObject({ leased: 0, open: 1 })
      expect(collection.removed.map(({ file }) => file).sort()).toEqual(
        [blobs[1]!.file, metadata.file].sort(),
      )
      expect(existsSync(blobs[0]!.file)).toBe(true)
    } finally {
      closeSync(orphan)
    }
    expect((await take(await open({ owners, openFiles }))).removed).toHaveLength(1)
  })

  it('keeps what it is told to', async () => {
    const cache = await open()
    const attachment = (await cache.attach(closureOf(library, program, other)))._unsafeUnwrap()
    await cache.release(attachment)
    const byHash = new Map(attachment.blobs.map((blob) => [blob.id, blob]))
    const inUse = [byHash.get(library.narHash)!]
    const collection = (await cache.collect({ inUse, keep: [program.narHash] }))._unsafeUnwrap()
    expect(collection.kept).toEqual({ leased: 0, open: 0, inUse: 1, wanted: 1 })
    expect(filesIn('blobs').filter((name) => name.endsWith('.blob'))).toHaveLength(2)
  })

  it('leaves a mapped file whole even where it is wrong about its use: unlinked, never cut short', async () => {
    const cache = await open()
    const blob = (await cache.blob(library))._unsafeUnwrap()
    const held = openSync(blob.file, 'r')
    try {
      await cache.release(blob)
      await take(cache)
      expect(existsSync(blob.file)).toBe(false)
      expect(readFileSync(held).length).toBe(blob.sizeBytes)
    } finally {
      closeSync(held)
    }
  })

  it('leaves what is being built alone, and files that are not of the cache', async () => {
    let collections = 0
    const tree = memoryTree(paths)
    const collector = await openElsewhere()
    const building = await open({
      tree: {
        ...tree,
        open: async (path) => {
          expect((await take(collector)).removed).toEqual([])
          collections++
          return tree.open(path)
        },
      },
    })
    writeFileSync(join(root, 'blobs/notes.txt'), 'mine')
    ;(await building.blob(library))._unsafeUnwrap()
    expect(collections).toBe(1)
    expect((await take(collector)).removed).toEqual([])
    expect(existsSync(join(root, 'blobs/notes.txt'))).toBe(true)
  })

  it('and an attachment at the same moment: one of them waits, and every file that is given out is there', async () => {
    const [host, collector] = [await open(), await openElsewhere()]
    for (let round = 0; round < 15; round++) {
      const built = (await host.attach(closureOf(library, program)))._unsafeUnwrap()
      await host.release(built)
      // Both see the files unleased at first; whatever interleaving comes, what attach returned must exist.
      const [attached] = await Promise.all([host.attach(closureOf(library, program)), collector.collect()])
      const attachment = attached._unsafeUnwrap()
      for (const { file, sizeBytes } of [attachment.metadata, ...attachment.blobs]) {
        expect(statSync(file).size).toBe(sizeBytes)
      }
      await host.release(attachment)
    }
  })

  it('that dies in the middle holds nobody up, and the next one ends its work', async () => {
    const cache = await open()
    const attachment = (await cache.attach(closureOf(library, program, other)))._unsafeUnwrap()
    await cache.release(attachment)
    let removals = 0
    const dying = await open({
      owners: { self: 'elsewhere-1', alive: async () => true },
      files: {
        ...cacheFiles,
        // From the third removal on nothing happens any more: the process is gone.
        remove: (path) => (removals++ < 3 ? cacheFiles.remove(path) : new Promise(() => {})),
      },
    })
    void dying.collect()
    opened.splice(opened.indexOf(dying), 1)
    await expect.poll(() => removals).toBeGreaterThan(3)
    const survivor = await open({ owners: seenFrom(false) })
    const again = (await survivor.attach(closureOf(library, program, other)))._unsafeUnwrap()
    for (const { file } of again.blobs) expect(existsSync(file)).toBe(true)
    await survivor.release(again)
    await take(survivor)
    expect([...filesIn('blobs'), ...filesIn('images'), ...filesIn('temporary')]).toEqual([])
  })

  it('waits for nobody for ever: an attachment that a stuck collection holds up has its deadline', async () => {
    const elsewhere = await openElsewhere()
    writeFileSync(join(root, 'leases/collecting.elsewhere-1.0'), '')
    const cache = await open({ owners: seenFrom(true) })
    const error = (await cache.attach(closureOf(program), { deadlineMs: 100 }))._unsafeUnwrapErr()
    expect(error.kind).toBe('timed-out')
    rmSync(join(root, 'leases/collecting.elsewhere-1.0'))
    expect((await elsewhere.attach(closureOf(program))).isOk()).toBe(true)
  })

  it('does not guess at leases that a newer program wrote', async () => {
    const cache = await open()
    await cache.release((await cache.blob(program))._unsafeUnwrap())
    writeFileSync(join(root, 'leases', `${(await processOwners()).self}.7`), 'spectrum-leases-9\n???\n')
    const error = (await cache.collect())._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'system' })
    expect(error.message).toContain('newer program')
    expect(filesIn('blobs')).toHaveLength(2)
  })
})

describe('leases', () => {
  it('end with the cache and leave nothing', async () => {
    const cache = await open()
    ;(await cache.attach(closureOf(library)))._unsafeUnwrap()
    expect(filesIn('leases')).toHaveLength(1)
    await cache.close()
    await cache.close()
    expect(filesIn('leases')).toEqual([])
    expect((await take(await open())).removed).toHaveLength(2)
  })

  it('are not left by an attachment that failed', async () => {
    const cache = await open()
    const wrong = { ...library, narHash: '1'.repeat(64) }
    expect((await cache.attach(closureOf(program, wrong))).isErr()).toBe(true)
    expect((await take(cache)).kept.leased).toBe(0)
  })

  it('name the PID namespace and the boot of their process, and one that cannot be seen is not called dead', async () => {
    const { self, alive } = await processOwners()
    const [pid, start, namespace, boot] = self.split('-')
    expect(await alive(self)).toBe(true)
    expect(await alive(`${pid}-1-${namespace}-${boot}`)).toBe(false)
    expect(await alive(`${pid}-${start}-1-${boot}`)).toBe(true)
    expect(await alive(`999999999-1-1-${boot}`)).toBe(true)
    expect(await alive(`${pid}-${start}-${namespace}-00000000`)).toBe(false)
    expect(await alive('999999999-1')).toBe(false)
  })
})

describe('what units may share', () => {
  const inode = ({ file }: { file: string }) => statSync(file).ino

  it('is everything, nothing, or what their owner shares; the bytes are the same', async () => {
    const cache = await open()
    const closure = closureOf(library)
    const owner = (owner: string) => ({ shareAcross: { across: 'same-owner', owner } as const })
    const alone = { shareAcross: { across: 'never' } as const }
    const attach = async (options = {}) => (await cache.attach(closure, options))._unsafeUnwrap()
    const [all, again] = [await attach(), await attach()]
    const [work, office, home] = [
      await attach(owner('work')),
      await attach(owner('work')),
      await attach(owner('../home')),
    ]
    const [one, two] = [await attach(alone), await attach(alone)]
    const inodes = [all, work, home, one, two].flatMap(({ metadata, blobs }) =>
      [metadata, ...blobs].map(inode),
    )
    expect(new Set(inodes).size).toBe(inodes.length)
    expect(again.blobs.map(inode)).toEqual(all.blobs.map(inode))
    expect(office.blobs.map(inode)).toEqual(work.blobs.map(inode))
    for (const { metadata, blobs } of [work, home, one, two]) {
      expect(metadata.id).toBe(all.metadata.id)
      expect(readFileSync(blobs[0]!.file).equals(readFileSync(all.blobs[0]!.file))).toBe(true)
      expect(blobs[0]!.file.startsWith(`${root}/`)).toBe(true)
      expect(statSync(blobs[0]!.file).nlink).toBe(1)
    }
  })

  it('is planned apart for units that start together', async () => {
    const cache = await open()
    const closures = new Map(['a', 'b', 'c', 'd'].map((unit) => [unit, closureOf(library, program)]))
    const sharing = new Map([
      ['a', { across: 'same-owner', owner: 'x' } as const],
      ['b', { across: 'same-owner', owner: 'x' } as const],
      ['c', { across: 'never' } as const],
    ])
    const units = (await cache.attachAll(closures, { sharing, deviceBudget: 2 }))._unsafeUnwrap()
    expect([...units.keys()]).toEqual(['a', 'b', 'c', 'd'])
    const files = [...units.values()].map(({ blobs }) => blobs[0]!.file)
    expect(files[0]).toBe(files[1])
    expect(new Set(files).size).toBe(3)
  })

  it('private copies go when they are released, when their process dies, and are used again by an injection', async () => {
    const cache = await openElsewhere()
    const options = { shareAcross: { across: 'never' } as const }
    const first = (await cache.attach(closureOf(library), options))._unsafeUnwrap()
    const present = first.blobs
    const more = (await cache.attach(closureOf(library, program), { ...options, present }))._unsafeUnwrap()
    expect(more.blobs[0]!.file).toBe(first.blobs[0]!.file)
    ;(await cache.release(more))._unsafeUnwrap()
    expect(existsSync(more.blobs[1]!.file)).toBe(false)
    expect(existsSync(first.blobs[0]!.file)).toBe(true)
    ;(await cache.release(first))._unsafeUnwrap()
    expect(readdirSync(join(root, 'private'))).toEqual([])
    ;(await cache.attach(closureOf(library), options))._unsafeUnwrap()
    const collection = await take(await open({ owners: seenFrom(false) }))
    expect(collection.removed).toHaveLength(2)
    expect(readdirSync(join(root, 'private'))).toEqual([])
  })

  it('private copies are made from a blob where the store has the path no more', async () => {
    ;(await (await open()).blob(library))._unsafeUnwrap()
    const cache = await open({ tree: memoryTree({}) })
    const copy = (
      await cache.attach(closureOf(library), { shareAcross: { across: 'never' } })
    )._unsafeUnwrap()
    expect(readFileSync(copy.blobs[0]!.file).subarray(0, 3).toString()).toBe('lib')
    expect((await cache.attach(closureOf(program)))._unsafeUnwrapErr().kind).toBe('missing-reference')
  })
})

describe('verifying', () => {
  const damage = (path: string, position: number, bytes = Buffer.from([0x7f])) => {
    chmodSync(path, 0o644)
    const fd = openSync(path, 'r+')
    writeSync(fd, bytes, 0, bytes.length, position)
    closeSync(fd)
    chmodSync(path, 0o444)
  }

  it('finds nothing in a cache that is sound', async () => {
    const cache = await open()
    const attachment = (await cache.attach(closureOf(...infos), { deviceBudget: 3 }))._unsafeUnwrap()
    ;(await cache.attach(closureOf(library), { shareAcross: { across: 'never' } }))._unsafeUnwrap()
    const sizes = [attachment.metadata, ...attachment.blobs].map(({ sizeBytes }) => sizeBytes)
    const { checkedFiles, checkedBytes, damaged } = (await cache.verify())._unsafeUnwrap()
    expect(damaged).toEqual([])
    expect(checkedFiles).toBe(sizes.length + 2)
    expect(checkedBytes).toBeGreaterThan(sizes.reduce((sum, size) => sum + size, 0))
  })

  it.each([
    ['contents', 'a flipped bit in a file', (blob: string) => damage(blob, 1_000_000)],
    ['padding', 'data after the end of a file', (blob: string) => damage(blob, (3 << 20) + 4096 + 100)],
    ['padding', 'data where nothing is', (blob: string) => damage(blob, (4 << 20) - 5000)],
    ['trailer', 'another trailer', (blob: string) => damage(blob, (4 << 20) - 4090)],
    ['size', 'a file cut short', (blob: string) => truncateSync(blob, 2 << 20)],
    ['size', 'an empty file', (blob: string) => truncateSync(blob, 0)],
    ['index', 'a lost index', (blob: string) => rmSync(blob.replace(/blob$/, 'json'))],
  ])('says %s for %s', async (expected, _, harm) => {
    const cache = await open()
    const { file, id } = (await cache.blob(library))._unsafeUnwrap()
    harm(file)
    const { damaged } = (await cache.verify())._unsafeUnwrap()
    expect(damaged).toEqual([{ id, file, damage: expected }])
    expect((await cache.verify({ only: [{ id: program.narHash }] }))._unsafeUnwrap().checkedFiles).toBe(0)
  })

  it.each([
    ['contents', 2000],
    ['padding', 1_500_000],
  ])('says %s for an image that was written into', async (expected, position) => {
    const cache = await open()
    const { metadata } = (await cache.attach(closureOf(library)))._unsafeUnwrap()
    damage(metadata.file, position)
    const { damaged } = (await cache.verify())._unsafeUnwrap()
    expect(damaged).toEqual([{ id: metadata.id, file: metadata.file, damage: expected }])
    // An attachment does not believe it either.
    ;(await cache.attach(closureOf(library)))._unsafeUnwrap()
    if (expected === 'contents') expect((await cache.verify())._unsafeUnwrap().damaged).toEqual([])
  })

  it('takes damaged files away if asked, so that they are built anew', async () => {
    const cache = await open()
    const blob = (await cache.blob(library))._unsafeUnwrap()
    damage(blob.file, 7)
    const held = openSync(blob.file, 'r')
    try {
      expect((await cache.verify({ removeDamaged: true }))._unsafeUnwrap().damaged).toHaveLength(1)
      expect(existsSync(blob.file)).toBe(false)
      expect(readFileSync(held).length).toBe(blob.sizeBytes)
    } finally {
      closeSync(held)
    }
    ;(await cache.blob(library))._unsafeUnwrap()
    expect((await cache.verify())._unsafeUnwrap().damaged).toEqual([])
  })

  it('says how many blobs the kernel protects, tries that once where it is refused, and can leave it', async () => {
    const enabled: string[] = []
    const verity = (supported: boolean): FileVerity => ({
      enable: async (path) => {
        // Complete, unnamed and not yet read-only, as the kernel wants it.
        expect(path.startsWith(join(root, 'temporary/'))).toBe(true)
        expect(statSync(path).mode & 0o200).not.toBe(0)
        enabled.push(path)
        return supported
          ? { kind: 'enabled', digest: 'sha256:00' }
          : { kind: 'unsupported', message: 'not here' }
      },
      measure: async () => 'sha256:00',
    })
    const attached = async (powers: Partial<BlobCachePowers>, options = {}) => {
      const cache = await open(powers, options)
      ;(await cache.attach(closureOf(...infos)))._unsafeUnwrap()
      const { verity } = (await cache.verify())._unsafeUnwrap()
      rmSync(join(root, 'blobs'), { recursive: true })
      return { verity, tried: enabled.splice(0).length }
    }
    expect(await attached({ verity: verity(true) })).toEqual({ verity: { protectedBlobs: 3 }, tried: 3 })
    const refused = { protectedBlobs: 0, unsupported: 'not here' }
    const { verity: found, tried } = await attached({ verity: verity(false) })
    expect(found).toEqual(refused)
    expect(tried).toBeLessThanOrEqual(3)
    const off = await attached({ verity: verity(true) }, { verity: 'off' })
    expect(off).toMatchObject({ verity: { protectedBlobs: 0 }, tried: 0 })
  })

  it('says that the disk refuses', async () => {
    ;(await (await open()).blob(program))._unsafeUnwrap()
    const files = {
      ...cacheFiles,
      open: async () => ({
        read: () => Promise.reject(Object.assign(new Error('bad sector'), { code: 'EIO' })),
        close: async () => {},
      }),
    }
    const { damaged } = (await (await open({ files })).verify())._unsafeUnwrap()
    expect(damaged).toMatchObject([{ damage: 'unreadable' }])
  })
})

describe('a host that is killed at any step', () => {
  /** Lets the first `steps` changes of the cache's files happen and then nothing more, ever. */
  function dyingAfter(steps: number) {
    const outputs: OutputFile[] = []
    let left = steps
    let die = () => {}
    const dead = new Promise<void>((resolve) => {
      die = resolve
    })
    const step =
      <A extends unknown[], R>(work: (...args: A) => Promise<R>) =>
      (...args: A): Promise<R> => {
        if (left-- > 0) return work(...args)
        die()
        return new Promise<R>(() => {})
      }
    const files: typeof cacheFiles = {
      ...cacheFiles,
      sizeOf: cacheFiles.sizeOf,
      create: step(async (path: string) => {
        const output = await cacheFiles.create(path)
        outputs.push(output)
        return {
          write: step((bytes: Uint8Array, position: number) => output.write(bytes, position)),
          sync: step(() => output.sync()),
          close: () => output.close(),
        }
      }),
      makeReadOnly: step(cacheFiles.makeReadOnly),
      rename: step(cacheFiles.rename),
      link: step(cacheFiles.link),
      remove: step(cacheFiles.remove),
      makeDirectory: step(cacheFiles.makeDirectory),
    }
    return { files, dead, outputs }
  }

  it('leaves nothing that is wrong, and the next one builds the same and cleans up', async () => {
    const closure = closureOf(other, program)
    const expected = (await (await open({}, {})).attach(closure))._unsafeUnwrap()
    const bytes = expected.blobs.map(({ file }) => readFileSync(file))
    for (let steps = 0; ; steps++) {
      for (const cache of opened.splice(0)) await cache.close()
      rmSync(root, { recursive: true, force: true })
      const { files, dead, outputs } = dyingAfter(steps)
      const dying = openBlobCache(
        {
          clock,
          tree: memoryTree(paths),
          files,
          owners: { self: 'elsewhere-1', alive: async () => true },
          openFiles: nothingOpen,
        },
        root,
      ).andThen((cache) => cache.attach(closure))
      const survived = await Promise.race([dead.then(() => false), Promise.resolve(dying).then(() => true)])
      const next = await open({ owners: seenFrom(false) })
      const sound = (await next.verify())._unsafeUnwrap()
      // Only an index may be missing: its blob was named first.
      expect(sound.damaged.filter(({ damage }) => damage !== 'index')).toEqual([])
      const attachment = (await next.attach(closure))._unsafeUnwrap()
      expect(attachment.metadata.id).toBe(expected.metadata.id)
      for (const [index, blob] of attachment.blobs.entries()) {
        expect(readFileSync(blob.file).equals(bytes[index]!)).toBe(true)
      }
      expect(filesIn('temporary')).toEqual([])
      expect((await next.verify())._unsafeUnwrap().damaged).toEqual([])
      // The kernel would close them.
      for (const output of outputs) await output.close()
      if (survived) {
        expect(steps).toBeGreaterThan(20)
        break
      }
    }
  })
})
