import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, describe, expect, it } from 'vitest'
import { type Blob, sharingReport } from '../src/index.js'
import { clock, readSharing } from '../src/linux.js'
import type { FramePowers } from '../src/sharing/frames.js'

const blob = (digit: string, file: string): Blob => ({
  id: digit.repeat(64),
  file,
  sizeBytes: 2 << 20,
  storePaths: [`/nix/store/${digit}`],
})
const one = blob('1', '/cache/one')
const two = blob('2', '/cache/two')

const mapping = (path: string, inode: number, rss: number, pss: number) =>
  `7f00-7f01 r--s 00000000 fe:00 ${inode}                     ${path}\nSize: 99 kB\nRss: ${rss} kB\nPss: ${pss} kB\nPss_Dirty: 77 kB\nVmFlags: rd mr\n`
const anonymous =
  'aa00-aa01 rw-p 00000000 00:00 0                          [heap]\nRss: 5000 kB\nPss: 5000 kB\n'

function report(
  processes: Record<number, string>,
  units: Parameters<typeof sharingReport>[0],
  chunk = 7,
  frames?: FramePowers,
) {
  return sharingReport(units, {
    clock,
    frames,
    async *readSmaps(pid) {
      const text = processes[pid]
      if (text === undefined) throw Object.assign(new Error('gone'), { code: 'ENOENT' })
      for (let at = 0; at < text.length; at += chunk) yield Buffer.from(text.slice(at, at + chunk))
    },
    identify: async (file) => (file === two.file ? { device: 'fe:00', inode: 22 } : undefined),
  })
}

