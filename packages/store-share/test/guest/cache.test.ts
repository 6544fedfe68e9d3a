import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import type { Blob } from '../../src/index.js'
import { nixStore, openBlobCache } from '../../src/linux.js'
import { RealStore, run } from './real-store.js'

const scratch = mkdtempSync(join(tmpdir(), 'blob-cache-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** The hosts find the packages' sources. */
const env = {
  ...process.env,
  TSX_TSCONFIG_PATH: fileURLToPath(new URL('../../../../tsconfig.base.json', import.meta.url)),
}

const filesIn = (directory: string) =>
  readdirSync(directory, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.parentPath.endsWith('/leases'),
  )

describe('a blob cache', () => {
  it('on a full file system says so, leaves nothing, and works again when there is space', async () => {
    const real = new RealStore()
    const mount = join(scratch, 'small')
    mkdirSync(mount)
    run('mount', '-t', 'tmpfs', '-o', 'size=4m,mode=0700', 'tmpfs', mount)
    try {
      const path = real.add('large', (path) => writeFileSync(path, Buffer.alloc(8 << 20, 'data')))
      const store = nixStore({ root: real.root })
      const closure = (await store.closure([path]))._unsafeUnwrap()
      const cache = (await openBlobCache(mount, { locate: store.locate }))._unsafeUnwrap()
      const error = (await cache.attach(closure))._unsafeUnwrapErr()
      expect(error.kind).toBe('no-space')
      expect(error.message).toContain('free space there')
      expect(filesIn(mount)).toEqual([])
      run('mount', '-o', 'remount,size=32m', mount)
      expect((await cache.attach(closure)).isOk()).toBe(true)
    } finally {
      run('umount', mount)
      real[Symbol.dispose]()
    }
  })

  it('removes what a builder that was killed has left behind, and not before', async () => {
    const directory = join(scratch, 'killed')
    const temporary = join(directory, 'temporary')
    const source = join(scratch, 'source')
    writeFileSync(source, Buffer.alloc(16 << 20, 'slow'))
    const script = fileURLToPath(new URL('build-slowly.mts', import.meta.url))
    const builder = spawn(process.execPath, ['--import', 'tsx', script, directory, source], {
      stdio: 'inherit',
      env,
    })
    const exited = once(builder, 'exit')
    try {
      await expect.poll(() => filesIn(scratch).some(({ parentPath }) => parentPath === temporary)).toBe(true)
      ;(await openBlobCache(directory))._unsafeUnwrap()
      expect(readdirSync(temporary)).toHaveLength(1)
    } finally {
      builder.kill('SIGKILL')
      await exited
    }
    expect(readdirSync(temporary)).toHaveLength(1)
    ;(await openBlobCache(directory))._unsafeUnwrap()
    expect(filesIn(directory)).toEqual([])
  })

  it('is shared by hosts that build, attach and collect at the same time, and none misses what it was given', async () => {
    const real = new RealStore()
    try {
      const path = real.add('shared', (path) => writeFileSync(path, Buffer.alloc(1 << 20, 'shared')))
      const directory = join(scratch, 'several-hosts')
      const hosts = Array.from({ length: 3 }, () => shareCache(real.root, directory, path, '30'))
      const ends = await Promise.all(hosts.map((host) => once(host, 'exit')))
      expect(ends).toEqual(hosts.map(() => [0, null]))
      const cache = (await openBlobCache(directory))._unsafeUnwrap()
      expect((await cache.verify())._unsafeUnwrap().damaged).toEqual([])
      ;(await cache.collect())._unsafeUnwrap()
      expect(filesIn(directory)).toEqual([])
      expect(readdirSync(join(directory, 'leases'))).toEqual([])
    } finally {
      real[Symbol.dispose]()
    }
  })

  it('keeps what a host that was killed has left mapped, until that ends too', async () => {
    const real = new RealStore()
    const path = real.add('held', (path) => writeFileSync(path, Buffer.alloc(1 << 20, 'held')))
    const directory = join(scratch, 'killed-host')
    const host = shareCache(real.root, directory, path)
    let orphan: ReturnType<typeof spawn> | undefined
    try {
      const [line] = await once(host.stdout!, 'data')
      const blob: Blob = JSON.parse(String(line))
      const cache = (await openBlobCache(directory))._unsafeUnwrap()
      const collect = async () => (await cache.collect())._unsafeUnwrap()
      expect(await collect()).toMatchObject({ removed: [], kept: { leased: 2 } })
      // What a monitor is to its host: a process that goes on having the file.
      orphan = spawn('tail', ['--follow', blob.file], { stdio: 'ignore' })
      const opened = () =>
        readdirSync(`/proc/${orphan!.pid}/fd`).some((fd) => linkOf(orphan!.pid!, fd) === blob.file)
      await expect.poll(opened).toBe(true)
      host.kill('SIGKILL')
      await once(host, 'exit')
      expect((await collect()).kept).toMatchObject({ leased: 0, open: 1 })
      expect(statSync(blob.file).size).toBe(blob.sizeBytes)
      orphan.kill('SIGKILL')
      await once(orphan, 'exit')
      expect((await collect()).removed.map(({ file }) => file)).toEqual([blob.file])
      expect(filesIn(directory)).toEqual([])
    } finally {
      host.kill('SIGKILL')
      orphan?.kill('SIGKILL')
      real[Symbol.dispose]()
    }
  })
})

function shareCache(...argv: readonly string[]) {
  const script = fileURLToPath(new URL('share-cache.mts', import.meta.url))
  return spawn(process.execPath, ['--import', 'tsx', script, ...argv], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env,
  })
}

function linkOf(pid: number, fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`)
  } catch {
    return undefined
  }
}
