import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildDemoClosures } from '../../../../examples/demo/src/closures.js'
import { type Closure, formatNarHash } from '../../src/index.js'
import { nixStore, openBlobCache, serialiseNar } from '../../src/linux.js'
import { agreesWithItsOracles } from './oracles.js'
import { RealStore, run, variedTree } from './real-store.js'

const scratch = mkdtempSync(join(tmpdir(), 'store-share-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

async function hashOfNar(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of serialiseNar(path, new AbortController().signal)) hash.update(chunk)
  return hash.digest('hex')
}

describe('a closure that Nix built', () => {
  const store = nixStore()
  let root: string
  let closure: Closure
  beforeAll(async () => {
    root = (await buildDemoClosures()).left
    closure = (await store.closure([root]))._unsafeUnwrap()
  })

  it('has the paths that nix-store --query --requisites lists', () => {
    const requisites = run('nix-store', '--query', '--requisites', root).split('\n').sort()
    expect(closure.paths.map(({ path }) => path)).toEqual(requisites)
    expect(requisites.length).toBeGreaterThan(2)
  })

  it('has the references and hashes that nix-store reports, and NARs with these hashes', async () => {
    for (const { path, narHash, narSize, references } of closure.paths) {
      expect(formatNarHash(narHash)).toBe(run('nix-store', '--query', '--hash', path))
      expect(String(narSize)).toBe(run('nix-store', '--query', '--size', path))
      const known = run('nix-store', '--query', '--references', path).split('\n')
      expect(references).toEqual(known.filter((reference) => reference !== '' && reference !== path).sort())
      expect(await hashOfNar(path)).toBe(narHash)
    }
  })

  it('has NARs with the bytes of nix-store --dump', async () => {
    const chunks: Uint8Array[] = []
    for await (const chunk of serialiseNar(root, new AbortController().signal)) chunks.push(chunk)
    const dumped = execFileSync('nix-store', ['--dump', root], {
      maxBuffer: 1 << 28,
      timeout: 100_000,
      killSignal: 'SIGKILL',
    })
    expect(Buffer.concat(chunks).equals(dumped)).toBe(true)
  })

  describe('with a blob for each path', () => agreesWithItsOracles(() => ({ store, closure })))
  describe('with layers', () => agreesWithItsOracles(() => ({ store, closure }), 3))
})

describe('the example of the README', () => {
  it('runs as it stands', async () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
    const example = /```ts\n([\s\S]*?)```/.exec(readme)![1]!
    const script = join(scratch, 'example.mts')
    writeFileSync(script, example)
    const root = (await buildDemoClosures()).right
    const workspace = fileURLToPath(new URL('../../../../', import.meta.url))
    const output = execFileSync(
      process.execPath,
      ['--import', 'tsx', script, root, join(scratch, 'example')],
      {
        cwd: workspace,
        env: { ...process.env, TSX_TSCONFIG_PATH: join(workspace, 'tsconfig.base.json') },
        encoding: 'utf8',
        timeout: 100_000,
        killSignal: 'SIGKILL',
      },
    )
    expect(output).toContain(root.slice('/nix/store/'.length))
    expect(output.match(/\.v2\.blob [0-9]+$/gm)!.length).toBeGreaterThan(2)
    expect(output.trimEnd().endsWith('\n0 0')).toBe(true)
  })
})

describe('a relocated store', () => {
  const real = new RealStore()
  const store = nixStore({ root: real.root })
  let closure: Closure
  beforeAll(async () => {
    const paths = [
      real.add('varied', variedTree),
      real.add('n'.repeat(211), (path) => writeFileSync(path, 'a file as a store path')),
      real.add('program', (path) => writeFileSync(path, '#!', { mode: 0o755 })),
      real.add('link', (path) => symlinkSync('varied', path)),
    ]
    closure = (await store.closure(paths))._unsafeUnwrap()
    expect(closure.paths).toHaveLength(4)
  })
  afterAll(() => real[Symbol.dispose]())

  describe('holding everything that a path may hold', () => agreesWithItsOracles(() => ({ store, closure })))
  describe('in one layer', () => agreesWithItsOracles(() => ({ store, closure }), 2))

  it('says which path it does not have', async () => {
    const path = `/nix/store/${'0'.repeat(32)}-absent`
    expect((await store.closure([path]))._unsafeUnwrapErr()).toMatchObject({ kind: 'missing-path', path })
  })

  it('says when the data of a registered path is gone', async () => {
    const path = real.add('gone', (path) => writeFileSync(path, 'soon gone'))
    rmSync(store.locate(path))
    const error = (await store.closure([path]))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'missing-reference', path })
  })

  it('is not believed when its contents were changed', async () => {
    const path = real.add('changed', (path) => writeFileSync(path, 'original'))
    const [info] = (await store.closure([path]))._unsafeUnwrap().paths
    writeFileSync(store.locate(path), 'tampered')
    const cache = (await openBlobCache(join(scratch, 'cache'), { locate: store.locate }))._unsafeUnwrap()
    expect((await cache.blob(info!))._unsafeUnwrapErr()).toMatchObject({ kind: 'hash-mismatch', path })
  })

  it('is told by the end of its output when nix fails', async () => {
    const broken = nixStore({ root: '/dev/null/nowhere' })
    const error = (await broken.closure([closure.roots[0]!]))._unsafeUnwrapErr()
    expect(error.kind).toBe('store-command')
    expect(error.message).toContain('/dev/null')
  })
})
