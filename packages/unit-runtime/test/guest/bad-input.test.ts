import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { buildDemoClosures } from '../../../../examples/demo/src/closures.js'
import {
  closure,
  compose,
  defineUnit,
  type Host,
  type HostError,
  type HostEvents,
  type LinuxHostOptions,
  nixStore,
  openHost,
  type UnitOptions,
} from '../../src/index.js'
import { defaultPlaces, findGuestKernel } from '../../src/linux.js'
import { directoriesIn, knowMonitors } from './directories.js'
import { findRemains } from './remains.js'

const run = promisify(execFile)
const nothing = { processes: [], mounts: [], files: [] }

let root: string
let stateDirectory: string
let cacheDirectory: string
let closures: Awaited<ReturnType<typeof buildDemoClosures>>
let host: Host | undefined

beforeAll(async () => {
  root = await mkdtemp(`${tmpdir()}/bad-input-`)
  ;({ stateDirectory, cacheDirectory } = await directoriesIn(root))
  closures = await buildDemoClosures()
})
afterAll(() => rm(root, { recursive: true }))
afterEach(async () => {
  await host?.stop()
  host = undefined
  expect(await findRemains(stateDirectory, cacheDirectory)).toEqual(nothing)
})

async function open(options: Partial<LinuxHostOptions> = {}): Promise<Host> {
  const opened = await openHost({ store: nixStore(), stateDirectory, cacheDirectory, ...options })
  host = opened._unsafeUnwrap()
  return host
}

const graphOf = (unit: Partial<UnitOptions> = {}) =>
  compose({ left: defineUnit('left', { store: closure(closures.left), ...unit }) })._unsafeUnwrap()

/** Starts a unit that must fail, and looks for what it left while the host is still open. */
async function failToStart(
  unit: Partial<UnitOptions>,
  options: { deadlineMs?: number; signal?: AbortSignal } = {},
): Promise<HostError> {
  const error = (await host!.start(graphOf(unit), options))._unsafeUnwrapErr()
  const { processes, mounts, files } = await findRemains(stateDirectory, cacheDirectory)
  expect({ processes, mounts }).toEqual({ processes: [], mounts: [] })
  // The host's own directory with its journal and what it logged, and its empty directory for unfinished files.
  const others = files.filter((file) => !/\/logs(\/left(\/[01]\.log)?)?$/.test(file))
  expect(others.map((file) => file.split('/').at(-1)).filter((name) => !/^\d+-/.test(name!))).toEqual([
    'journal',
  ])
  return error
}

