import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { closure, compose, defineUnit, type Host, nixStore, openHost, type Unit } from '../../src/index.js'
import { directoriesIn } from './directories.js'
import { addProgram, addToStore } from './real-store.js'

const BLOCK = 4096
const TRAILER = 'SPECTRUM-BLOB-1\0'
const SECRET = 'the secret of another unit'

let root: string
let host: Host
let hostile: Unit
let other: Unit
let tool: string
let granted: string
let injected: string
let secret: string
const base = (path: string) => path.slice('/nix/store/'.length)
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

async function tryTo(...argv: string[]): Promise<{ code: number; stdout: Buffer }> {
  const run = (await hostile.exec([`${tool}/bin/as-root`, ...argv], { deadlineMs: 120_000 }))._unsafeUnwrap()
  expect(run.truncated).toBe(false)
  expect(run.outcome.kind, text(run.stderr)).toBe('exited')
  return { code: run.outcome.kind === 'exited' ? run.outcome.code : -1, stdout: Buffer.from(run.stdout) }
}
const lines = async (...argv: string[]) =>
  (await tryTo(...argv)).stdout.toString('latin1').split('\n').filter(Boolean).sort()

beforeAll(async () => {
  root = await mkdtemp(`${tmpdir()}/hostile-`)
  tool = await addProgram('as-root', ['as-root.c'])
  const word = (name: string, content: string) =>
    addToStore(name, async (path) => {
      await mkdir(path)
      await writeFile(join(path, 'word'), content)
    })
  granted = await word('granted', 'granted\n')
  injected = await word('injected', 'injected\n')
  secret = await word('secret', SECRET)
  const places = await directoriesIn(root)
  host = (await openHost({ store: nixStore(), injection: 'view', ...places }))._unsafeUnwrap()
  const graph = compose({
    hostile: defineUnit('hostile', { store: closure(tool, granted) }),
    other: defineUnit('other', { store: closure(tool, granted, secret) }),
  })._unsafeUnwrap()
  const units = (await host.start(graph))._unsafeUnwrap()
  hostile = units.hostile
  other = units.other
  ;(await hostile.inject(closure(injected)))._unsafeUnwrap()
  ;(await other.inject(closure(injected)))._unsafeUnwrap()
})

afterAll(async () => {
  await host?.stop()
  if (root) await rm(root, { recursive: true })
})

const devices = () => [hostile.attachment.metadata, ...hostile.attachment.blobs]
const raw = async () => {
  const found = (await lines('list', '/dev')).filter((name) => /^pmem/.test(name))
  expect(found).toHaveLength(devices().length)
  return Promise.all(found.map(async (name) => (await tryTo('dump', `/dev/${name}`)).stdout))
}
const idIn = (bytes: Buffer) => bytes.toString('latin1', bytes.length - BLOCK + 16, bytes.length - BLOCK + 80)

/** The contents of every file of a store path. */
async function contents(path: string): Promise<Buffer[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  return Promise.all(
    entries.filter((entry) => entry.isFile()).map((entry) => readFile(join(entry.parentPath, entry.name))),
  )
}

it('reads from its devices the files it was granted, and zeros', async () => {
  const dumps = await raw()
  for (const { id, file } of devices()) {
    const bytes = dumps.find((dump) => idIn(dump) === id)
    expect(bytes?.equals(await readFile(file))).toBe(true)
  }
  for (const blob of hostile.attachment.blobs) {
    const bytes = Buffer.from(dumps.find((dump) => idIn(dump) === blob.id)!)
    for (const path of blob.storePaths) {
      for (const content of await contents(path)) {
        let at = bytes.indexOf(content)
        while (at >= 0 && at % BLOCK !== 0) at = bytes.indexOf(content, at + 1)
        expect(at, `a file of ${path}`).toBeGreaterThanOrEqual(0)
        bytes.fill(0, at, at + content.length)
      }
    }
    expect(bytes.toString('latin1', bytes.length - BLOCK, bytes.length - BLOCK + 80)).toBe(TRAILER + blob.id)
    bytes.fill(0, bytes.length - BLOCK, bytes.length - BLOCK + 80)
    expect(bytes.every((byte) => byte === 0)).toBe(true)
  }
})

it('learns from its metadata no name but those it was granted', async () => {
  const dumps = await raw()
  const image = dumps.find((dump) => idIn(dump) === hostile.attachment.metadata.id)!
  const hashes = image.toString('latin1').match(/[0-9a-df-np-sv-z]{32}(?=-)/g) ?? []
  expect(new Set(hashes)).toEqual(new Set([tool, granted].map((path) => base(path).slice(0, 32))))
  for (const dump of dumps) expect(dump.includes(SECRET)).toBe(false)
})

it('finds nothing else behind /proc, .., the mounts of the agent, or a mount of its own', async () => {
  const store = [tool, granted, injected].map(base).sort()
  for (const path of [
    '/nix/store',
    '/proc/1/root/nix/store',
    `${tool}/../../store`,
    '/proc/self/cwd/nix/store',
  ])
    expect(await lines('list', path)).toEqual(store)
  // Nothing stays mounted where the agent binds from.
  expect(await lines('list', '/run/spectrum/image')).toEqual([])
  expect(await lines('list', '/proc/1/root/run/spectrum/view')).toEqual([base(injected)])
  expect((await tryTo('remount', '/nix/store')).code).toBe(0)
  expect(await lines('list', '/nix/store')).toEqual(store)
})

it('gets by a view of its own mounting exactly what the view shows', async () => {
  const seen = (
    await other.exec([`${tool}/bin/as-root`, 'mount', 'virtiofs', 'view', '/tmp/v', ''])
  )._unsafeUnwrap()
  expect(seen.outcome).toEqual({ kind: 'exited', code: 0 })
  const list = async (path: string) => {
    const run = (await other.exec([`${tool}/bin/as-root`, 'list', path]))._unsafeUnwrap()
    return text(run.stdout).split('\n').filter(Boolean)
  }
  expect(await list('/tmp/v')).toEqual([base(injected)])
  expect(await list(`/tmp/v/${base(injected)}`)).toEqual(['word'])
  expect(await list(`/tmp/v/${base(secret)}`)).toEqual([`/tmp/v/${base(secret)}: No such file or directory`])
  ;(await other.revoke(closure(injected)))._unsafeUnwrap()
  await expect.poll(() => list('/tmp/v')).toEqual([])
})

// The last, because the unit may not survive it.
it('changes no byte of a file on the host, nor of what another unit sees, by writing to its devices', async () => {
  const hash = async (file: string) =>
    createHash('sha256')
      .update(await readFile(file))
      .digest('hex')
  const before = await Promise.all(devices().map(({ file }) => hash(file)))
  // It corrupts what its own kernel has cached of them, and may well not survive that.
  const pmem = devices().map((_, index) => `/dev/pmem${index}`)
  const run = await hostile.exec([`${tool}/bin/as-root`, 'overwrite', ...pmem], { deadlineMs: 20_000 })
  const said = text(run._unsafeUnwrap().stdout)
  for (const device of pmem) expect(said).toMatch(new RegExp(`^${device} write 4096$`, 'm'))
  expect(await Promise.all(devices().map(({ file }) => hash(file)))).toEqual(before)
  const program = await readFile(`${tool}/bin/as-root`)
  const seen = (await other.exec([`${tool}/bin/as-root`, 'dump', `${tool}/bin/as-root`]))._unsafeUnwrap()
  expect(Buffer.from(seen.stdout).equals(program)).toBe(true)
})
