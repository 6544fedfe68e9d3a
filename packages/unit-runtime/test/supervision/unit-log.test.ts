import { memoryFiles } from '@spectrum/unit-runtime/fake'
import { describe, expect, it } from 'vitest'
import { HostDirectory } from '../../src/host-directory.js'
import { HostLogs } from '../../src/supervision/host-logs.js'
import type { LogLine, LogOptions } from '../../src/supervision/log-line.js'
import { UNIT_LOG_BOUNDS, UnitLog } from '../../src/supervision/unit-log.js'
import { settle } from './watched-host.js'

function newLog(bounds: Partial<typeof UNIT_LOG_BOUNDS> = {}) {
  const files = memoryFiles()
  let now = 1_000
  const powers = {
    files,
    makeDirectory: () => files.makeDirectory('/logs/unit'),
    epochMs: () => now++,
  }
  return { files, log: new UnitLog(powers, '/logs/unit', { ...UNIT_LOG_BOUNDS, ...bounds }) }
}
async function texts(log: UnitLog, options?: LogOptions): Promise<readonly string[]> {
  const lines: LogLine[] = []
  for await (const line of log.read(options)) lines.push(line)
  return lines.map(({ text }) => text)
}

describe('the log of a unit', () => {
  it('gives back what was said, in order, with who said it and when', async () => {
    const { log } = newLog()
    log.add('console', 'one')
    log.add('stderr', 'two')
    const lines: LogLine[] = []
    for await (const line of log.read()) lines.push(line)
    expect(lines).toEqual([
      { seq: 1, at: 1_000, source: 'console', text: 'one' },
      { seq: 2, at: 1_001, source: 'stderr', text: 'two' },
    ])
    expect(await texts(log, { lastLines: 1 })).toEqual(['two'])
    expect(await texts(log, { lastLines: 0 })).toEqual([])
  })

  it('keeps two files of bounded size, and so the newest', async () => {
    const { log, files } = newLog({ fileBytes: 400, keptLines: 1 })
    for (let line = 0; line < 100; line += 1) {
      log.add('console', `line ${line}`)
      await settle()
    }
    const sizes = await Promise.all(['0.log', '1.log'].map((name) => files.size(`/logs/unit/${name}`)))
    expect(sizes.every((size) => size! <= 400 && size! > 0)).toBe(true)
    const kept = await texts(log)
    expect(kept.at(-1)).toBe('line 99')
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, at) => `line ${100 - kept.length + at}`))
    expect(kept.length).toBeGreaterThan(10)
  })

  it('keeps them bounded also when much is said at once, and loses nothing that has room', async () => {
    const { log, files } = newLog({ fileBytes: 400, keptLines: 1 })
    for (let line = 0; line < 100; line += 1) log.add('console', `line ${line} é`)
    await settle()
    const sizes = await Promise.all(
      ['0.log', '1.log'].map(async (name) =>
        Buffer.byteLength((await files.read(`/logs/unit/${name}`, 9_999))!),
      ),
    )
    expect(sizes.every((size) => size <= 400)).toBe(true)
    expect(sizes[1]).toBeGreaterThan(350)
    const kept = await texts(log)
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, at) => `line ${100 - kept.length + at} é`))
    expect(kept.length).toBeGreaterThan(10)
  })

  it('keeps what is said in memory while the disk is full, and writes again when it is not', async () => {
    const { log, files } = newLog()
    files.failWrites('ENOSPC')
    log.add('host', 'lost to the disk')
    await settle()
    expect(await texts(log)).toEqual(['lost to the disk'])
    files.failWrites(undefined)
    log.add('host', 'kept')
    await settle()
    expect(await files.read('/logs/unit/0.log', 1_000)).toContain('kept')
  })

  it('says how many lines it left out when more are said than the disk takes', async () => {
    const { log } = newLog({ waitingLines: 2, keptLines: 1 })
    for (const text of ['a', 'b', 'c', 'd', 'e']) log.add('stdout', text)
    await settle()
    expect(await texts(log)).toEqual(['a', 'b', '(3 lines left out here)', 'e'])
  })

  it('follows: first what was said, then what is said, each once, until it is told to stop', async () => {
    const { log } = newLog()
    const stop = new AbortController()
    log.add('console', 'before')
    const seen: string[] = []
    const following = (async () => {
      for await (const { text } of log.read({ follow: true, signal: stop.signal })) seen.push(text)
    })()
    log.add('console', 'meanwhile')
    await settle()
    log.add('console', 'after')
    await settle()
    expect(seen).toEqual(['before', 'meanwhile', 'after'])
    stop.abort()
    await following
  })

  it('ends those who follow when it is closed', async () => {
    const { log } = newLog()
    const following = texts(log, { follow: true })
    log.add('console', 'last')
    await settle()
    await log.close()
    expect(await following).toEqual(['last'])
    expect(await texts(log, { follow: true })).toEqual(['last'])
  })

  it('lets a reader that is slow miss lines instead of keeping them all', async () => {
    const { log } = newLog({ waitingLines: 3 })
    const reader = log.read({ follow: true })[Symbol.asyncIterator]()
    log.add('console', 'first')
    expect((await reader.next()).value?.text).toBe('first')
    for (let line = 0; line < 10; line += 1) log.add('console', `${line}`)
    await settle()
    expect((await reader.next()).value?.text).toBe('7')
    await reader.return?.()
  })

  it('cuts a line that is too long', async () => {
    const { log } = newLog()
    log.add('host', 'x'.repeat(5_000))
    const [text] = await texts(log)
    expect([text!.length, text!.endsWith('…')]).toEqual([2_048, true])
  })
})

describe('the logs of a host', () => {
  it('keep nothing of a unit that was forgotten, whatever of it still comes', async () => {
    const files = memoryFiles()
    const table = { self: { pid: 1, startTime: '1' }, bootId: 'b', identify: async () => undefined }
    const powers = {
      files,
      processTable: { ...table, marked: async () => [], kill: async () => 'gone' as const },
    }
    const directory = await HostDirectory.create(
      { ...powers, randomHex: () => '00' },
      { state: '/state', cache: '/cache' },
      () => {},
    )
    const logs = new HostLogs(directory, () => 0)
    logs.of('viewer-1')
    logs.add('viewer-1', 'console', 'early')
    await settle()
    await logs.forget('viewer-1')
    logs.add('viewer-1', 'console', 'late')
    await settle()
    const lines: string[] = []
    for await (const { text } of logs.read('viewer-1')) lines.push(text)
    expect(lines).toEqual([])
    expect(files.paths().filter((path) => path.includes('viewer-1'))).toEqual([])
  })
})
