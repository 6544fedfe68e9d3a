import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StorePathInfo } from '../src/index.js'
import { openBlobCache, serialiseNar } from '../src/linux.js'

// Blob, index and metadata image of a store path, hashed, checked and synced, against `mkfs.erofs` making one
// image with the same layout rules for regular files, synced as well. In one process, interleaved; medians.
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 7)

const scratch = mkdtempSync(join(process.env['BENCH_DIRECTORY'] ?? tmpdir(), 'bench-blob-'))

/** Files of a deterministic, incompressible-looking content. */
function makeTree(name: string, files: readonly number[]): string {
  const root = join(scratch, name)
  const noise = Buffer.alloc(1 << 20)
  for (let at = 0; at < noise.length; at += 32) createHash('sha256').update(`${at}`).digest().copy(noise, at)
  files.forEach((size, index) => {
    const directory = join(root, `d${index % 61}`, `e${index % 7}`)
    mkdirSync(directory, { recursive: true })
    const contents = Buffer.alloc(size, noise)
    contents.writeUInt32LE(index)
    writeFileSync(join(directory, `file-${index}`), contents)
  })
  return root
}

async function describePath(location: string): Promise<StorePathInfo> {
  const hash = createHash('sha256')
  let narSize = 0
  for await (const chunk of serialiseNar(location, new AbortController().signal)) {
    hash.update(chunk)
    narSize += chunk.length
  }
  const path = `/nix/store/${'0'.repeat(32)}-bench`
  return { path, narHash: hash.digest('hex'), narSize, references: [] }
}

async function ours(info: StorePathInfo, location: string): Promise<number> {
  const directory = mkdtempSync(join(scratch, 'cache-'))
  const start = performance.now()
  const cache = (await openBlobCache(directory, { locate: () => location }))._unsafeUnwrap()
  ;(await cache.attach({ roots: [info.path], paths: [info] }))._unsafeUnwrap()
  const elapsed = performance.now() - start
  rmSync(directory, { recursive: true, force: true })
  return elapsed
}

function peer(location: string): number {
  const image = join(scratch, 'peer.erofs')
  const start = performance.now()
  execFileSync('mkfs.erofs', ['-E', 'noinline_data', image, location], { stdio: 'ignore' })
  const file = openSync(image, 'r+')
  fsyncSync(file)
  closeSync(file)
  const elapsed = performance.now() - start
  rmSync(image)
  return elapsed
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}

const trees: Record<string, readonly number[]> = {
  'blob of 4000 small files (61 MB)': Array.from(
    { length: 4000 },
    (_, index) => 500 + ((index * 7919) % 30_000),
  ),
  'blob of 40 large files (240 MB)': Array.from({ length: 40 }, (_, index) => (2 + (index % 9)) << 20),
  'blob of a mixed path (150 MB)': Array.from({ length: 2500 }, (_, index) =>
    index % 100 === 0 ? 5 << 20 : 200 + ((index * 7919) % 20_000),
  ),
}

try {
  for (const [name, files] of Object.entries(trees)) {
    const location = makeTree(name.replaceAll(/[^a-z0-9]+/g, '-'), files)
    const info = await describePath(location)
    const samples = { ours: [] as number[], peer: [] as number[] }
    const measure = {
      ours: async () => samples.ours.push(await ours(info, location)),
      peer: async () => samples.peer.push(peer(location)),
    }
    for (let round = 0; round < ROUNDS; round++) {
      // Who goes first alternates, so that neither always finds the disk busy with the other's writes.
      for (const who of round % 2 === 0 ? (['ours', 'peer'] as const) : (['peer', 'ours'] as const)) {
        await measure[who]()
      }
    }
    const [own, other] = [median(samples.ours), median(samples.peer)]
    const figure = {
      name,
      ours: Math.round(own),
      peer: Math.round(other),
      ratio: Math.round((own / other) * 100) / 100,
      unit: 'ms',
      accelerator: 'none',
    }
    console.log(JSON.stringify(figure))
    rmSync(location, { recursive: true, force: true })
  }
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
