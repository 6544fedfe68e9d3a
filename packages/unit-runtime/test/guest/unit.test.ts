import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { openBlobCache } from '@spectrum/store-share/linux'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildDemoClosures } from '../../../../examples/demo/src/closures.js'
import { closure, compose, defineUnit, type Host, nixStore, openHost, type Unit } from '../../src/index.js'
import { directoriesIn } from './directories.js'
import { findRemains } from './remains.js'

let root: string
let host: Host
let left: Unit
let right: Unit
let closures: Awaited<ReturnType<typeof buildDemoClosures>>

const names = (unit: Unit) => unit.closure.paths.map((info) => info.path.slice('/nix/store/'.length))
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

/** What each descriptor of this program refers to. The listing's own is gone by the time it is read. */
const openDescriptors = () =>
  readdirSync('/proc/self/fd')
    .flatMap((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`)
      } catch {
        return []
      }
    })
    .sort()
let socketsBefore: readonly string[]

beforeAll(async () => {
  socketsBefore = openDescriptors().filter((target) => target.startsWith('socket:'))
  root = await mkdtemp(`${tmpdir()}/unit-`)
  closures = await buildDemoClosures()
  const opened = await openHost({
    store: nixStore(),
    ...(await directoriesIn(root)),
  })
  host = opened._unsafeUnwrap()
  const graph = compose({
    left: defineUnit('left', { store: closure(closures.left) }),
    right: defineUnit('right', { store: closure(closures.right) }),
  })._unsafeUnwrap()
  const units = (await host.start(graph))._unsafeUnwrap()
  left = units.left
  right = units.right
})

afterAll(async () => {
  await host?.stop()
  if (root) await rm(root, { recursive: true })
})

describe('a real unit', () => {
  it('runs a command of its closure by argument vector and reports how it ended', async () => {
    const run = (await left.exec([`${closures.left}/bin/counter`, 'hello world', '$HOME']))._unsafeUnwrap()
    expect(text(run.stderr)).toBe('left has nothing to complain about\n')
    expect(run).toMatchObject({ outcome: { kind: 'exited', code: 0 }, truncated: false })
    expect(text(run.stdout)).toContain('hello world')
    expect(text(run.stdout)).toContain('$HOME')
  })

  it('lists exactly its closure in its /nix/store', async () => {
    for (const unit of [left, right]) {
      expect((await unit.storeListing())._unsafeUnwrap()).toEqual(names(unit).sort())
    }
    expect(names(left)).not.toEqual(names(right))
  })

  it('maps its files directly', () => {
    expect([left.dax, right.dax]).toEqual([true, true])
  })

  it('cannot start what it was not granted', async () => {
    const run = (await right.exec([`${closures.left}/bin/counter`]))._unsafeUnwrap()
    expect(run.outcome).toMatchObject({ kind: 'not-started', reason: 'not-found' })
  })

  it('ends a command at its deadline', async () => {
    const argv = [`${closures.left}/bin/counter`, '--forever']
    const run = (await left.exec(argv, { deadlineMs: 1_500 }))._unsafeUnwrap()
    expect(run.outcome).toEqual({ kind: 'timed-out' })
  })

  it('shows injected software to a process that ran before, and to no other unit', async () => {
    const argv = [`${closures.left}/bin/counter`, '--forever']
    const patient = (await left.spawn(argv))._unsafeUnwrap()
    let said = ''
    for await (const chunk of patient.stdout) {
      said += text(chunk)
      if (said.includes('\n')) break
    }
    const pid = /\d+/.exec(said)![0]
    const report = (await left.inject(closure(closures.debugger)))._unsafeUnwrap()
    expect(report.added).toContain(closures.debugger)
    const peek = [`${closures.debugger}/bin/peek`, pid]
    const look = (await left.exec(peek))._unsafeUnwrap()
    expect(look.outcome, text(look.stderr)).toEqual({ kind: 'exited', code: 0 })
    expect((await right.exec(peek))._unsafeUnwrap().outcome).toMatchObject({ kind: 'not-started' })
    expect((await left.storeListing())._unsafeUnwrap()).toEqual(names(left).sort())
    const base = closures.debugger.slice('/nix/store/'.length)
    expect((await right.storeListing())._unsafeUnwrap()).not.toContain(base)
    expect((await left.inject(closure(closures.debugger)))._unsafeUnwrap()).toMatchObject({
      added: [],
      devices: 0,
    })
    ;(await patient.signal(9))._unsafeUnwrap()
    expect(await patient.outcome).toMatchObject({ kind: 'signalled' })
  })

  it('shares the blobs that both hold', async () => {
    const report = (await host.sharing())._unsafeUnwrap()
    expect(report.blobs.some((blob) => blob.units.join() === 'left,right')).toBe(true)
    expect(report.pssBytes).toBeLessThan(report.rssBytes)
  })

  it('whose machine is killed from outside has failed, ends its commands as lost, and is cleaned up', async () => {
    const running = (await left.spawn([`${closures.left}/bin/counter`, '--forever']))._unsafeUnwrap()
    const why: string[] = []
    host.events.on('unit-state', (event) => event.state === 'failed' && why.push(event.why ?? ''))
    process.kill(left.processes[0]!.pid, 'SIGKILL')
    expect((await running.outcome).kind).toBe('unit-lost')
    expect((await left.ended).exit).toMatchObject({ kind: 'signalled', signal: 'SIGKILL' })
    expect(left.state).toBe('failed')
    expect(why[0]).toContain('Unit "left" died')
    expect((await left.exec(['/x']))._unsafeUnwrapErr().kind).toBe('unit-not-running')
    expect([...host.units.keys()]).toEqual(['right'])
    expect((await host.leftovers())._unsafeUnwrap().processes).toHaveLength(1)
  })

  it('leaves the blobs that it alone held to a collection, while its host lives', async () => {
    await using cache = (await openBlobCache(`${root}/cache/blobs`))._unsafeUnwrap()
    ;(await cache.collect())._unsafeUnwrap()
    const held = right.attachment.blobs.map(({ file }) => file)
    const unheld = left.attachment.blobs.map(({ file }) => file).filter((file) => !held.includes(file))
    expect(unheld.length).toBeGreaterThan(0)
    expect(unheld.filter((file) => existsSync(file))).toEqual([])
    expect(held.filter((file) => !existsSync(file))).toEqual([])
    expect(existsSync(left.attachment.metadata.file)).toBe(false)
  })

  it('powers off in order, and leaves no process, socket, mount or file', async () => {
    const end = (await right.stop())._unsafeUnwrap()
    expect(end).toEqual({ state: 'stopped', exit: { kind: 'powered-off' }, graceful: true })
    ;(await host.stop())._unsafeUnwrap()
    expect((await host.leftovers())._unsafeUnwrap()).toEqual({
      processes: [],
      sockets: [],
      mounts: [],
      files: [],
    })
    const own = () => openDescriptors().filter((target) => target.includes(root) || target.includes('pidfd'))
    await expect.poll(own).toEqual([])
    const sockets = () => openDescriptors().filter((target) => target.startsWith('socket:'))
    await expect.poll(sockets).toEqual(socketsBefore)
    expect(await findRemains(`${root}/state`, `${root}/cache`)).toEqual({
      processes: [],
      mounts: [],
      files: [],
    })
  })
})