describe('bad input', () => {
  it('that is not a store path is named', async () => {
    await open()
    expect(await failToStart({ store: closure('/etc/passwd') })).toMatchObject({
      kind: 'store-failed',
      unit: 'left',
      cause: { kind: 'not-a-store-path', path: '/etc/passwd' },
    })
  })

  it('that names a path the store does not have is refused', async () => {
    await open()
    const path = '/nix/store/00000000000000000000000000000000-nothing'
    expect(await failToStart({ store: closure(path) })).toMatchObject({
      kind: 'store-failed',
      cause: { kind: 'missing-path', path },
    })
  })

  it('that is a closure with a missing reference names the reference', async () => {
    const other = `${root}/other-store`
    const env = { ...process.env, NIX_CONFIG: 'experimental-features = nix-command\nbuild-users-group =' }
    await run('nix', ['copy', '--no-check-sigs', '--to', other, closures.left], { env })
    const { stdout } = await run('nix-store', ['--query', '--references', closures.left])
    const reference = stdout.split('\n').find((path) => path !== '' && path !== closures.left)!
    await run('chmod', ['-R', 'u+w', `${other}${reference}`])
    await rm(`${other}${reference}`, { recursive: true })
    await open({ store: nixStore({ root: other }) })
    expect(await failToStart({})).toMatchObject({
      kind: 'store-failed',
      cause: { kind: 'missing-reference', path: reference },
    })
  })

  // Without persistent memory alone it has disks: disks.test.ts.
  it.each([[['erofs']], [['virtio_blk', 'virtio_pmem']]])(
    'that is a kernel without %j is refused before anything boots',
    async (modules) => {
      const kernel = (await findGuestKernel(process.env, defaultPlaces(process.env).cache))._unsafeUnwrap()
      const release = kernel.modulesDirectory.split('/').at(-1)!
      const modulesDirectory = `${root}/without-${modules.join('-')}/${release}`
      await mkdir(modulesDirectory, { recursive: true })
      await symlink(`${kernel.modulesDirectory}/kernel`, `${modulesDirectory}/kernel`)
      for (const index of ['modules.dep', 'modules.builtin']) {
        const lines = (await readFile(`${kernel.modulesDirectory}/${index}`, 'utf8')).split('\n')
        const isGone = (line: string) =>
          modules.some((module) => line.split(':')[0]!.endsWith(`/${module}.ko`))
        const kept = lines.filter((line) => !isGone(line))
        await writeFile(`${modulesDirectory}/${index}`, kept.join('\n'))
      }
      const opened = await openHost({
        store: nixStore(),
        stateDirectory,
        cacheDirectory,
        kernel: { ...kernel, modulesDirectory },
      })
      const error = opened._unsafeUnwrapErr()
      expect(error.kind).toBe('kernel-lacks')
      expect(error.message).toContain(modules[0])
    },
  )

  it('that is no kernel at all has the monitor’s own words in the error', async () => {
    const kernel = (await findGuestKernel(process.env, defaultPlaces(process.env).cache))._unsafeUnwrap()
    const image = `${root}/not-a-kernel`
    await writeFile(image, 'not a kernel')
    const opened = await openHost({
      store: nixStore(),
      stateDirectory,
      cacheDirectory,
      accelerator: 'emulation',
      kernel: { ...kernel, image },
    })
    expect(opened._unsafeUnwrapErr()).toMatchObject({
      kind: 'monitor-failed',
      cause: { kind: 'unsupported' },
    })
  })

  it('that fills the disk while a blob is written leaves no half of it', async () => {
    const small = `${root}/small`
    await mkdir(small)
    await run('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'spectrum-test', small])
    try {
      await knowMonitors(small)
      const opened = await openHost({ store: nixStore(), stateDirectory, cacheDirectory: small })
      host = opened._unsafeUnwrap()
      const error = (await host.start(graphOf()))._unsafeUnwrapErr()
      expect(error).toMatchObject({ kind: 'store-failed', cause: { kind: 'no-space' } })
      const unfinished = await readdir(`${small}/unfinished`)
      expect(unfinished).toHaveLength(1)
      expect(await readdir(`${small}/unfinished/${unfinished[0]}`)).toEqual([])
      await host.stop()
      host = undefined
    } finally {
      await run('umount', [small])
    }
  })

  it('that the monitor cannot carry ends with its last lines in the error', async () => {
    await open()
    const error = await failToStart({ memoryBytes: 256 * 2 ** 30 })
    expect(error).toMatchObject({ kind: 'monitor-failed', unit: 'left', cause: { kind: 'monitor-died' } })
    expect(error.message).toMatch(/memory/i)
  })

  it('like a deadline before the guest has answered ends with timed-out', async () => {
    await open()
    expect(await failToStart({}, { deadlineMs: 1_000 })).toMatchObject({ kind: 'timed-out', unit: 'left' })
  })
})

describe('an abort', () => {
  const steps = ['closure-known', 'attached', 'machine-started', 'agent-answered', 'store-mounted'] as const

  it.each(steps)('at "%s" leaves no process, mount, socket or file', async (at) => {
    const { events } = await open()
    const controller = new AbortController()
    const stopAt: HostEvents['step'] = ({ step }) => step === at && controller.abort()
    events.on('step', stopAt)
    expect((await failToStart({}, { signal: controller.signal })).kind).toBe('aborted')
    events.off('step', stopAt)
  })

  it.each(['process-intended', 'process-started'] as const)(
    'of the whole host right after the record "%s" leaves nothing',
    async (record) => {
      const controller = new AbortController()
      const { events } = await open({ signal: controller.signal })
      events.on('journal', (written) => written.record === record && controller.abort())
      expect((await host!.start(graphOf()))._unsafeUnwrapErr().kind).toBe('aborted')
      await host!.stop()
      expect(await findRemains(stateDirectory, cacheDirectory)).toEqual(nothing)
    },
  )
})
