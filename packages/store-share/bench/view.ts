import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openView } from '../src/linux/view.js'
import { Guest, type Share } from '../test/guest/view/guest.js'

// The view against Debian's virtiofsd (QEMU's own, in C, with `cache=always`), and against another virtiofsd such as
// the Rust one where VIRTIOFSD_RUST names it: the same files, shared twice with one guest, each measured in turn. A
// guest without KVM spends most of the time itself, and a busy machine drowns the rest: look at quiet runs only.
//
//   npm run bench -- view [--json] [--only readdir|stat|small|large]
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 7)
const json = process.argv.includes('--json')
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : undefined
const scratch = mkdtempSync(join(tmpdir(), 'bench-view-'))
const directory = (name: string) => {
  mkdirSync(join(scratch, name), { mode: 0o700 })
  return join(scratch, name)
}

const DIRECTORIES = 20
const FILES = 50
const LARGE = 96 << 20

function makeTree(): string {
  const source = directory('source')
  for (let d = 0; d < DIRECTORIES; d++) {
    const below = join(source, 'tree', `d${d}`)
    mkdirSync(below, { recursive: true })
    for (let f = 0; f < FILES; f++) {
      writeFileSync(join(below, `f${f}`), Buffer.alloc(500 + ((f * 7919) % 16_000), d * FILES + f))
    }
  }
  writeFileSync(join(source, 'large'), Buffer.alloc(LARGE, 'large'))
  return source
}

const children: ChildProcess[] = []

async function startVirtiofsd(program: string, source: string, name: string): Promise<Share> {
  const socket = join(directory(name), 'socket')
  const rust = name === 'rust'
  const options = rust
    ? ['--shared-dir', source, '--cache', 'always', '--sandbox', 'chroot']
    : ['-o', `source=${source}`, '-o', 'cache=always', '-o', 'sandbox=chroot', '-f']
  const child = spawn(program, [`--socket-path=${socket}`, ...options], { stdio: 'ignore' })
  children.push(child)
  for (let tries = 0; !existsSync(socket); tries++) {
    if (child.exitCode !== null || tries > 500) throw new Error(`${program} did not start`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return { socket, tag: name }
}

interface Measured {
  readonly what: 'readdir' | 'stat' | 'small' | 'large'
  readonly cold: boolean
  readonly title: string
  readonly unit: string
}

const everything: readonly Measured[] = (['cold', 'warm'] as const).flatMap((how): Measured[] => {
  const cold = how === 'cold'
  return [
    { what: 'readdir', cold, title: `readdir of ${DIRECTORIES} directories, ${how}`, unit: 'directories/s' },
    {
      what: 'stat',
      cold,
      title: `readdir and stat of ${DIRECTORIES * FILES} files, ${how}`,
      unit: 'files/s',
    },
    { what: 'small', cold, title: `open, read 8 KB, close, ${how}`, unit: 'files/s' },
    { what: 'large', cold, title: `reads of 1 MiB, ${how}`, unit: 'MB/s' },
  ]
})
const measured = everything.filter(({ what }) => only === undefined || what === only)
if (measured.length === 0) throw new Error(`--only ${only}: say readdir, stat, small or large`)

/** Operations per second; bytes count as megabytes. */
async function measure(guest: Guest, tag: string, { what, cold }: Measured): Promise<number> {
  const place = what === 'large' ? `/${tag}/large` : `/${tag}/tree`
  if (cold) await guest.tell('drop')
  const [line = ''] = await guest.tell(`bench ${place} ${what}`)
  const [microseconds = 0, operations = 0] = line.split(' ').map(Number)
  if (!(operations > 0)) throw new Error(`the guest could not ${what} ${place}: ${line}`)
  return what === 'large' ? operations / microseconds : (operations / microseconds) * 1e6
}

/** Every share as the agent mounts a view in a unit: read-only, with its read-ahead. */
async function mount(guest: Guest, tag: string): Promise<void> {
  const said = await guest.tell(`mount-like-agent ${tag} /${tag}`)
  if (said.length > 0) throw new Error(`the guest could not mount ${tag}: ${said.join(' ')}`)
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!

const source = makeTree()
const view = (await openView({ directory: directory('view'), tag: 'ours' }))._unsafeUnwrap()
const peers = [['c', '/usr/lib/qemu/virtiofsd']]
const rust = process.env['VIRTIOFSD_RUST']
if (rust) peers.push(['rust', rust])
try {
  for (const name of ['tree', 'large']) {
    ;(await view.grant({ name, location: join(source, name) }))._unsafeUnwrap()
  }
  const shares: Share[] = [view]
  for (const [name, program] of peers) shares.push(await startVirtiofsd(program!, source, name!))
  await using guest = new Guest(shares, { memoryMib: 768 })
  await guest.ready()
  for (const { tag } of shares) await mount(guest, tag)
  const samples = new Map<string, number[]>()
  const take = async (tag: string, one: Measured, keep: boolean) => {
    const value = await measure(guest, tag, one)
    const key = `${tag} ${one.title}`
    if (keep) samples.set(key, [...(samples.get(key) ?? []), value])
  }
  for (let round = -1; round < ROUNDS; round++) {
    for (const one of measured) {
      // So near to one another that a few samples of a machine that others use say nothing.
      const repeats = one.what === 'large' && one.cold ? 5 : 1
      for (let i = 0; i < repeats; i++) {
        // Who goes first alternates. What is warm was read in the same round, cold.
        const order = (round + i) % 2 === 0 ? shares : [...shares].reverse()
        for (const { tag } of order) {
          if (!one.cold) await measure(guest, tag, one)
          await take(tag, one, round >= 0)
        }
      }
    }
  }
  for (const [name] of peers) {
    for (const { title, unit } of measured) {
      const [own, other] = ['ours', name].map((tag) => median(samples.get(`${tag} ${title}`)!)) as [
        number,
        number,
      ]
      const figure = {
        name: `view: ${title}, against ${name === 'c' ? "QEMU's virtiofsd" : "Rust's virtiofsd"}`,
        ours: Math.round(own),
        peer: Math.round(other),
        ratio: Math.round((own / other) * 100) / 100,
        unit,
        accelerator: 'tcg',
      }
      console.log(
        json
          ? JSON.stringify(figure)
          : `${figure.name.padEnd(90)} ${figure.ours} to ${figure.peer} ${unit}: ${figure.ratio}`,
      )
    }
  }
} finally {
  await view.close()
  for (const child of children) {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
  rmSync(scratch, { recursive: true, force: true })
}
