import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDescriptors, openedSince } from '../../unix-fd/test/held.js'
import { memoryFiles } from '../src/fake/memory-files.js'
import { Journal, type JournalRecord, readJournal } from '../src/journal.js'
import { linuxHostFiles } from '../src/linux/host-files.js'
import type { HostFiles } from '../src/powers.js'

const owner: JournalRecord = { record: 'host', version: 1, pid: 77, startTime: '123', bootId: 'b' }
const intent: JournalRecord = { record: 'process-intended', token: 'ab12', role: 'unit left: qemu' }
const started: JournalRecord = { record: 'process-started', token: 'ab12', pid: 78, startTime: '124' }

describe('the journal', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(`${tmpdir()}/journal-`)
  })
  afterEach(() => rm(directory, { recursive: true }))

  async function write(...records: readonly JournalRecord[]): Promise<void> {
    const journal = await Journal.create(linuxHostFiles, directory, () => {})
    for (const record of records) await journal.append(record)
    await journal.close()
  }

  it('tells after a crash what was intended and what is known to run', async () => {
    await write(owner, intent)
    const intended = (await readJournal(linuxHostFiles, directory)).state
    expect(intended.owner?.process).toEqual({ pid: 77, startTime: '123' })
    expect([...intended.processes.values()]).toEqual([
      { token: 'ab12', role: 'unit left: qemu', process: undefined },
    ])
    await appendFile(`${directory}/journal`, `${JSON.stringify(started)}\n`)
    const running = (await readJournal(linuxHostFiles, directory)).state
    expect(running.processes.get('ab12')?.process).toEqual({ pid: 78, startTime: '124' })
  })

  it('forgets what has ended and what was removed', async () => {
    const path = '/state/hosts/h/u1'
    await write(
      intent,
      started,
      { record: 'path-intended', what: 'directory', path },
      { record: 'process-ended', token: 'ab12' },
      { record: 'path-removed', path },
    )
    const { state } = await readJournal(linuxHostFiles, directory)
    expect(state.processes.size + state.paths.size).toBe(0)
  })

  it('has each record on the disk before append resolves, in the order of the calls', async () => {
    const seen: string[] = []
    const journal = await Journal.create(linuxHostFiles, directory, (record) => seen.push(record.record))
    await Promise.all([journal.append(owner), journal.append(intent), journal.append(started)])
    const lines = (await readFile(`${directory}/journal`, 'utf8')).trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line).record)).toEqual(seen)
    expect(seen).toEqual(['host', 'process-intended', 'process-started'])
    await journal.close()
  })

  it('reads every prefix of itself: a torn last line is passed over', async () => {
    await write(owner, intent, started)
    const whole = await readFile(`${directory}/journal`, 'utf8')
    for (let length = 0; length <= whole.length; length += 1) {
      await writeFile(`${directory}/journal`, whole.slice(0, length))
      const { state, unreadable } = await readJournal(linuxHostFiles, directory)
      expect(unreadable).toBe(0)
      const complete = whole.slice(0, length).split('\n').length - 1
      expect(state.processes.size).toBe(complete >= 2 ? 1 : 0)
      expect(state.processes.get('ab12')?.process !== undefined).toBe(complete >= 3)
    }
  })

  it('counts a line that is no record and believes nothing of it', async () => {
    const lines = [
      '[]',
      'null',
      '{"record":"process-started","token":"ab12","pid":1,"startTime":"1"}',
      '{"record":"process-started","token":"ab12","pid":"78","startTime":"1"}',
      '{"record":"path-intended","what":"directory","path":"relative"}',
      '{"record":"__proto__"}',
    ]
    await writeFile(`${directory}/journal`, `${lines.join('\n')}\n`)
    const { state, unreadable } = await readJournal(linuxHostFiles, directory)
    expect(unreadable).toBe(lines.length)
    expect(state.processes.size + state.paths.size).toBe(0)
  })

  it('loses no record behind one that a full disk has torn', async () => {
    let full = true
    const files: HostFiles = {
      ...linuxHostFiles,
      async openJournal(path) {
        const log = await linuxHostFiles.openJournal(path)
        return {
          async append(line) {
            await log.append(full ? line.slice(0, line.length / 2) : line)
            if (full) throw Object.assign(new Error('full'), { code: 'ENOSPC' })
          },
          close: () => log.close(),
        }
      },
    }
    const journal = await Journal.create(files, directory, () => {})
    await expect(journal.append(owner)).rejects.toMatchObject({ code: 'ENOSPC' })
    full = false
    await journal.append(intent)
    await journal.close()
    const { state, unreadable } = await readJournal(linuxHostFiles, directory)
    expect([...state.processes.keys()]).toEqual(['ab12'])
    expect(unreadable).toBe(1)
  })

  it('forgets what lay below a directory that was removed', async () => {
    const path = '/state/hosts/h/u1'
    await write(
      { record: 'path-intended', what: 'directory', path },
      { record: 'path-intended', what: 'socket', path: `${path}/qmp.sock` },
      { record: 'path-intended', what: 'directory', path: `${path}0` },
      { record: 'path-removed', path },
    )
    const { state } = await readJournal(linuxHostFiles, directory)
    expect([...state.paths.keys()]).toEqual([`${path}0`])
  })

  it.each([
    ['real', linuxHostFiles],
    ['memory', memoryFiles()],
  ])('is read as far as it is bearable (%s files)', async (_, files) => {
    const path = `${directory}/journal`
    const log = await files.openJournal(path)
    await log.append('123456')
    await log.close()
    expect(await files.read(path, 4)).toBe('1234')
    expect(await files.read(path, 9)).toBe('123456')
  })

  async function liveLong(files: HostFiles): Promise<{ bytes: number; opened: readonly string[] }> {
    const before = openDescriptors()
    const journal = await Journal.create(files, directory, () => {}, 2_000)
    for (const record of [owner, intent, started]) await journal.append(record)
    await journal.append({ record: 'process-intended', token: 'cd34', role: 'r' })
    for (let unit = 0; unit < 200; unit += 1) {
      const path = `/state/hosts/h/u${unit}`
      await journal.append({ record: 'path-intended', what: 'directory', path })
      if (unit !== 7) await journal.append({ record: 'path-removed', path })
    }
    await journal.close()
    const { state, unreadable } = await readJournal(linuxHostFiles, directory)
    expect(unreadable).toBe(0)
    expect(state.owner).toEqual({ process: { pid: 77, startTime: '123' }, bootId: 'b' })
    expect([...state.processes.values()]).toEqual([
      { token: 'ab12', role: 'unit left: qemu', process: { pid: 78, startTime: '124' } },
      { token: 'cd34', role: 'r', process: undefined },
    ])
    expect([...state.paths]).toEqual([['/state/hosts/h/u7', 'directory']])
    const { size } = await stat(`${directory}/journal`)
    return { bytes: size, opened: openedSince(before) }
  }

  it('does not grow with the age of its host, and loses nothing in shrinking', async () => {
    const { bytes, opened } = await liveLong(linuxHostFiles)
    expect(bytes).toBeLessThan(3_000)
    expect(opened).toEqual([])
    expect(await readdir(directory)).toEqual(['journal'])
  })

  it.each(['openJournal', 'rename'] as const)('goes on as it is when it cannot shrink (%s)', async (step) => {
    let calls = 0
    const files: HostFiles = {
      ...linuxHostFiles,
      [step]: (...given: [string, string]) => {
        calls += 1
        if (step === 'openJournal' && calls === 1) return linuxHostFiles.openJournal(given[0])
        return Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' }))
      },
    }
    const { bytes, opened } = await liveLong(files)
    expect(bytes).toBeGreaterThan(10_000)
    expect(opened).toEqual([])
    expect(calls).toBeLessThan(10)
  })

  it('reports a full disk to the one who appends, and goes on when there is room again', async () => {
    const files = memoryFiles()
    const journal = await Journal.create(files, '/state', () => {})
    files.failWrites('ENOSPC')
    await expect(journal.append(owner)).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(journal.state.owner).toBeUndefined()
    files.failWrites(undefined)
    await journal.append(intent)
    expect(journal.state.processes.size).toBe(1)
  })
})