describe('a sharing report', () => {
  it('adds up what the processes of the units hold of each blob', async () => {
    const processes = {
      10:
        anonymous +
        mapping('/cache/one', 11, 100, 50) +
        mapping('/cache/one', 11, 8, 4) +
        mapping('/other', 5, 9, 9),
      20: mapping('/cache/one', 11, 100, 50) + mapping('/cache/two', 22, 40, 40) + anonymous,
    }
    const result = await report(processes, [
      { unit: 'right', pids: [20, 20], blobs: [two, one] },
      { unit: 'left', pids: [10], blobs: [one] },
    ])
    const kilo = (rss: number, pss: number) => ({
      rssBytes: rss * 1024,
      pssBytes: pss * 1024,
      savedBytes: (rss - pss) * 1024,
    })
    const { file: _, ...shownOne } = one
    const { file: __, ...shownTwo } = two
    expect(result._unsafeUnwrap()).toMatchObject({
      ...kilo(248, 144),
      blobs: [
        { ...shownOne, units: ['left', 'right'], ...kilo(208, 104) },
        { ...shownTwo, units: ['right'], ...kilo(40, 40) },
      ],
      units: [
        { unit: 'left', ...kilo(108, 54), sharesWith: ['right'] },
        { unit: 'right', ...kilo(140, 90), sharesWith: ['left'] },
      ],
      paths: [
        { storePath: '/nix/store/1', id: one.id, together: [], units: ['left', 'right'], ...kilo(208, 104) },
        { storePath: '/nix/store/2', id: two.id, together: [], units: ['right'], ...kilo(40, 40) },
      ],
      proof: { kind: 'not-permitted' },
    })
  })

  it('says of paths that lie in one blob that its figures are of all of them', async () => {
    const layer = { ...one, storePaths: ['/nix/store/b', '/nix/store/a'] }
    const processes = { 1: mapping('/cache/one', 11, 8, 8) }
    const { paths } = (await report(processes, [{ unit: 'u', pids: [1], blobs: [layer] }]))._unsafeUnwrap()
    expect(paths.map(({ storePath, together }) => [storePath, together])).toEqual([
      ['/nix/store/a', ['/nix/store/b']],
      ['/nix/store/b', ['/nix/store/a']],
    ])
  })

  it('names every unit, also one that holds nothing', async () => {
    const { units } = (
      await report({ 1: anonymous }, [{ unit: 'u', pids: [1], blobs: [one] }])
    )._unsafeUnwrap()
    expect(units).toEqual([{ unit: 'u', rssBytes: 0, pssBytes: 0, savedBytes: 0, sharesWith: [] }])
  })

  describe('with frame numbers', () => {
    /** Two pages of the file from its third on, at page 16 of the process. */
    const twoPages = (path: string) =>
      `10000-12000 r--s 00002000 fe:00 11                     ${path}\nRss: 8 kB\nPss: 4 kB\n`
    const present = (frame: number) => (1n << 63n) | (1n << 61n) | BigInt(frame)
    const tables = (pagemap: Record<number, readonly bigint[]>): FramePowers => ({
      pagemap: async (pid, page, count) => {
        expect([page, count]).toEqual([16, 2])
        return BigUint64Array.from(pagemap[pid] ?? [])
      },
      mapCounts: async (_, count) => BigUint64Array.from({ length: count }, () => 3n),
    })
    const units = [
      { unit: 'left', pids: [1], blobs: [one] },
      { unit: 'right', pids: [2], blobs: [] },
    ]
    const both = { 1: twoPages('/cache/one'), 2: twoPages('/cache/one') }
    const counted = async (pagemap: Record<number, readonly bigint[]>) =>
      (await report(both, units, 4096, tables(pagemap)))._unsafeUnwrap()

    it('proves that there is one copy', async () => {
      const { blobs, proof } = await counted({ 1: [present(700), present(9)], 2: [present(700), present(9)] })
      expect(proof).toEqual({ kind: 'frames' })
      expect(blobs[0]?.frames).toEqual({ filePages: 2, frames: 2, shared: 2, mappings: 6 })
    })

    it('finds a copy of a page, and pages that one unit alone has in memory', async () => {
      const { blobs } = await counted({ 1: [present(700), 0n], 2: [present(701), present(9)] })
      expect(blobs[0]?.frames).toEqual({ filePages: 2, frames: 3, shared: 0, mappings: 9 })
    })

    it('says so where the kernel hides them, or forbids to look', async () => {
      const hidden = await counted({ 1: [present(0)], 2: [] })
      expect(hidden.proof).toMatchObject({ kind: 'not-permitted' })
      expect(hidden.blobs[0]).not.toHaveProperty('frames')
      const forbidden: FramePowers = {
        pagemap: () => Promise.reject(Object.assign(new Error('EACCES: no'), { code: 'EACCES' })),
        mapCounts: async () => new BigUint64Array(),
      }
      const { proof, rssBytes } = (await report(both, units, 4096, forbidden))._unsafeUnwrap()
      expect(proof.kind === 'not-permitted' && proof.message).toContain('EACCES')
      expect(rssBytes).toBe(16 * 1024)
    })

    it('does without the kernel’s own counts where those are not told', async () => {
      const powers = {
        ...tables({ 1: [present(7)], 2: [present(7)] }),
        mapCounts: () => Promise.reject(Object.assign(new Error('no'), { code: 'EPERM' })),
      }
      const { blobs } = (await report(both, units, 4096, powers))._unsafeUnwrap()
      expect(blobs[0]?.frames).toEqual({ filePages: 1, frames: 1, shared: 1, mappings: undefined })
    })
  })

  it('finds a blob that was unlinked by its path, and one that was moved by its inode', async () => {
    const smaps = mapping('/cache/one (deleted)', 11, 4, 4) + mapping('/elsewhere', 22, 8, 8)
    const { blobs } = (
      await report({ 1: smaps }, [{ unit: 'u', pids: [1], blobs: [one, two] }])
    )._unsafeUnwrap()
    expect(blobs.map(({ rssBytes }) => rssBytes)).toEqual([4096, 8192])
  })

  it('says which unit has ended', async () => {
    const error = (await report({}, [{ unit: 'left', pids: [4], blobs: [one] }]))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'system', code: 'ENOENT' })
    expect(error.message).toContain('process 4 of unit left')
  })

  it('does not gather a line without end', async () => {
    const endless = { 1: 'x'.repeat(100_000) }
    const error = (await report(endless, [{ unit: 'u', pids: [1], blobs: [one] }], 4096))._unsafeUnwrapErr()
    expect(error.kind).toBe('system')
  })

  describe('of two processes of this machine that run the same program', () => {
    const child = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1000)'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    afterAll(() => child.kill('SIGKILL'))

    it('is read from the kernel: one copy for both', async () => {
      await once(child.stdout, 'data')
      const program = { ...one, file: process.execPath }
      const units = [
        { unit: 'parent', pids: [process.pid], blobs: [program] },
        { unit: 'child', pids: [child.pid!], blobs: [] },
      ]
      const { blobs, proof } = (await readSharing(units))._unsafeUnwrap()
      expect(blobs[0]!.units).toEqual(['child', 'parent'])
      expect(blobs[0]!.savedBytes).toBeGreaterThan(1 << 20)
      expect(blobs[0]!.pssBytes).toBeLessThan(blobs[0]!.rssBytes)
      if (process.geteuid?.() !== 0) return void expect(proof.kind).toBe('not-permitted')
      const { filePages, frames, shared, mappings } = blobs[0]!.frames!
      // A page that one of them writes is its own from then on; what is only read is there once.
      expect(shared).toBeGreaterThan(256)
      expect(frames - filePages).toBeLessThan(filePages / 10)
      expect(mappings).toBeGreaterThanOrEqual(frames + shared)
    })
  })
})
