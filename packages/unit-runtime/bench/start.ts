/**
 * How much a unit's start costs beside the bare monitor: from `host.start()` to the agent's answer, against
 * QEMU started by hand with the same kernel and initramfs to the first byte of the same answer. Interleaved in
 * one run; medians. The bare machine has no store devices and no reserved ports.
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
import { bareQemuArguments } from '@spectrum/unit-monitor'
import { buildDemoClosures } from '../../../examples/demo/src/closures.js'
import { closure, compose, defineUnit, nixStore, openHost } from '../src/index.js'
import { defaultPlaces, findGuestKernel } from '../src/linux.js'

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, rounds: { type: 'string', default: '7' } },
})
const rounds = Number(values.rounds)

const median = (samples: readonly number[]) => [...samples].sort((a, b) => a - b)[samples.length >> 1]!

const directory = await mkdtemp(join(tmpdir(), 'spectrum-bench-'))
const kernelFiles = (await findGuestKernel(process.env, defaultPlaces(process.env).cache))._unsafeUnwrap()
const kernel = (await readGuestKernel(kernelFiles))._unsafeUnwrap()
const initramfs = join(directory, 'initramfs')
await writeFile(initramfs, (await initramfsFor(kernel))._unsafeUnwrap())

/** Milliseconds from the start of the process to the first byte on the control channel. */
async function bare(accelerator: 'kvm' | 'emulation'): Promise<number> {
  const sockets = { console: join(directory, 'console'), control: join(directory, 'control') }
  const console = createServer((socket) => socket.resume()).listen(sockets.console)
  const control = createServer().listen(sockets.control)
  await Promise.all([once(console, 'listening'), once(control, 'listening')])
  const argv = bareQemuArguments(
    {
      name: 'bare',
      kernel: kernelFiles.image,
      initramfs,
      kernelParameters: [],
      memoryBytes: 256 * 1024 * 1024,
      vcpuCount: 1,
      pmem: [],
      hotplugSlots: 0,
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

/** Milliseconds from `start()` to the agent's answer, and to the unit with its store mounted. */
async function ours(): Promise<{ answered: number; running: number }> {
  const began = performance.now()
  let answered = Number.NaN
  const onStep = ({ step }: { step: string }) => {
    if (step === 'agent-answered') answered = performance.now() - began
  }
  host.events.on('step', onStep)
  const { unit } = (await host.start(graph))._unsafeUnwrap()
  const running = performance.now() - began
  host.events.off('step', onStep)
  await unit.stop({ graceMs: 0 })
  return { answered, running }
}

const samples = { bare: [] as number[], answered: [] as number[], running: [] as number[] }
await bare(accelerator)
await ours() // One of each first: page cache and blob cache are warm for both.
for (let round = 0; round < rounds; round++) {
  samples.bare.push(await bare(accelerator))
  const own = await ours()
  samples.answered.push(own.answered)
  samples.running.push(own.running)
}
await rm(directory, { recursive: true })

for (const [name, own] of [
  ['start: to the agent’s answer', samples.answered],
  ['start: to the mounted store', samples.running],
] as const) {
  const figure = {
    name,
    ours: Math.round(median(own)),
    peer: Math.round(median(samples.bare)),
    ratio: Math.round((median(own) / median(samples.bare)) * 1000) / 1000,
    unit: 'ms',
    accelerator,
  }
  process.stdout.write(
    values.json
      ? `${JSON.stringify(figure)}\n`
      : `${name}: ${figure.ours} ms, the bare monitor ${figure.peer} ms, ratio ${figure.ratio} (${accelerator})\n`,
  )
}
