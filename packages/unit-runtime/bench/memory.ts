/**
 * Host memory of N units whose closures overlap by half, once with the store on persistent memory (as by default)
 * and once on virtio-blk (the fallback for kernels without DAX), in one run. Each unit maps and reads every page of
 * a path that all have and of one that it alone has.
 *
 * Two figures for each N: the sum of Pss over the monitors' processes, and by how much MemAvailable of the machine
 * fell; the second one needs a machine that does nothing else. And one against an ideal: what the shared path takes
 * in host memory, against its size once.
 *
 *   npm run bench -- memory [--json] [--units 1,2,5,10]
 */
import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { errAsync } from 'neverthrow'
import { closure, compose, defineUnit, type Host, nixStore, openHostWith, type Unit } from '../src/index.js'
import { defaultPlaces, findGuestKernel, linuxHostPowers } from '../src/linux.js'
import { addProgram, addToStore } from '../test/guest/real-store.js'
import { print } from './report/figure.js'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    units: { type: 'string', default: '1,2,5,10' },
  },
})
const counts = values.units.split(',').map(Number)
const MIB = 1024 * 1024
const SIZE = 64 * MIB

/** Incompressible and the same on every run, so that the store keeps one path. */
const bigPath = (seed: string) =>
  addToStore(`bench-${seed}`, async (path) => {
    await mkdir(path)
    const blocks: Buffer[] = []
    for (let at = 0; at < SIZE; at += 32) blocks.push(createHash('sha256').update(`${seed} ${at}`).digest())
    await writeFile(join(path, 'data'), Buffer.concat(blocks))
  })

const program = await addProgram('read-files', ['read-files.c'])
const shared = await bigPath('shared')
const own: string[] = []
for (let index = 0; index < Math.max(...counts); index++) own.push(await bigPath(`own-${index}`))

const places = defaultPlaces(process.env)
const kernel = (await findGuestKernel(process.env, places.cache))._unsafeUnwrap()

async function openHostOn(transport: 'pmem' | 'block'): Promise<Host> {
  const powers = linuxHostPowers(places, kernel, undefined)
  const { guest } = powers
  const withoutPmem: typeof guest.initramfs = (signal, needs) =>
    needs?.transport === 'block'
      ? guest.initramfs(signal, needs)
      : errAsync({ kind: 'kernel-lacks', feature: 'virtio_pmem', message: 'as if the kernel had none' })
  const initramfs = transport === 'pmem' ? guest.initramfs : withoutPmem
  const host = await openHostWith({ ...powers, guest: { ...guest, initramfs } }, places, {
    store: nixStore(),
  })
  return host._unsafeUnwrap()
}

const field = (text: string, name: string) =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]) * 1024
const available = async () => field(await readFile('/proc/meminfo', 'utf8'), 'MemAvailable')

async function pssOf(units: readonly Unit[]): Promise<number> {
  let sum = 0
  for (const { pid } of units.flatMap((unit) => unit.processes)) {
    sum += field(await readFile(`/proc/${pid}/smaps_rollup`, 'utf8'), 'Pss')
  }
  return sum
}

/** Starts the program and waits until it has read everything; it keeps what it mapped until the unit stops. */
async function readAll(unit: Unit, paths: readonly string[]): Promise<void> {
  const files = paths.map((path) => `${path}/data`)
  const process = (
    await unit.spawn([`${program}/bin/read-files`, ...files], { stdin: 'open' })
  )._unsafeUnwrap()
  for await (const chunk of process.stdout) {
    if (Buffer.from(chunk).includes('ready')) return
  }
  const said = await textOf(process.stderr)
  const outcome = JSON.stringify(await process.outcome)
  throw new Error(`${unit.name} ended without having read its files: ${outcome} ${said}`)
}

async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

interface Taken {
  readonly pss: number
  readonly drop: number
  readonly sharedPss: number
}

async function measure(transport: 'pmem' | 'block', count: number): Promise<Taken & { accelerator: string }> {
  const host = await openHostOn(transport)
  try {
    // What a unit needs for the first time (blobs, images) is made before the measurement.
    const definitions = Object.fromEntries(
      own
        .slice(0, count)
        .map((path, index) => [
          `unit${index}`,
          defineUnit(`unit${index}`, { store: closure(program, shared, path), memoryBytes: 384 * MIB }),
        ]),
    )
    const graph = compose(definitions)._unsafeUnwrap()
    await host
      .start(graph)
      .map((units) => Promise.all(Object.values(units).map((unit) => unit.stop({ graceMs: 0 }))))
    await sleep(1_000)
    const before = await available()
    const started = (await host.start(graph, { deadlineMs: 600_000 }))._unsafeUnwrap()
    // By name: they come in the order in which they were ready.
    const units = Object.keys(definitions).map((name) => started[name]!)
    for (const [index, unit] of units.entries()) {
      if (unit.store.transport !== transport) throw new Error(`the store came by ${unit.store.transport}`)
      await readAll(unit, [shared, own[index]!])
    }
    await sleep(1_000)
    const drop = before - (await available())
    const report = (await host.sharing())._unsafeUnwrap()
    const blob = report.blobs.find(({ storePaths }) => storePaths.includes(shared))
    return {
      pss: await pssOf(units),
      drop,
      sharedPss: blob?.pssBytes ?? Number.NaN,
      accelerator: host.monitor.accelerator,
    }
  } finally {
    await host.stop({ graceMs: 0 })
  }
}

function tell(name: string, ours: number, peer: number, accelerator: string): void {
  print({ name, ours: ours / MIB, peer: peer / MIB, unit: 'MiB', accelerator }, values.json, 1)
}

for (const count of counts) {
  const pmem = await measure('pmem', count)
  const block = await measure('block', count)
  const units = count === 1 ? '1 unit' : `${count} units`
  tell(`memory: ${units}, Pss, against virtio-blk`, pmem.pss, block.pss, pmem.accelerator)
  tell(`memory: ${units}, drop of MemAvailable, against virtio-blk`, pmem.drop, block.drop, pmem.accelerator)
  tell(`memory: ${units}, Pss of the shared path, against one copy`, pmem.sharedPss, SIZE, pmem.accelerator)
}
