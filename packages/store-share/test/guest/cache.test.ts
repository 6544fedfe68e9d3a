import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { nixStore, openBlobCache } from '../../src/linux.js'
import { RealStore, run } from './real-store.js'

const scratch = mkdtempSync(join(tmpdir(), 'blob-cache-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

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
    })
    const exited = once(builder, 'exit')
    try {
      await expect
        .poll(() => filesIn(scratch).some(({ parentPath }) => parentPath === temporary), { timeout: 20_000 })
        .toBe(true)
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
})
