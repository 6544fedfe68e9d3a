/**
 * How much a unit's start costs beside the bare monitor: from `host.start()` to the agent's answer, against
 * QEMU started by hand with the same kernel and initramfs to the first byte of the same answer. Interleaved in
 * one run; medians. Two bare machines: one with the unit's own devices (what this project's code adds), and one
 * with nothing but the control port (what the store's devices cost a guest as well).
 *
 *   npm run bench -- start [--json] [--rounds N]
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { initramfsFor, readGuestKernel } from '@spectrum/guest-agent/linux'
import { bareQemuArguments, type PmemDevice } from '@spectrum/unit-monitor'
import { buildDemoClosures } from '../../../examples/demo/src/closures.js'
import { closure, compose, defineUnit, nixStore, openHost } from '../src/index.js'
import { defaultPlaces, findGuestKernel } from '../src/linux.js'
import { KERNEL_PARAMETERS } from '../src/unit-start.js'
import { median, print } from './report/figure.js'

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, rounds: { type: 'string', default: '7' } },
})
const rounds = Number(values.rounds)

const directory = await mkdtemp(join(tmpdir(), 'spectrum-bench-'))
const kernelFiles = (await findGuestKernel(process.env, defaultPlaces(process.env).cache))._unsafeUnwrap()
const kernel = (await readGuestKernel(kernelFiles))._unsafeUnwrap()
const initramfs = join(directory, 'initramfs')
await writeFile(initramfs, (await initramfsFor(kernel))._unsafeUnwrap())

/** Milliseconds from the start of the process to the first byte on the control channel. */
async function bare(
  accelerator: 'kvm' | 'emulation',
  pmem: readonly PmemDevice[],
  hotplugSlots: number,
): Promise<number> {
  const sockets = { console: join(directory, 'console'), control: join(directory, 'control') }
  const console = createServer((socket) => socket.resume()).listen(sockets.console)
  const control = createServer().listen(sockets.control)
  await Promise.all([once(console, 'listening'), once(control, 'listening')])
  const argv = bareQemuArguments(
    {
      name: 'bare',
      kernel: kernelFiles.image,
      initramfs,
      kernelParameters: KERNEL_PARAMETERS,
      memoryBytes: 256 * 1024 * 1024,
      vcpuCount: 1,
      pmem,
      hotplugSlots,
      directory,
    },
    { accelerator, sockets },
  )._unsafeUnwrap()
  const began = performance.now()
  const machine = spawn('qemu-system-x86_64', argv, { stdio: 'ignore' })
  const ended = once(machine, 'exit')
  const [channel] = await once(control, 'connection')
  await Promise.race([
    once(channel, 'data'),
    ended.then(([code, signal]) => {
      throw new Error(`the bare machine ended before it answered: ${code ?? signal}`)
    }),
  ])
  const ms = performance.now() - began
  machine.kill('SIGKILL')
  await ended
  console.close()
  control.close()
  return ms
}

const demo = await buildDemoClosures()
const graph = compose({ unit: defineUnit('unit', { store: closure(demo.left) }) })._unsafeUnwrap()
await using host = (await openHost({ store: nixStore() }))._unsafeUnwrap()
const accelerator = host.monitor.accelerator === 'kvm' ? 'kvm' : 'emulation'

interface OwnTimes {
  readonly answered: number
  readonly running: number
  readonly devices: readonly PmemDevice[]
}

/** Milliseconds from `start()` to the agent's answer, and to the unit with its store mounted. */
async function ours(): Promise<OwnTimes> {
  const began = performance.now()
  let answered = Number.NaN
  const onStep = ({ step }: { step: string }) => {
    if (step === 'agent-answered') answered = performance.now() - began
  }
  host.events.on('step', onStep)
  const { unit } = (await host.start(graph))._unsafeUnwrap()
  const running = performance.now() - began
  host.events.off('step', onStep)
  const { metadata, blobs } = unit.attachment
  const devices = [metadata, ...blobs].map(({ id, file, sizeBytes }) => ({ id, path: file, sizeBytes }))
  await unit.stop({ graceMs: 0 })
  return { answered, running, devices }
}

/** What a host reserves for a unit that does not say otherwise. */
const RESERVED_SLOTS = 16

// One of each first, so that page cache and blob cache are warm for all.
const { devices } = await ours()
const same = () => bare(accelerator, devices, RESERVED_SLOTS)
const least = () => bare(accelerator, [], 0)
await same()
await least()
const samples = {
  same: [] as number[],
  least: [] as number[],
  answered: [] as number[],
  running: [] as number[],
}
for (let round = 0; round < rounds; round++) {
  samples.same.push(await same())
  const own = await ours()
  samples.answered.push(own.answered)
  samples.running.push(own.running)
  samples.least.push(await least())
}
await rm(directory, { recursive: true })

for (const [name, own, peer] of [
  ['start: to the agent’s answer, against the same devices', samples.answered, samples.same],
  ['start: to the agent’s answer, against no devices', samples.answered, samples.least],
  ['start: to the mounted store, against no devices', samples.running, samples.least],
] as const)
  print({ name, ours: median(own), peer: median(peer), unit: 'ms', accelerator }, values.json)
