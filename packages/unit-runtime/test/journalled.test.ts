import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import type { Processes } from '@spectrum/unit-monitor'
import { linuxPowers } from '@spectrum/unit-monitor/linux'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MARKER } from '../src/identity.js'
import { Journal, type JournalRecord } from '../src/journal.js'
import { journalledProcesses, journalledSockets } from '../src/journalled.js'
import { linuxHostFiles } from '../src/linux/host-files.js'
import { linuxProcessTable } from '../src/linux/process-table.js'

const powers = linuxPowers()
const table = linuxProcessTable()

describe('a journalled process', () => {
  let directory: string
  let journal: Journal
  let records: JournalRecord[]
  beforeEach(async () => {
    directory = await mkdtemp(`${tmpdir()}/journalled-`)
    records = []
    journal = await Journal.create(linuxHostFiles, directory, (record) => records.push(record))
  })
  afterEach(async () => {
    await journal.close()
    await rm(directory, { recursive: true })
  })

  const wrap = (processes: Processes) =>
    journalledProcesses(processes, { journal, table, host: 'host', token: () => 'ab12' })

  it('is on the disk as an intent before it exists, and as a pid afterwards', async () => {
    let recordsAtSpawn: string[] = []
    const processes = wrap({
      spawn(request) {
        recordsAtSpawn = records.map((record) => record.record)
        return powers.processes.spawn(request)
      },
    })
    const child = await processes.spawn({ file: 'sleep', argv: ['600'], role: 'r' })
    expect(recordsAtSpawn).toEqual(['process-intended'])
    expect(records[1]).toMatchObject({ record: 'process-started', pid: child.pid })
    child.kill()
    await child.exit
    expect(records[2]).toEqual({ record: 'process-ended', token: 'ab12' })
  })

  it('carries its token in the environment, through whatever starts it', async () => {
    const child = await wrap(powers.processes).spawn({ file: 'sleep', argv: ['600'], role: 'r' })
    const marked = await table.marked(MARKER, 'host/')
    expect(marked).toEqual([{ process: await table.identify(child.pid), value: 'host/ab12' }])
    child.kill()
    await child.exit
    expect(await table.marked(MARKER, 'host/')).toEqual([])
  })

  it('is not left running when the disk is full and its pid cannot be recorded', async () => {
    let pid = 0
    const processes = wrap({
      async spawn(request) {
        const child = await powers.processes.spawn(request)
        pid = child.pid
        journal.append = () => Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' }))
        return child
      },
    })
    const spawned = processes.spawn({ file: 'sleep', argv: ['600'], role: 'r' })
    await expect(spawned).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(await table.identify(pid)).toBeUndefined()
  })

  it('is withdrawn from the journal when there is no such program', async () => {
    const spawned = wrap(powers.processes).spawn({ file: 'no-such-program', argv: [], role: 'r' })
    await expect(spawned).rejects.toMatchObject({ code: 'ENOENT' })
    expect(journal.state.processes.size).toBe(0)
  })
})

describe('a journalled socket', () => {
  it('is on the disk as an intent before it exists', async () => {
    const directory = await mkdtemp(`${tmpdir()}/journalled-`)
    const seen: JournalRecord[] = []
    const journal = await Journal.create(linuxHostFiles, directory, (record) => seen.push(record))
    const path = `${directory}/control.sock`
    let before = 0
    const sockets = journalledSockets(
      {
        async listen(at) {
          before = seen.length
          return powers.sockets.listen(at)
        },
      },
      journal,
    )
    using listener = await sockets.listen(path)
    expect(listener.path).toBe(path)
    expect(before).toBe(1)
    expect(seen[0]).toEqual({ record: 'path-intended', what: 'socket', path })
    await journal.close()
    await rm(directory, { recursive: true })
  })
})
