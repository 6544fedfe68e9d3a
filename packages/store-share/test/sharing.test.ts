import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, describe, expect, it } from 'vitest'
import { type Blob, sharingReport } from '../src/index.js'
import { clock, readSharing } from '../src/linux.js'

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

function report(processes: Record<number, string>, units: Parameters<typeof sharingReport>[0], chunk = 7) {
  return sharingReport(units, {
    clock,
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
    expect(result._unsafeUnwrap()).toEqual({
      ...kilo(248, 144),
      blobs: [
        { ...shownOne, units: ['left', 'right'], ...kilo(208, 104) },
        { ...shownTwo, units: ['right'], ...kilo(40, 40) },
      ],
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
      const { blobs } = (await readSharing(units))._unsafeUnwrap()
      expect(blobs[0]!.units).toEqual(['child', 'parent'])
      expect(blobs[0]!.savedBytes).toBeGreaterThan(1 << 20)
      expect(blobs[0]!.pssBytes).toBeLessThan(blobs[0]!.rssBytes)
    })
  })
})
