import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDescriptors, openedSince } from '../../unix-fd/test/held.js'
import {
  type BlobCache,
  type BlobCachePowers,
  type CacheFiles,
  type Closure,
  openBlobCache,
  readTrailer,
} from '../src/index.js'
import {
  cacheFiles,
  clock,
  openFiles,
  openBlobCache as openHere,
  processOwners,
  treeReader,
} from '../src/linux.js'
import { readErofs } from './erofs-reader.js'
import { directory, file, infoOf, type MemoryNode, memoryTree, storePath, symlink } from './memory-store.js'

const library = directory({
  lib: directory({ 'lib.so': file(Buffer.alloc(3 << 20, 'lib'), true), 'lib.so.1': symlink('lib.so') }),
})
const program = directory({ bin: directory({ run: file('#!run', true) }), empty: directory({}) })
const links = directory({ current: symlink('elsewhere') })
const paths: Record<string, MemoryNode> = {
  [storePath('1', 'library')]: library,
  [storePath('2', 'program')]: program,
  [storePath('3', 'links')]: links,
  [storePath('4', 'extra')]: file('extra'),
}
const infos = Object.entries(paths).map(([path, root]) => infoOf(path, root))
const [libraryInfo, programInfo, linksInfo, extraInfo] = infos as [
  (typeof infos)[0],
  (typeof infos)[0],
  (typeof infos)[0],
  (typeof infos)[0],
]
const closureOf = (...paths: typeof infos): Closure => ({
  roots: paths.slice(0, 1).map(({ path }) => path),
  paths,
})

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'blob-cache-'))
})
afterEach(() => {
  rmSync(root, { recursive: true, force: true })
})

async function open(powers: Partial<BlobCachePowers> = {}, options = {}): Promise<BlobCache> {
  const owners = await processOwners()
  const all = { clock, tree: memoryTree(paths), files: cacheFiles, owners, openFiles, ...powers }
  return (await openBlobCache(all, root, options))._unsafeUnwrap()
}

/** Every file of the cache but the leases, by its path below the cache. */
function filesIn(directory = root): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.endsWith('/leases'))
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort()
}

