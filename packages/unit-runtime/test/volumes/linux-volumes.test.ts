import { execFileSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { linuxPowers } from '@spectrum/unit-monitor/linux'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { linuxVolumes } from '../../src/linux/volumes.js'
import type { VolumeRequest } from '../../src/volumes/volume-power.js'

const MIB = 1024 * 1024
const { processes } = linuxPowers()
let root: string
let path: string

beforeEach(async () => {
  root = await mkdtemp(`${tmpdir()}/volumes-`)
  path = `${root}/volumes/unit/data.ext4`
})
afterEach(() => rm(root, { recursive: true }))

const take = (request: Partial<VolumeRequest> = {}) =>
  linuxVolumes({
    path,
    sizeBytes: 16 * MIB,
    unfinished: `${root}/unfinished`,
    lock: `${root}/locks/one`,
    processes,
    signal: new AbortController().signal,
    ...request,
  })
const takeAndGive = async (request: Partial<VolumeRequest> = {}) => {
  const taken = await take(request)
  if (taken.isOk()) await taken.value[Symbol.asyncDispose]()
  return taken
}
/** Blocks of the file system, by the kernel's own tool. */
const blocks = () => {
  const program = existsSync('/usr/sbin/dumpe2fs') ? '/usr/sbin/dumpe2fs' : 'dumpe2fs'
  const said = execFileSync(program, ['-h', path], {
    ...{ encoding: 'utf8', stdio: 'pipe' },
    ...{ timeout: 60_000, killSignal: 'SIGKILL' },
  } as const)
  const of = (name: string) => Number(new RegExp(`^${name}: +([0-9]+)$`, 'm').exec(said)?.[1])
  return of('Block count') * of('Block size')
}

describe('a volume of this machine', () => {
  it('is made once, as a sparse file with ext4 in it, and leaves nothing else', async () => {
    expect((await takeAndGive()).isOk()).toBe(true)
    const made = statSync(path)
    expect([made.size, made.mode & 0o777, blocks()]).toEqual([16 * MIB, 0o600, 16 * MIB])
    expect(made.blocks * 512).toBeLessThan(8 * MIB)
    expect((await takeAndGive()).isOk()).toBe(true)
    expect(statSync(path).ino).toBe(made.ino)
    expect((await readdir(root, { recursive: true })).sort()).toEqual([
      'locks',
      'volumes',
      'volumes/unit',
      'volumes/unit/data.ext4',
    ])
  })

  it('is had by one at a time, and free when given back', async () => {
    const first = (await take())._unsafeUnwrap()
    expect((await take())._unsafeUnwrapErr()).toMatchObject({ reason: 'in-use' })
    await first[Symbol.asyncDispose]()
    expect((await takeAndGive()).isOk()).toBe(true)
  })

  it('grows with its file system, also after a growth that was cut short, and never shrinks', async () => {
    ;(await takeAndGive())._unsafeUnwrap()
    ;(await takeAndGive({ sizeBytes: 32 * MIB }))._unsafeUnwrap()
    expect(blocks()).toBe(32 * MIB)
    // As it is left between the longer file and the larger file system.
    await writeFile(`${path}.growing`, '')
    await truncate(path, 48 * MIB)
    ;(await takeAndGive({ sizeBytes: 48 * MIB }))._unsafeUnwrap()
    expect(blocks()).toBe(48 * MIB)
    expect(existsSync(`${path}.growing`)).toBe(false)
    expect((await takeAndGive())._unsafeUnwrapErr()).toMatchObject({ reason: 'would-shrink' })
    expect(statSync(path).size).toBe(48 * MIB)
  })

  it('is made anew over what a host left that died while it made one', async () => {
    await writeFile(`${root}/unfinished`, 'half a file system')
    expect((await takeAndGive()).isOk()).toBe(true)
    expect(blocks()).toBe(16 * MIB)
  })

  it('that is no file system does not grow, and says so', async () => {
    ;(await takeAndGive())._unsafeUnwrap()
    await writeFile(path, new Uint8Array(16 * MIB))
    expect((await takeAndGive({ sizeBytes: 32 * MIB }))._unsafeUnwrapErr()).toMatchObject({
      reason: 'damaged',
      message: expect.stringContaining('e2fsck'),
    })
    // It is free again.
    expect((await takeAndGive({ sizeBytes: 32 * MIB }))._unsafeUnwrapErr().reason).toBe('damaged')
  })

  it('is not begun for whoever gave up, and needs its programs', async () => {
    expect((await takeAndGive({ signal: AbortSignal.abort() }))._unsafeUnwrapErr().reason).toBe('aborted')
    const nothing = {
      spawn: () => Promise.reject(Object.assign(new Error('no program'), { code: 'ENOENT' })),
    }
    const refused = (await takeAndGive({ processes: nothing }))._unsafeUnwrapErr()
    expect(refused).toMatchObject({ reason: 'no-tools', message: expect.stringContaining('e2fsprogs') })
    expect(existsSync(path)).toBe(false)
  })

  it('is not waited for longer than it may take when a tool hangs in the kernel, and nobody else’s until that ends', async () => {
    await takeAndGive()
    let end = (_: { kind: 'signalled'; signal: 'SIGKILL' }) => {}
    let killed = 0
    const exit = new Promise<{ kind: 'signalled'; signal: 'SIGKILL' }>((resolve) => (end = resolve))
    const output = (async function* () {
      await exit
      yield new Uint8Array()
    })()
    const hanging: typeof processes = {
      spawn: async () => ({ pid: 1, kill: () => void killed++, exit, output }),
    }
    const signal = AbortSignal.timeout(50)
    const refused = (await take({ sizeBytes: 24 * MIB, processes: hanging, signal }))._unsafeUnwrapErr()
    expect(refused).toMatchObject({
      reason: 'aborted',
      message: expect.stringContaining('hangs in the kernel'),
    })
    expect(killed).toBe(1)
    expect((await take({ sizeBytes: 24 * MIB }))._unsafeUnwrapErr().reason).toBe('in-use')
    end({ kind: 'signalled', signal: 'SIGKILL' })
    await expect.poll(async () => (await takeAndGive({ sizeBytes: 24 * MIB })).isOk()).toBe(true)
    expect(blocks()).toBe(24 * MIB)
  })

  it('tells what a tool says of it as text alone: the label in it was written by a unit', async () => {
    await takeAndGive()
    const said = 'a\u009b31m\u202e\x1b[2J: UNEXPECTED INCONSISTENCY'
    const liar: typeof processes = {
      spawn: async () => ({
        ...{ pid: 1, kill() {}, exit: Promise.resolve({ kind: 'exited', code: 4 }) },
        output: (async function* () {
          yield Buffer.from(said)
        })(),
      }),
    }
    const { reason, message } = (await take({ sizeBytes: 24 * MIB, processes: liar }))._unsafeUnwrapErr()
    expect(reason).toBe('damaged')
    expect(message).toContain('UNEXPECTED INCONSISTENCY')
    expect(message).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  })
})
