/**
 * The real powers of the `spectrum` command: this machine.
 *
 * @packageDocumentation
 */

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { access, constants, open, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { probeKvm } from '@spectrum/kvm-ioctl/linux'
import {
  closure,
  compose,
  defineUnit,
  newHostEmitter,
  nixStore,
  openHost,
  type Step,
} from '@spectrum/unit-runtime'
import {
  defaultPlaces,
  findForeignParts,
  findGuestKernel,
  lookForGroupsRoot,
  machineArchitecture,
} from '@spectrum/unit-runtime/linux'
import { type Result, ResultAsync } from 'neverthrow'
import type { BootReport, DoctorPowers, KvmReport } from './doctor.js'
import { readGraphFile } from './linux/graph-file.js'
import { openGraphHost } from './linux/graph-host.js'
import { fetchGuestKernel } from './linux/guest-kernel.js'
import { collectCache, runningHosts } from './linux/hosts.js'
import { interruptions } from './linux/interruptions.js'
import { ownTerminal } from './linux/own-terminal.js'
import { standardStream } from './linux/standard-stream.js'
import type { Clock, CommandPowers, OpenUnitHost } from './powers.js'

/** The real powers of the `spectrum` command. SIGINT, SIGTERM and SIGHUP are listened to from now on. */
export async function linuxCommandPowers(): Promise<CommandPowers> {
  return {
    stdout: standardStream(1),
    stderr: standardStream(2),
    openStdin: () => process.stdin,
    clock: linuxClock,
    openHost: openUnitHost,
    openGraphHost,
    hosts: runningHosts,
    collect: collectCache,
    fetchKernel: fetchGuestKernel,
    terminal: ownTerminal(),
    doctor: await doctorPowers(),
    readGraph: readGraphFile,
    timeOfDay: () => Date.now(),
    ...interruptions(),
    version: ownVersion(),
  }
}

const linuxClock: Clock = {
  now: () => performance.now(),
  deadline(ms) {
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), ms)
    return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) }
  },
}

function ownVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return String((manifest as { version?: unknown }).version)
}

const stepsInWords: Partial<Record<Step, string>> = {
  'closure-known': 'preparing the closure',
  attached: 'starting the machine',
  'machine-started': 'booting',
  'agent-answered': 'mounting the store',
}

const openUnitHost: OpenUnitHost = ({ signal, architecture, onStep }) => {
  const events = newHostEmitter()
  events.on('step', ({ step }) => {
    const words = stepsInWords[step]
    if (words !== undefined) onStep(words)
  })
  onStep('choosing a monitor')
  return openHost({ store: nixStore(), events, signal, architecture }).map((host) => ({
    monitor: host.monitor,
    startUnit: ({ closure: roots, memoryBytes }, startSignal) =>
      ResultAsync.fromSafePromise(
        Promise.resolve(compose({ unit: defineUnit('run', { store: closure(...roots), memoryBytes }) })),
      )
        .andThen((graph) => graph)
        .andThen((graph) => host.start(graph, { signal: startSignal }))
        .map(({ unit }) => ({ spawn: (argv, options) => unit.spawn(argv, options) })),
    // A unit that ran one command has nothing to put in order: it is ended at once.
    stop: () => host.stop({ graceMs: 0 }),
  }))
}

async function doctorPowers(): Promise<DoctorPowers> {
  const places = defaultPlaces(process.env)
  const kernel = await findGuestKernel(process.env, places.cache)
  const expected = `${places.cache}/guest-kernel/current`
  return {
    nodeVersion: process.versions.node,
    architecture: machineArchitecture(),
    read: (path) => readBounded(path),
    exists: (path) => reachable(path, constants.F_OK),
    firstLine,
    async foreignParts(architecture, signal) {
      const { kernel, agent } = await findForeignParts(architecture, { signal })
      return { kernel: partOf(kernel), agent: partOf(agent) }
    },
    groupsRoot: lookForGroupsRoot,
    freeBytes,
    kvm: lookAtKvm,
    boot: tryBoot,
    places: {
      kernel: kernel.isOk() ? kernel.value.image : (process.env['SPECTRUM_KERNEL'] ?? expected),
      modules: kernel.isOk()
        ? kernel.value.modulesDirectory
        : (process.env['SPECTRUM_KERNEL_MODULES'] ?? `${expected}/lib/modules`),
      cache: places.cache,
      state: places.state,
    },
  }
}

const partOf = (found: Result<string, { readonly message: string }>) =>
  found.match(
    (what) => ({ kind: 'there', what }) as const,
    ({ message }) => ({ kind: 'lacking', message }) as const,
  )

async function lookAtKvm(signal: AbortSignal): Promise<KvmReport> {
  return (await probeKvm({ signal })).match(
    (probe) => probe,
    ({ message }) => ({ kind: 'not-probed', message }),
  )
}

async function tryBoot(signal: AbortSignal): Promise<BootReport> {
  const opened = await openHost({ store: nixStore(), signal })
  if (opened.isErr()) return { kind: 'fails', message: opened.error.message }
  const { kind, accelerator, why } = opened.value.monitor
  const stopped = await opened.value.stop({ graceMs: 0 })
  if (stopped.isErr()) return { kind: 'fails', message: stopped.error.message }
  return { kind: 'boots', monitor: kind, accelerator, why }
}

const longestRead = 4 * 1024 * 1024

async function readBounded(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path, 'r')
    const buffer = Buffer.alloc(longestRead)
    let length = 0
    for (;;) {
      // Files of /proc tell no size and come in pieces.
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, null)
      length += bytesRead
      if (bytesRead === 0 || length === buffer.length) return buffer.toString('utf8', 0, length)
    }
  } catch {
    return undefined
  }
}

const reachable = (path: string, mode: number): Promise<boolean> =>
  access(path, mode).then(
    () => true,
    () => false,
  )

function firstLine(
  program: string,
  argv: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  // An ordinary user's search path lacks the sbin directories, where some of these live.
  const PATH = `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`
  return new Promise((resolve) => {
    execFile(
      program,
      [...argv],
      { env: { ...process.env, PATH }, signal, timeout: 10_000, killSignal: 'SIGKILL', maxBuffer: 65_536 },
      (error, stdout, stderr) => {
        if (error !== null && typeof error.code !== 'number') return resolve(undefined)
        resolve(`${stdout}\n${stderr}`.trim().split('\n')[0])
      },
    )
  })
}

/** Of the nearest directory that exists: the place itself may be still to be made. */
async function freeBytes(path: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(path)
    return bavail * bsize
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT' || path === '/') return undefined
    return freeBytes(dirname(path))
  }
}