describe('the blob of a store path', () => {
  it('is a read-only file named by its NAR hash, with a trailer, and nothing else is left', async () => {
    const blob = (await (await open()).blob(libraryInfo))._unsafeUnwrap()
    expect(blob).toMatchObject({
      id: libraryInfo.narHash,
      sizeBytes: 4 << 20,
      storePaths: [libraryInfo.path],
    })
    const found = statSync(blob.file)
    expect([found.size, found.mode & 0o7777]).toEqual([4 << 20, 0o444])
    const bytes = readFileSync(blob.file)
    expect(readTrailer(bytes.subarray(-4096))).toBe(blob.id)
    expect(bytes.subarray(0, 3 << 20).equals(Buffer.alloc(3 << 20, 'lib'))).toBe(true)
    expect(filesIn()).toEqual([`blobs/${blob.id}.v2.blob`, `blobs/${blob.id}.v2.json`])
    // Holes stay holes.
    expect(found.blocks * 512).toBeLessThan((3 << 20) + 65_536)
  })

  it('is built once, by one open cache and by the next', async () => {
    const cache = await open()
    const built = (await cache.blob(libraryInfo))._unsafeUnwrap()
    const inode = statSync(built.file).ino
    const unreadable = memoryTree({})
    expect((await cache.blob(libraryInfo))._unsafeUnwrap()).toEqual(built)
    expect((await (await open({ tree: unreadable })).blob(libraryInfo))._unsafeUnwrap()).toEqual(built)
    expect(statSync(built.file).ino).toBe(inode)
  })

  it('is built once for callers at the same time, and one of them may leave', async () => {
    let scans = 0
    const tree = memoryTree(paths)
    const counting = {
      ...tree,
      readLink: (path: string) => {
        scans++
        return tree.readLink(path)
      },
    }
    const cache = await open({ tree: counting })
    const controller = new AbortController()
    const leaving = cache.blob(libraryInfo, { signal: controller.signal })
    const staying = [cache.blob(libraryInfo), cache.blob(libraryInfo)]
    controller.abort()
    expect((await leaving)._unsafeUnwrapErr().kind).toBe('aborted')
    for (const blob of staying) expect((await blob).isOk()).toBe(true)
    expect(scans).toBe(1)
  })

  it('makes its directories beside others that make them', async () => {
    for (let round = 0; round < 50; round++) {
      const paths = ['a', 'b', 'c', 'd'].map((name) => join(root, `${round}`, 'new', 'too', name))
      await Promise.all(paths.map((path) => cacheFiles.makeDirectory(path)))
      for (const path of paths) expect(statSync(path).isDirectory()).toBe(true)
    }
  })

  it('survives many caches of one process that build it at the same time', async () => {
    for (let round = 0; round < 5; round++) {
      const caches = await Promise.all(Array.from({ length: 4 }, () => open()))
      const built = await Promise.all(caches.map((cache) => cache.blob(libraryInfo)))
      for (const blob of built) expect(blob._unsafeUnwrap()).toEqual(built[0]!._unsafeUnwrap())
      expect(filesIn()).toHaveLength(2)
      rmSync(join(root, 'blobs'), { recursive: true })
    }
  })

  it('never takes the place of a whole one that another process named at the same moment', async () => {
    const { file } = (await (await open()).blob(libraryInfo))._unsafeUnwrap()
    const theirs = join(root, 'theirs')
    const { ino } = statSync(file)
    renameSync(file, theirs)
    // The other process, whose units map its file, is first by less than any look before could see.
    const second =
      (work: (from: string, to: string) => Promise<void>) => async (from: string, to: string) => {
        if (to === file) renameSync(theirs, file)
        return work(from, to)
      }
    const files = { ...cacheFiles, link: second(cacheFiles.link), rename: second(cacheFiles.rename) }
    expect((await (await open({ files })).blob(libraryInfo)).isOk()).toBe(true)
    expect(statSync(file).ino).toBe(ino)
    expect(filesIn()).toHaveLength(2)
  })

  it('is built where there are no hard links', async () => {
    const link = () => Promise.reject(Object.assign(new Error('no links here'), { code: 'EPERM' }))
    ;(await (await open({ files: { ...cacheFiles, link } })).blob(libraryInfo))._unsafeUnwrap()
    expect(filesIn()).toHaveLength(2)
  })

  it('never removes a temporary name that another cache has taken after the rename', async () => {
    let taken: string | undefined
    const files: CacheFiles = {
      ...cacheFiles,
      rename: async (from, to) => {
        await cacheFiles.rename(from, to)
        if (taken === undefined) writeFileSync(from, 'of another cache')
        taken ??= from
      },
    }
    ;(await (await open({ files })).blob(libraryInfo))._unsafeUnwrap()
    expect(readFileSync(taken!, 'utf8')).toBe('of another cache')
  })

  it.each([
    ['is cut short', (sidecar: string) => truncateSync(sidecar, 100)],
    [
      'is changed in one digit',
      (sidecar: string) =>
        writeFileSync(sidecar, readFileSync(sidecar, 'utf8').replace('3145728', '3145727')),
    ],
    [
      'is of a later version',
      (sidecar: string) =>
        writeFileSync(sidecar, readFileSync(sidecar, 'utf8').replace('"version":1', '"version":2')),
    ],
    ['is gone', (sidecar: string) => rmSync(sidecar)],
  ])('is indexed again when its sidecar %s, and stays the file that units map', async (_, damage) => {
    const built = (await (await open()).blob(libraryInfo))._unsafeUnwrap()
    const sidecar = built.file.replace(/blob$/, 'json')
    const [original, inode] = [readFileSync(sidecar, 'utf8'), statSync(built.file).ino]
    chmodSync(sidecar, 0o644)
    damage(sidecar)
    expect((await (await open()).blob(libraryInfo))._unsafeUnwrap()).toEqual(built)
    expect(readFileSync(sidecar, 'utf8')).toBe(original)
    expect(statSync(built.file).ino).toBe(inode)
    expect(filesIn()).toHaveLength(2)
  })

  it.each([
    ['was truncated', (blob: string) => truncateSync(blob, 2 << 20)],
    ['lost its trailer', (blob: string) => writeFileSync(blob, Buffer.alloc(4 << 20))],
    ['is gone', (blob: string) => rmSync(blob)],
  ])('is written anew when the file %s', async (_, damage) => {
    const built = (await (await open()).blob(libraryInfo))._unsafeUnwrap()
    chmodSync(built.file, 0o644)
    damage(built.file)
    expect((await (await open()).blob(libraryInfo))._unsafeUnwrap()).toEqual(built)
    expect(readTrailer(readFileSync(built.file).subarray(-4096))).toBe(built.id)
    expect(readFileSync(built.file).subarray(0, 3).toString()).toBe('lib')
  })
})

