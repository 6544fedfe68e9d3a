import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildDemoClosures } from '../../../../examples/demo/src/closures.js'
import { closure, compose, defineUnit, type Host, nixStore, openHost, type Unit } from '../../src/index.js'
import { directoriesIn } from './directories.js'
import { findRemains } from './remains.js'

let root: string
let host: Host
let unit: Unit
let closures: Awaited<ReturnType<typeof buildDemoClosures>>
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const names = () => unit.closure.paths.map((info) => info.path.slice('/nix/store/'.length)).sort()
const listed = async () => (await unit.storeListing())._unsafeUnwrap()

beforeAll(async () => {
  root = await mkdtemp(`${tmpdir()}/view-`)
  closures = await buildDemoClosures()
  const places = await directoriesIn(root)
  host = (await openHost({ store: nixStore(), injection: 'view', ...places }))._unsafeUnwrap()
  const graph = compose({ left: defineUnit('left', { store: closure(closures.left) }) })._unsafeUnwrap()
  unit = (await host.start(graph))._unsafeUnwrap().left
})

afterAll(async () => {
  await host?.stop()
  if (root) await rm(root, { recursive: true })
})

/** A program that runs until it is killed, and its process number in the unit. */
async function startCounter() {
  const running = (await unit.spawn([`${closures.left}/bin/counter`, '--forever']))._unsafeUnwrap()
  let said = ''
  for await (const chunk of running.stdout) {
    said += text(chunk)
    if (said.includes('\n')) break
  }
  return { running, pid: /\d+/.exec(said)![0] }
}

it('lets a unit read again what a revocation that was given up had hidden', async () => {
  const { running, pid } = await startCounter()
  expect((await unit.inject(closure(closures.debugger))).isOk()).toBe(true)
  const before = await listed()
  const giving = new AbortController()
  const giveUp = ({ step }: { step: string }) => step === 'revoke-hidden' && giving.abort()
  host.events.on('step', giveUp)
  const error = (await unit.revoke(closure(closures.debugger), { signal: giving.signal }))._unsafeUnwrapErr()
  host.events.off('step', giveUp)
  expect(error.kind).toBe('aborted')
  expect(error.message).not.toContain('And ')
  expect(await listed()).toEqual(before)
  // It was not read before: nothing of it is in the unit's memory, not even that it was there a moment ago.
  const look = (await unit.exec([`${closures.debugger}/bin/peek`, pid]))._unsafeUnwrap()
  expect(look.outcome, text(look.stderr)).toEqual({ kind: 'exited', code: 0 })
  expect((await unit.revoke(closure(closures.debugger))).isOk()).toBe(true)
  ;(await running.signal(9))._unsafeUnwrap()
})

it('adds software by the view to a unit that runs, and takes it away again', async () => {
  expect([unit.injection, unit.store.shared, unit.dax]).toEqual(['view', true, true])
  const before = await listed()
  const { running, pid } = await startCounter()
  const injected = (await unit.inject(closure(closures.debugger)))._unsafeUnwrap()
  expect(injected).toMatchObject({ way: 'view', devices: 0 })
  expect(injected.added).toContain(closures.debugger)
  expect(await listed()).toEqual(names())
  const peek = [`${closures.debugger}/bin/peek`, pid]
  const look = (await unit.exec(peek))._unsafeUnwrap()
  expect(look.outcome, text(look.stderr)).toEqual({ kind: 'exited', code: 0 })
  const revoked = (await unit.revoke(closure(closures.debugger)))._unsafeUnwrap()
  expect(revoked.removed).toEqual(injected.added)
  expect(revoked.stays).toEqual({ inUse: [], processes: 0, onDevices: [] })
  expect(await listed()).toEqual(before)
  expect((await unit.exec(peek))._unsafeUnwrap().outcome).toMatchObject({ kind: 'not-started' })
  expect((await unit.inject(closure(closures.debugger))).isOk()).toBe(true)
  expect((await unit.exec(peek))._unsafeUnwrap().outcome).toEqual({ kind: 'exited', code: 0 })
  ;(await running.signal(9))._unsafeUnwrap()
})

it('serves the view from a process of its own, without capabilities, which is a leftover while it lives', async () => {
  const { processes } = (await host.leftovers())._unsafeUnwrap()
  const server = processes.find(({ role }) => role === 'view')
  expect(server).toBeDefined()
  const status = readFileSync(`/proc/${server?.pid}/status`, 'utf8')
  expect(status).toMatch(/^CapEff:\s+0{16}$/m)
  expect(status).toMatch(/^NoNewPrivs:\s+1$/m)
})

it('fails when the server of its view dies, and leaves nothing', async () => {
  const { processes } = (await host.leftovers())._unsafeUnwrap()
  process.kill(processes.find(({ role }) => role === 'view')?.pid ?? Number.NaN, 'SIGKILL')
  await unit.ended
  expect(unit.state).toBe('failed')
  await host.stop()
  expect((await host.leftovers())._unsafeUnwrap()).toEqual({
    processes: [],
    sockets: [],
    mounts: [],
    files: [],
  })
  expect(await findRemains(`${root}/state`, `${root}/cache`)).toEqual({
    processes: [],
    mounts: [],
    files: [],
  })
})
