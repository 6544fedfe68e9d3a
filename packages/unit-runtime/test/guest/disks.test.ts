import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildDemoClosures } from '../../../../examples/demo/src/closures.js'
import { closure, compose, defineUnit, type Host, nixStore, openHost, type Unit } from '../../src/index.js'
import { defaultPlaces, findGuestKernel, type GuestKernelFiles } from '../../src/linux.js'

let root: string
let host: Host
let unit: Unit
let closures: Awaited<ReturnType<typeof buildDemoClosures>>

/** The guest kernel as it would be without the drivers for persistent memory. */
async function withoutPmem(): Promise<GuestKernelFiles> {
  const kernel = (await findGuestKernel(process.env, defaultPlaces(process.env).cache))._unsafeUnwrap()
  const { modulesDirectory } = kernel
  const poor = join(root, 'modules', basename(modulesDirectory))
  await mkdir(poor, { recursive: true })
  await symlink(join(modulesDirectory, 'kernel'), join(poor, 'kernel'))
  for (const index of ['modules.dep', 'modules.builtin']) {
    const lines = (await readFile(join(modulesDirectory, index), 'utf8')).split('\n')
    await writeFile(join(poor, index), lines.filter((line) => !line.includes('/nvdimm/')).join('\n'))
  }
  return { ...kernel, modulesDirectory: poor }
}

beforeAll(async () => {
  root = await mkdtemp(`${tmpdir()}/disks-`)
  closures = await buildDemoClosures()
  const places = { stateDirectory: `${root}/state`, cacheDirectory: `${root}/cache` }
  const kernel = await withoutPmem()
  host = (await openHost({ store: nixStore(), kernel, ...places }))._unsafeUnwrap()
  const graph = compose({ left: defineUnit('left', { store: closure(closures.left) }) })._unsafeUnwrap()
  unit = (await host.start(graph))._unsafeUnwrap().left
})

afterAll(async () => {
  await host?.stop()
  if (root) await rm(root, { recursive: true })
})

it('runs units from disks where the kernel has no persistent memory, and says that nothing is shared', async () => {
  expect(unit.store).toMatchObject({ transport: 'block', shared: false })
  expect(unit.store.message).toMatch(/^nothing is shared/)
  expect(unit.dax).toBe(false)
  const names = unit.closure.paths.map((info) => info.path.slice('/nix/store/'.length)).sort()
  expect((await unit.storeListing())._unsafeUnwrap()).toEqual(names)
  const run = (await unit.exec([`${closures.left}/bin/counter`, 'from disk']))._unsafeUnwrap()
  expect(run.outcome).toEqual({ kind: 'exited', code: 0 })
  expect(new TextDecoder().decode(run.stdout)).toContain('from disk')
  expect((await host.sharing())._unsafeUnwrap().pssBytes).toBe(0)
})

it('adds disks to a unit that runs, and takes their paths away again', async () => {
  const injected = (await unit.inject(closure(closures.debugger)))._unsafeUnwrap()
  expect(injected.way).toBe('devices')
  expect(injected.devices).toBeGreaterThan(0)
  const peek = [`${closures.debugger}/bin/peek`, '1']
  expect((await unit.exec(peek))._unsafeUnwrap().outcome.kind).toBe('exited')
  const revoked = (await unit.revoke(closure(closures.debugger)))._unsafeUnwrap()
  expect(revoked.removed).toEqual(injected.added)
  expect(revoked.stays.onDevices).toContain(closures.debugger)
  expect((await unit.exec(peek))._unsafeUnwrap().outcome.kind).toBe('not-started')
})
