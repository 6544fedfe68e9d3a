import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatListing, NarLister, NarReader, type NixPathInfo, readPathInfo } from '../src/index.js'
import { verifyNar } from '../src/linux.js'

// Verifying a store path (NAR written and hashed, nothing kept) against `nix-store --verify-path`, and listing a
// NAR against `nix nar ls`. In one process, interleaved; medians. What Nix needs to start is measured with an
// empty path and taken off its times.
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 9)

const scratch = mkdtempSync(join(process.env['BENCH_DIRECTORY'] ?? tmpdir(), 'bench-nar-'))
const root = join(scratch, 'root')

function nix(file: string, ...argv: readonly string[]): Buffer {
  return execFileSync(file, argv, {
    env: {
      ...process.env,
      NIX_CONFIG: 'experimental-features = nix-command\nbuild-users-group =\nsubstituters =',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1 << 28,
  })
}

/** Files of a deterministic, incompressible-looking content, as a path of a store. */
function makePath(name: string, files: readonly number[]): NixPathInfo {
  const tree = join(scratch, name)
  mkdirSync(tree)
  const noise = Buffer.alloc(1 << 20)
  for (let at = 0; at < noise.length; at += 32) createHash('sha256').update(`${at}`).digest().copy(noise, at)
  files.forEach((size, index) => {
    const directory = join(tree, `d${index % 61}`, `e${index % 7}`)
    mkdirSync(directory, { recursive: true })
    const contents = Buffer.alloc(size, noise)
    contents.writeUInt32LE(index)
    writeFileSync(join(directory, `file-${index}`), contents)
  })
  const path = nix('nix-store', '--store', root, '--add', tree).toString().trim()
  rmSync(tree, { recursive: true })
  const answer = readPathInfo(nix('nix', 'path-info', '--json', '--store', root, path))
  if (answer.kind === 'malformed') throw new Error(answer.reason)
  return answer.paths[0]!
}

async function timed(work: () => unknown): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}

/** Runs both in turn, the one that begins alternating, and prints a figure. */
async function compare(name: string, ours: () => unknown, peer: () => unknown, idle: () => unknown) {
  const samples = { ours: [] as number[], peer: [] as number[], idle: [] as number[] }
  const work = { ours, peer, idle }
  for (let round = 0; round < ROUNDS; round++) {
    const order = ['ours', 'peer', 'idle'] as const
    for (const who of round % 2 === 0 ? order : [...order].reverse())
      samples[who].push(await timed(work[who]))
  }
  const own = median(samples.ours)
  const other = median(samples.peer) - median(samples.idle)
  const two = (value: number) => Math.round(value * 100) / 100
  const figure = {
    name,
    ours: two(own),
    peer: two(other),
    ratio: two(own / other),
    unit: 'ms',
    accelerator: 'none',
  }
  console.log(JSON.stringify(figure))
}

const small = Array.from({ length: 4000 }, (_, index) => 500 + ((index * 7919) % 30_000))
const large = Array.from({ length: 40 }, (_, index) => (2 + (index % 9)) << 20)
const mixed = Array.from({ length: 2500 }, (_, index) =>
  index % 100 === 0 ? 5 << 20 : 200 + ((index * 7919) % 20_000),
)

try {
  const empty = makePath('empty', [])
  const idle = () => nix('nix-store', '--store', root, '--verify-path', empty.path)
  const paths = [
    ['4000 small files (61 MB)', makePath('small', small)],
    ['40 large files (240 MB)', makePath('large', large)],
    ['a mixed path (150 MB)', makePath('mixed', mixed)],
  ] as const
  for (const [name, info] of paths) {
    await compare(
      `verify ${name}`,
      async () => (await verifyNar(info, join(root, info.path)))._unsafeUnwrap(),
      () => nix('nix-store', '--store', root, '--verify-path', info.path),
      idle,
    )
  }
  const nar = join(scratch, 'small.nar')
  const output = openSync(nar, 'w')
  execFileSync('nix-store', ['--dump', join(root, paths[0][1].path)], {
    stdio: ['ignore', output, 'inherit'],
  })
  closeSync(output)
  await compare(
    'list a NAR of 4000 small files',
    () => {
      const reader = new NarReader()
      const lister = new NarLister()
      for (const event of reader.push(readFileSync(nar))) lister.see(event)
      reader.finish()._unsafeUnwrap()
      return formatListing(lister.root!)._unsafeUnwrap()
    },
    () => nix('nix', 'nar', 'ls', '--json', '--recursive', nar, '/'),
    () => nix('nix', '--version'),
  )
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
