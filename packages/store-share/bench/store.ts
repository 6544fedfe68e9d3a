import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Closure, StorePathInfo } from '../src/index.js'
import { openBlobCache, serialiseNar } from '../src/linux.js'

// What the store costs a host: blobs and metadata image of a closure of 500 MB (hashed, checked, synced) against
// `mkfs.erofs` making one image of the same tree with the same layout rules for regular files, synced as well; the
// image alone, when the blobs exist, against the same; then the measurements of blobs, NARs and the view. In one
// process, interleaved; medians, with the processor time of this process and of its peer beside them.
//
//   npm run bench -- store [--json] [--only closure]
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 7)
const PATHS = 60
const scratch = mkdtempSync(join(process.env['BENCH_DIRECTORY'] ?? tmpdir(), 'bench-store-'))
const root = join(scratch, 'store')

/** Sizes like those of a store: many small files, some libraries, a few large ones; 500 MB in all. */
function sizesOf(path: number): number[] {
  const files = path % 6 === 0 ? 400 : 60
  const sizes = Array.from({ length: files }, (_, index) => 200 + ((index * 7919 + path * 104_729) % 40_000))
  const large = path % 6 === 0 ? 4 : 1
  for (let index = 0; index < large; index++) sizes.push((1 + ((index * 5 + path * 3) % 7)) << 20)
  return sizes
}

async function makeClosure(): Promise<Closure> {
  const noise = Buffer.alloc(8 << 20)
  for (let at = 0; at < noise.length; at += 32) createHash('sha256').update(`${at}`).digest().copy(noise, at)
  const paths: StorePathInfo[] = []
  for (let path = 0; path < PATHS; path++) {
    const name = `${String(path).padStart(32, '0')}-path-${path}`
    sizesOf(path).forEach((size, index) => {
      const directory = join(root, name, `d${index % 13}`, `e${index % 3}`)
      mkdirSync(directory, { recursive: true })
      const contents = Buffer.from(noise.subarray(0, size))
      contents.writeUInt32LE(index)
      contents.writeUInt32LE(path, 4)
      writeFileSync(join(directory, `file-${index}`), contents)
    })
    const hash = createHash('sha256')
    let narSize = 0
    for await (const chunk of serialiseNar(join(root, name), new AbortController().signal)) {
      hash.update(chunk)
      narSize += chunk.length
    }
    paths.push({ path: `/nix/store/${name}`, narHash: hash.digest('hex'), narSize, references: [] })
  }
  return { roots: [paths[0]!.path], paths }
}

interface Sample {
  readonly ms: number
  readonly cpuMs: number
}

async function attach(closure: Closure, directory: string): Promise<Sample> {
  const cpu = process.cpuUsage()
  const start = performance.now()
  const locate = (path: string) => join(root, path.slice('/nix/store/'.length))
  const cache = (await openBlobCache(directory, { locate }))._unsafeUnwrap()
  ;(await cache.attach(closure))._unsafeUnwrap()
  const ms = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  ;(await cache.close())._unsafeUnwrap()
  return { ms, cpuMs: (user + system) / 1000 }
}

function peer(): Sample {
  const image = join(scratch, 'peer.erofs')
  const start = performance.now()
  const timed = `/usr/bin/env bash -c 'TIMEFORMAT="%U %S"; time mkfs.erofs -E noinline_data "$0" "$1" >/dev/null 2>&1'`
  const times = execFileSync('sh', ['-c', `${timed} "$0" "$1" 2>&1`, image, root], { encoding: 'utf8' })
  const file = openSync(image, 'r+')
  fsyncSync(file)
  closeSync(file)
  const ms = performance.now() - start
  rmSync(image)
  const [user = 0, system = 0] = times.trim().split(' ').map(Number)
  return { ms, cpuMs: (user + system) * 1000 }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}

function report(name: string, own: readonly Sample[], other: readonly Sample[]): void {
  for (const [field, what] of [
    ['ms', name],
    ['cpuMs', `${name}, processor time`],
  ] as const) {
    const ours = median(own.map((sample) => sample[field]))
    const theirs = median(other.map((sample) => sample[field]))
    const figure = {
      name: what,
      ours: Math.round(ours),
      peer: Math.round(theirs),
      ratio: Math.round((ours / theirs) * 1000) / 1000,
      unit: 'ms',
      accelerator: 'none',
    }
    console.log(JSON.stringify(figure))
  }
}

try {
  const closure = await makeClosure()
  const megabytes = Math.round(closure.paths.reduce((sum, { narSize }) => sum + narSize, 0) / 1e6)
  const samples = { build: [] as Sample[], image: [] as Sample[], peer: [] as Sample[] }
  const measure = {
    ours: async () => {
      const directory = mkdtempSync(join(scratch, 'cache-'))
      samples.build.push(await attach(closure, directory))
      samples.image.push(await attach(closure, directory))
      rmSync(directory, { recursive: true, force: true })
    },
    peer: async () => void samples.peer.push(peer()),
  }
  for (let round = 0; round < ROUNDS; round++) {
    // Who goes first alternates, so that neither always finds the disk busy with the other's writes.
    for (const who of round % 2 === 0 ? (['ours', 'peer'] as const) : (['peer', 'ours'] as const)) {
      await measure[who]()
    }
  }
  const what = `of a closure of ${megabytes} MB in ${PATHS} paths`
  report(`blobs and image ${what}`, samples.build, samples.peer)
  report(`image alone ${what}`, samples.image, samples.peer)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

if (!process.argv.includes('closure')) {
  await import('./blob.js')
  await import('./nar.js')
  await import('./view.js')
}