describe('a build that fails leaves nothing', () => {
  const nothingLeft = async (cache: BlobCache, info = libraryInfo, options = {}) => {
    const descriptors = openDescriptors()
    const error = (await cache.blob(info, options))._unsafeUnwrapErr()
    expect(filesIn()).toEqual([])
    await expect.poll(() => openedSince(descriptors)).toEqual([])
    return error
  }

  it('when the contents do not have the registered hash', async () => {
    const wrong = { ...libraryInfo, narHash: '0'.repeat(64) }
    expect(await nothingLeft(await open(), wrong)).toMatchObject({
      kind: 'hash-mismatch',
      path: libraryInfo.path,
      expected: wrong.narHash,
      actual: libraryInfo.narHash,
    })
  })

  it('when the disk is full, whether writing or syncing finds out', async () => {
    const full = () => Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' }))
    for (const method of ['write', 'sync'] as const) {
      const files: CacheFiles = {
        ...cacheFiles,
        sizeOf: cacheFiles.sizeOf,
        create: async (path) => {
          const output = await cacheFiles.create(path)
          return {
            write: (bytes, position) =>
              method === 'write' && bytes.length > 1000 ? full() : output.write(bytes, position),
            sync: full,
            close: () => output.close(),
          }
        },
      }
      const error = await nothingLeft(await open({ files }))
      expect(error).toMatchObject({
        kind: 'no-space',
        file: join(root, `blobs/${libraryInfo.narHash}.v2.blob`),
      })
      expect(error.message).toContain('free space')
    }
  })

  it('when it is aborted in the middle of a file, or at its deadline', async () => {
    const controller = new AbortController()
    const tree = memoryTree(paths)
    const slow = {
      ...tree,
      open: async (path: string) => {
        const input = await tree.open(path)
        return {
          ...input,
          read: async (buffer: Uint8Array, position: number) => {
            if (position > 0) controller.abort()
            await new Promise((resolve) => setTimeout(resolve, 20))
            return input.read(buffer, position)
          },
        }
      },
    }
    const cache = await open({ tree: slow })
    expect((await nothingLeft(cache, libraryInfo, { signal: controller.signal })).kind).toBe('aborted')
    expect((await nothingLeft(cache, libraryInfo, { deadlineMs: 15 })).kind).toBe('timed-out')
    // The same cache can build it afterwards.
    expect((await cache.blob(libraryInfo)).isOk()).toBe(true)
  })

  it('when it was aborted before it began', async () => {
    expect((await nothingLeft(await open(), libraryInfo, { signal: AbortSignal.abort() })).kind).toBe(
      'aborted',
    )
  })

  it('when reading fails half way', async () => {
    const tree = memoryTree(paths)
    const broken = {
      ...tree,
      readStart: () => Promise.reject(Object.assign(new Error('bad sector'), { code: 'EIO' })),
    }
    const error = await nothingLeft(await open({ tree: broken }), programInfo)
    expect(error).toMatchObject({ kind: 'system', code: 'EIO' })
    expect(error.message).toContain('bin/run')
  })

  it('when the data is gone', async () => {
    const error = await nothingLeft(await open({ tree: memoryTree({}) }))
    expect(error).toMatchObject({ kind: 'missing-reference', path: libraryInfo.path })
  })

  it('when the path holds what a NAR cannot', async () => {
    const tree = memoryTree(paths)
    const odd = { ...tree, list: async () => [{ name: 'pipe', kind: 'other' as const }] }
    expect(await nothingLeft(await open({ tree: odd }))).toMatchObject({
      kind: 'unsupported-file',
      path: `${libraryInfo.path}/pipe`,
    })
  })
})

