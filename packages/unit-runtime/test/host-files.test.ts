import { chmod, chown, lstat, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { openHostWith } from '@spectrum/unit-runtime'
import { fakeHostPowers, memoryStore } from '@spectrum/unit-runtime/fake'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { nameHost } from '../src/identity.js'
import { linuxHostFiles } from '../src/linux/host-files.js'
import { linuxProcessTable } from '../src/linux/process-table.js'

describe('a directory of the host', () => {
  let root: string
  beforeEach(async () => {
    root = await mkdtemp(`${tmpdir()}/host-files-`)
  })
  afterEach(() => rm(root, { recursive: true }))

  it('is made with its parents, for its owner alone, and may be there already', async () => {
    await linuxHostFiles.makeDirectory(`${root}/a/b`)
    await linuxHostFiles.makeDirectory(`${root}/a/b`)
    expect((await lstat(`${root}/a`)).mode & 0o777).toBe(0o700)
    expect((await lstat(`${root}/a/b`)).mode & 0o777).toBe(0o700)
  })

  it('is made by each of several at once, whoever makes its parents', async () => {
    for (let round = 0; round < 50; round++) {
      const paths = ['a', 'b', 'c', 'd'].map((name) => `${root}/${round}/new/too/${name}`)
      await Promise.all(paths.map((path) => linuxHostFiles.makeDirectory(path)))
      for (const path of paths) expect((await lstat(path)).isDirectory()).toBe(true)
    }
  })

  it.each([0o770, 0o702, 0o777])('is refused when others may write into it (mode %o)', async (mode) => {
    await mkdir(`${root}/open`)
    await chmod(`${root}/open`, mode)
    const made = linuxHostFiles.makeDirectory(`${root}/open`)
    await expect(made).rejects.toMatchObject({ code: 'EPERM', message: expect.stringContaining('chmod') })
  })

  it('cannot be made where the kernel makes none, and says so at once', async () => {
    const made = linuxHostFiles.makeDirectory('/proc/nowhere/a/b')
    await expect(made).rejects.toMatchObject({ code: 'ENOENT', path: '/proc/nowhere' })
  })

  it('is refused when it is a link, wherever it leads', async () => {
    await mkdir(`${root}/real`, { mode: 0o700 })
    await symlink(`${root}/real`, `${root}/link`)
    await expect(linuxHostFiles.makeDirectory(`${root}/link`)).rejects.toMatchObject({ code: 'ENOTDIR' })
  })

  it('of which one is not private opens no host, and nothing in it is believed', async () => {
    const dead = nameHost({ ...linuxProcessTable(), self: { pid: process.pid, startTime: '1' } }, '0123abcd')
    await mkdir(`${root}/state/hosts/${dead}`, { recursive: true })
    await chmod(`${root}/state/hosts`, 0o777)
    const powers = { ...fakeHostPowers({ store: {} }), files: linuxHostFiles }
    const places = { state: `${root}/state`, cache: `${root}/cache` }
    const error = (await openHostWith(powers, places, { store: memoryStore({}) }))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'state', code: 'EPERM', path: `${root}/state/hosts` })
    expect(error.message).toContain(`at ${root}/state/hosts): make it this user’s own`)
    expect(await readdir(`${root}/state/hosts`)).toEqual([dead])
  })

  it('is refused when it is somebody else’s', async (ctx) => {
    if (process.getuid?.() !== 0) return ctx.skip('only root can give a directory away')
    await mkdir(`${root}/theirs`, { mode: 0o700 })
    await chown(`${root}/theirs`, 65_534, 65_534)
    await expect(linuxHostFiles.makeDirectory(`${root}/theirs`)).rejects.toMatchObject({ code: 'EPERM' })
  })
})
