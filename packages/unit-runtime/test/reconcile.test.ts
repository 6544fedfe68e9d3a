import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { linuxPowers } from '@spectrum/unit-monitor/linux'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { memoryGroups } from '../src/fake/memory-groups.js'
import { MARKER, nameHost } from '../src/identity.js'
import { linuxHostFiles } from '../src/linux/host-files.js'
import { linuxProcessTable } from '../src/linux/process-table.js'
import type { ProcessTable } from '../src/powers.js'
import { reconcile } from '../src/reconcile.js'

const { clock } = linuxPowers()
const table = linuxProcessTable()
const resources = memoryGroups()
const powers = { clock, files: linuxHostFiles, processTable: table, resources }
const { signal } = new AbortController()

describe('reconciliation', () => {
  let root: string
  let places: { state: string; cache: string }
  const children: ChildProcess[] = []

  beforeEach(async () => {
    root = await mkdtemp(`${tmpdir()}/reconcile-`)
    places = { state: `${root}/state`, cache: `${root}/cache` }
  })
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    await rm(root, { recursive: true })
  })

  /** A host directory as a program left it that ran under another start time, so it cannot be alive. */
  async function deadHost(...records: readonly object[]): Promise<string> {
    const owner = { pid: process.pid, startTime: '1' }
    const host = nameHost({ ...table, self: owner } as ProcessTable, '0123abcd')
    await mkdir(`${places.state}/hosts/${host}/u1`, { recursive: true })
    const lines = records.map((record) => `${JSON.stringify(record)}\n`)
    await writeFile(`${places.state}/hosts/${host}/journal`, lines.join(''))
    return host
  }

  async function sleeper(environment: Record<string, string>): Promise<ChildProcess & { pid: number }> {
    const child = spawn('sleep', ['600'], { env: { PATH: process.env['PATH'], ...environment } })
    children.push(child)
    await once(child, 'spawn')
    return child as ChildProcess & { pid: number }
  }

  it('removes the control group of the host, and no other that its journal names', async () => {
    const host = await deadHost()
    const own = `/cgroup/spectrum-${host}`
    for (const path of [own, `${own}/left-1`, '/cgroup/other']) await resources.groups.make(path)
    const intended = (path: string) => ({ record: 'path-intended', what: 'cgroup', path })
    const lines = [intended(own), intended('/cgroup/other')].map((each) => `${JSON.stringify(each)}\n`)
    await writeFile(`${places.state}/hosts/${host}/journal`, lines.join(''))
    const [report] = await reconcile(powers, places, signal)
    expect(resources.paths()).toEqual(['/cgroup', '/cgroup/other'])
    expect(report?.failures).toEqual(['left /cgroup/other: the journal names a path outside its host'])
  })

  it('kills a process that carries the mark, even when its pid was never recorded', async () => {
    const host = await deadHost({ record: 'process-intended', token: 'ab12', role: 'unit left: qemu' })
    const child = await sleeper({ [MARKER]: `${host}/ab12` })
    const ended = once(child, 'exit')
    const [report] = await reconcile(powers, places, signal)
    expect(report?.killed).toEqual([{ pid: child.pid, role: 'unit left: qemu' }])
    expect(await ended).toEqual([null, 'SIGKILL'])
    expect(existsSync(`${places.state}/hosts/${host}`)).toBe(false)
  })

  it('kills a recorded process by pid and start time, though it hides its mark', async () => {
    const child = await sleeper({})
    const identity = await table.identify(child.pid)
    await deadHost(
      { record: 'process-intended', token: 'ab12', role: 'r' },
      { record: 'process-started', token: 'ab12', ...identity },
    )
    const ended = once(child, 'exit')
    expect((await reconcile(powers, places, signal))[0]?.killed).toEqual([{ pid: child.pid, role: 'r' }])
    await ended
  })

  it('never touches a process whose pid was reused since', async () => {
    const child = await sleeper({})
    const recorded = { pid: child.pid, startTime: '2' }
    await deadHost(
      { record: 'process-intended', token: 'ab12', role: 'r' },
      { record: 'process-started', token: 'ab12', ...recorded },
    )
    const [report] = await reconcile(powers, places, signal)
    expect(report).toMatchObject({ killed: [], failures: [] })
    expect(child.exitCode ?? child.signalCode).toBeNull()
    expect(await table.kill(recorded, signal)).toBe('gone')
    expect(await table.identify(child.pid)).toBeDefined()
  })

  it('ends the others and goes on when a process cannot be ended, and tries that one again the next time', async () => {
    const host = await deadHost()
    const [stuck, other] = [
      await sleeper({ [MARKER]: `${host}/ab12` }),
      await sleeper({ [MARKER]: `${host}/cd34` }),
    ]
    const hangs: ProcessTable = {
      ...table,
      async kill(process, given) {
        if (process.pid !== stuck.pid) return table.kill(process, signal)
        // As one that waits for its disk: the wait for its end is given up and nothing else.
        await new Promise((resolve) => given.addEventListener('abort', resolve, { once: true }))
        throw new Error('it lives on')
      },
    }
    const quick = { ...clock, deadline: (ms: number) => clock.deadline(ms / 100) }
    const [report] = await reconcile({ ...powers, clock: quick, processTable: hangs }, places, signal)
    expect(report).toMatchObject({
      killed: [{ pid: other.pid }],
      failures: [`process ${stuck.pid} (unknown) is not ended: it lives on`],
    })
    expect(existsSync(`${places.state}/hosts/${host}`)).toBe(true)
    const [again] = await reconcile(powers, places, signal)
    expect(again).toMatchObject({ killed: [{ pid: stuck.pid }], failures: [] })
    expect(existsSync(`${places.state}/hosts/${host}`)).toBe(false)
  })

  it('leaves a process with the mark of another host alone', async () => {
    const host = await deadHost()
    const child = await sleeper({ [MARKER]: `${host}x/ab12` })
    await reconcile(powers, places, signal)
    expect(await table.identify(child.pid)).toBeDefined()
  })

  it('removes sockets, files, the host’s directory and its unfinished files in the cache', async () => {
    const host = await deadHost()
    const unfinished = `${places.cache}/unfinished/${host}`
    await mkdir(unfinished, { recursive: true })
    await writeFile(`${unfinished}/half-a-blob`, 'x')
    const server = createServer().listen(`${places.state}/hosts/${host}/u1/control.sock`)
    await once(server, 'listening')
    const [report] = await reconcile(powers, places, signal)
    server.close()
    expect(report?.removed).toContain(`${unfinished}/half-a-blob`)
    expect(report?.removed).toContain(`${places.state}/hosts/${host}/u1/control.sock`)
    expect(await linuxHostFiles.list(`${places.state}/hosts`)).toEqual([])
    expect(await linuxHostFiles.list(`${places.cache}/unfinished`)).toEqual([])
  })

  it('leaves a living host alone', async () => {
    const path = `${places.state}/hosts/${nameHost(table, '0123abcd')}`
    await mkdir(path, { recursive: true })
    expect(await reconcile(powers, places, signal)).toEqual([])
    expect(existsSync(path)).toBe(true)
  })

  it('leaves a directory alone that is not named like a host’s', async () => {
    await mkdir(`${places.state}/hosts/precious`, { recursive: true })
    expect(await reconcile(powers, places, signal)).toEqual([])
    expect(existsSync(`${places.state}/hosts/precious`)).toBe(true)
  })

  it('does not follow a journal out of the host’s own directories', async () => {
    const outside = `${root}/precious`
    await mkdir(outside)
    await deadHost({ record: 'path-intended', what: 'directory', path: outside })
    const [report] = await reconcile(powers, places, signal)
    expect(report?.failures[0]).toContain(outside)
    expect(existsSync(outside)).toBe(true)
  })

  it('may be done by several programs at once', async () => {
    const host = await deadHost({ record: 'process-intended', token: 'ab12', role: 'r' })
    const child = await sleeper({ [MARKER]: `${host}/ab12` })
    const reports = await Promise.all([1, 2, 3].map(() => reconcile(powers, places, signal)))
    expect(reports.flat().flatMap((report) => report.failures)).toEqual([])
    expect(await table.identify(child.pid)).toBeUndefined()
    expect(await linuxHostFiles.list(`${places.state}/hosts`)).toEqual([])
  })
})