describe('opening a blob cache', () => {
  it('removes the temporary files of processes that have ended, and no others', async () => {
    const owners = await processOwners()
    await open()
    const temporary = join(root, 'temporary')
    const dead = ['999999999-1.0', `${process.pid}-1.4`]
    const kept = [`${owners.self}.7`, 'something-else']
    for (const name of [...dead, ...kept]) writeFileSync(join(temporary, name), 'x')
    await open()
    expect(readdirSync(temporary).sort()).toEqual(kept.sort())
  })

  it('puts every unfinished file into the directory it was told', async () => {
    const created: string[] = []
    const files: CacheFiles = {
      ...cacheFiles,
      create: (path) => {
        created.push(path)
        return cacheFiles.create(path)
      },
    }
    const cache = await open({ files }, { temporaryDirectory: join(root, 'mine') })
    ;(await cache.attach(closureOf(libraryInfo)))._unsafeUnwrap()
    const unfinished = created.filter((path) => !path.startsWith(join(root, 'leases/')))
    expect(unfinished.length).toBeGreaterThan(3)
    for (const path of unfinished) expect(path.startsWith(join(root, 'mine/'))).toBe(true)
    expect(readdirSync(join(root, 'mine'))).toEqual([])
  })

  it('reports a directory that cannot be made', async () => {
    const error = (await openHere('/proc/nowhere/cache'))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'system', code: 'ENOENT' })
  })

  it.each(['blobs', 'images', 'temporary'])('refuses one whose %s others may write to', async (name) => {
    const shared = join(root, 'shared')
    mkdirSync(join(shared, name), { recursive: true })
    chmodSync(join(shared, name), 0o777)
    const error = (await openHere(shared))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'system', code: 'EPERM' })
    expect(error.message).toContain('chmod')
  })

  it('leaves no descriptor open after real reading and writing', async () => {
    const real = directory({ a: file('1'), large: file(Buffer.alloc(5 << 20, 'L')) })
    const path = storePath('7', 'real')
    const cache = await open({ tree: memoryTree({ [path]: real }) })
    await cache.attach(closureOf(infoOf(path, real)))
    const descriptors = openDescriptors()
    const again = await open({ tree: treeReader }, { locate: () => join(root, 'blobs') })
    expect((await again.blob(infoOf(storePath('8', 'x'), file('other'))))._unsafeUnwrapErr().kind).toBe(
      'hash-mismatch',
    )
    await expect.poll(() => openedSince(descriptors)).toEqual([])
  })
})

