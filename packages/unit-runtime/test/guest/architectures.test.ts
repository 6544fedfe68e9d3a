import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Result } from 'neverthrow'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  closure,
  compose,
  defineUnit,
  type Host,
  type HostError,
  nixStore,
  openHost,
  type Unit,
} from '../../src/index.js'
import { addProgram, addToStore } from './real-store.js'

// Units of other architectures: cross-compiled programs, the cross-compiled agent, Debian's kernels, software emulation.
const run = promisify(execFile)
const agentPackage = fileURLToPath(new URL('../../../guest-agent/', import.meta.url))

const machines = { aarch64: 'aarch64', powerpc64le: 'ppc64le' } as const
type Architecture = keyof typeof machines
const architectures = Object.keys(machines) as Architecture[]

let root: string
let late: string
const hosts: Host[] = []
const units = new Map<Architecture, { readonly host: Host; readonly unit: Unit; readonly program: string }>()

/** What it is, or why it is not. */
function done<T>(result: Result<T, HostError>): T {
  if (result.isErr()) throw new Error(`${result.error.kind}: ${result.error.message}`)
  return result.value
}

async function start(architecture: Architecture) {
  const program = await addProgram('where', ['where.c'], `${architecture}-linux-gnu-gcc`)
  const places = { stateDirectory: `${root}/${architecture}`, cacheDirectory: `${root}/cache` }
  // By a view: nothing can be plugged into these machines.
  const options = { store: nixStore(), architecture, injection: true, ...places }
  const host = done(await openHost(options))
  hosts.push(host)
  const graph = compose({ far: defineUnit('far', { store: closure(program) }) })._unsafeUnwrap()
  const unit = done(await host.start(graph)).far
  units.set(architecture, { host, unit, program })
}

beforeAll(async () => {
  root = await mkdtemp(`${tmpdir()}/architectures-`)
  const build = [`${agentPackage}agent/Makefile`, process.execPath, `${agentPackage}build-agent.mjs`]
  await run('flock', [...build, ...architectures])
  late = await addToStore('late', (path) => writeFile(path, 'later'))
  // Both at once: each keeps one processor busy for as long.
  await Promise.all(architectures.map(start))
}, 240_000)

afterAll(async () => {
  for (const host of hosts) await host.stop()
  if (root) await rm(root, { recursive: true })
})

describe.each(architectures)('a unit for %s', (architecture) => {
  it('runs its programs under emulation, and sees its closure and nothing else', async () => {
    const { host, unit, program } = units.get(architecture)!
    expect(host.monitor).toMatchObject({ kind: 'qemu', accelerator: 'emulation' })
    expect(unit.store).toMatchObject({ transport: 'block', shared: false })
    const said = (await unit.exec([`${program}/bin/where`, 'from afar']))._unsafeUnwrap()
    expect(said.outcome).toEqual({ kind: 'exited', code: 7 })
    const lines = [`${machines[architecture]} from afar`, basename(program), '']
    expect(new TextDecoder().decode(said.stdout)).toBe(lines.join('\n'))
    expect((await unit.storeListing())._unsafeUnwrap()).toEqual([basename(program)])
  })

  it('is given software while it runs, by a view, and it is taken away again', async () => {
    const { unit, program } = units.get(architecture)!
    const injected = (await unit.inject(closure(late)))._unsafeUnwrap()
    expect(injected).toMatchObject({ way: 'view', devices: 0, added: [late] })
    const both = [basename(program), basename(late)].sort()
    expect((await unit.storeListing())._unsafeUnwrap()).toEqual(both)
    const said = (await unit.exec([`${program}/bin/where`, 'again']))._unsafeUnwrap()
    const lines = [`${machines[architecture]} again`, ...both, '']
    expect(new TextDecoder().decode(said.stdout)).toBe(lines.join('\n'))
    expect((await unit.revoke(closure(late)))._unsafeUnwrap().removed).toEqual([late])
    expect((await unit.storeListing())._unsafeUnwrap()).toEqual([basename(program)])
  })
})