describe('an attachment', () => {
  function read(attachment: { metadata: { file: string }; blobs: readonly { id: string; file: string }[] }) {
    const image = readFileSync(attachment.metadata.file)
    const blocks = image.readUInt32LE(1024 + 36)
    const devices = attachment.blobs.map(({ id, file }) => ({ id, bytes: readFileSync(file) }))
    return readErofs(image.subarray(0, blocks * 4096), devices).tree
  }
  const run = { name: 'run', node: { kind: 'file', executable: true, contents: Buffer.from('#!run') } }
  const programTree = {
    name: programInfo.path.slice(11),
    node: {
      kind: 'directory',
      entries: [
        { name: 'bin', node: { kind: 'directory', entries: [run] } },
        { name: 'empty', node: { kind: 'directory', entries: [] } },
      ],
    },
  }
  const linksTree = {
    name: linksInfo.path.slice(11),
    node: {
      kind: 'directory',
      entries: [{ name: 'current', node: { kind: 'symlink', target: 'elsewhere' } }],
    },
  }

  it('holds exactly the closure: one blob for each path with data, and an image', async () => {
    const closure = closureOf(programInfo, linksInfo)
    const attachment = (await (await open()).attach(closure))._unsafeUnwrap()
    expect(attachment.names).toEqual(closure.paths.map(({ path }) => path.slice(11)))
    expect(attachment.blobs.map(({ storePaths }) => storePaths)).toEqual([[programInfo.path]])
    expect(read(attachment)).toEqual({ kind: 'directory', entries: [programTree, linksTree] })
    const metadata = statSync(attachment.metadata.file)
    expect([metadata.size, metadata.mode & 0o777]).toEqual([attachment.metadata.sizeBytes, 0o444])
    expect(metadata.blocks * 512).toBeLessThan(65_536)
    expect(readTrailer(readFileSync(attachment.metadata.file).subarray(-4096))).toBe(attachment.metadata.id)
  })

  it('of equal closures is the same image', async () => {
    const cache = await open()
    const one = (await cache.attach(closureOf(programInfo, libraryInfo)))._unsafeUnwrap()
    const two = (await cache.attach(closureOf(libraryInfo, programInfo)))._unsafeUnwrap()
    expect(two.metadata).toEqual(one.metadata)
  })

  it('above the budget groups small paths into a layer and keeps the large ones shared', async () => {
    const cache = await open()
    const attachment = (await cache.attach(closureOf(...infos), { deviceBudget: 3 }))._unsafeUnwrap()
    expect(attachment.blobs.map(({ storePaths }) => storePaths)).toEqual([
      [libraryInfo.path],
      [programInfo.path, linksInfo.path, extraInfo.path],
    ])
    expect(attachment.blobs[0]!.id).toBe(libraryInfo.narHash)
    const tree = read(attachment)
    expect(tree.kind === 'directory' && tree.entries.slice(1)).toEqual([
      programTree,
      linksTree,
      {
        name: extraInfo.path.slice(11),
        node: { kind: 'file', executable: false, contents: Buffer.from('extra') },
      },
    ])
    const error = (await cache.attach(closureOf(...infos), { deviceBudget: 1 }))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'device-budget', needed: 2, budget: 1 })
  })

  it('of several units shares what they have in common and gives none a path it lacks', async () => {
    const closures = new Map([
      ['left', closureOf(libraryInfo, programInfo)],
      ['right', closureOf(libraryInfo, extraInfo)],
    ])
    const units = (await (await open()).attachAll(closures, { deviceBudget: 3 }))._unsafeUnwrap()
    const files = [...units.values()].map(({ blobs }) => blobs.map(({ file }) => file))
    expect(files[0]![0]).toBe(files[1]![0])
    for (const [unit, { blobs, names }] of units) {
      const granted = closures.get(unit)!.paths.map(({ path }) => path)
      expect(blobs.flatMap(({ storePaths }) => storePaths).sort()).toEqual(granted)
      expect(names).toEqual(granted.map((path) => path.slice(11)))
    }
  })

  it('for an injection uses the blobs that the unit has, which cost no new device', async () => {
    const cache = await open()
    const before = (
      await cache.attach(closureOf(libraryInfo, programInfo), { deviceBudget: 2 })
    )._unsafeUnwrap()
    expect(before.blobs).toHaveLength(1)
    const after = (
      await cache.attach(closureOf(programInfo, extraInfo), { present: before.blobs, deviceBudget: 2 })
    )._unsafeUnwrap()
    expect(after.blobs.map(({ id }) => id)).toEqual([before.blobs[0]!.id, extraInfo.narHash])
    expect(after.names).toEqual([programInfo, extraInfo].map(({ path }) => path.slice(11)))
    const tree = read(after)
    expect(tree.kind === 'directory' && tree.entries[0]).toEqual(programTree)
  })

  it('needs one blob for two paths with equal contents', async () => {
    const [one, two] = [storePath('8', 'one'), storePath('9', 'two')]
    const tree = memoryTree({ [one]: program, [two]: program })
    const cache = await open({ tree })
    const attachment = (
      await cache.attach(closureOf(infoOf(one, program), infoOf(two, program)))
    )._unsafeUnwrap()
    expect(attachment.blobs.map(({ storePaths }) => storePaths)).toEqual([[one, two]])
    const found = read(attachment)
    expect(found.kind === 'directory' && found.entries.map(({ node }) => node)).toEqual([
      programTree.node,
      programTree.node,
    ])
  })

  it('of an empty closure is an image alone', async () => {
    const attachment = (await (await open()).attach(closureOf()))._unsafeUnwrap()
    expect([attachment.blobs, attachment.names]).toEqual([[], []])
  })

  it('fails as a whole when one path fails, and keeps what was whole', async () => {
    const wrong = { ...libraryInfo, narHash: '1'.repeat(64) }
    const error = (await (await open()).attach(closureOf(programInfo, wrong)))._unsafeUnwrapErr()
    expect(error.kind).toBe('hash-mismatch')
    expect(filesIn().filter((name) => !name.includes(programInfo.narHash))).toEqual([])
  })
})
