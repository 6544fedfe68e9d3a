/**
 * Units with limits, on a kernel that has control groups of version 2, and a KVM that works. Run in the lab by
 * `limited-units.test.ts`; prints one JSON object a line, so that one that ends too early has said how far it came.
 * Argument: the store path of `eat-memory`.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { qemuMonitor } from '@spectrum/unit-monitor'
import {
  closure,
  compose,
  defineUnit,
  nixStore,
  openHostWith,
  type ResourceLimits,
  type Unit,
} from '@spectrum/unit-runtime'
import { findGuestKernel, linuxHostPowers } from '@spectrum/unit-runtime/linux'
import { okAsync } from 'neverthrow'

const MIB = 2 ** 20
const GROUPS = '/sys/fs/cgroup'
/** Two machines stand around this one, and the outer one is emulated. */
const PATIENT = { deadlineMs: 300_000 }
const program = process.argv[2]!
const eat = (mib: number) => [`${program}/bin/eat-memory`, String(mib)]
const began = performance.now()
const say = (what: object) =>
  process.stdout.write(`${JSON.stringify({ ...what, ms: Math.round(performance.now() - began) })}\n`)

const root = await mkdtemp('/tmp/limited-units-')
const places = { state: `${root}/state`, cache: `${root}/cache` }
const kernel = (await findGuestKernel(process.env, places.cache))._unsafeUnwrap()
const host = (
  await openHostWith(
    {
      ...linuxHostPowers(places, kernel, 'kvm'),
      // It is not chosen by a trial: here a trial takes longer than anybody would wait elsewhere.
      chooseMonitor: (given) =>
        okAsync({
          monitor: qemuMonitor(given, { accelerator: 'kvm' }),
          why: 'it is the one to be tried',
          considered: [],
        }),
    },
    places,
    { store: nixStore(), ...PATIENT },
  )
)._unsafeUnwrap()

// Read only when the program ends otherwise than it should.
const tell = (unit: string, what: string) =>
  process.stderr.write(`${Math.round(performance.now() - began)} ms: ${unit}: ${what}\n`)
host.events.on('step', ({ unit, step }) => tell(unit, step))
host.events.on('log', ({ unit, text }) => tell(unit, text))

/** What the unit's control group holds, as the kernel has it. */
function filesOf(group: string, ...files: readonly string[]) {
  return Object.fromEntries(files.map((file) => [file, readFileSync(`${group}/${file}`, 'latin1').trim()]))
}

async function groupOf(unit: Unit): Promise<string> {
  const { limits } = (await unit.usage())._unsafeUnwrap()
  if (limits.kind !== 'enforced') throw new Error(JSON.stringify(limits))
  return limits.group
}

/** Groups of units, by name, of all hosts. */
function groups(): readonly string[] {
  const hosts = readdirSync(GROUPS).filter((name) => name.startsWith('spectrum-'))
  return hosts.flatMap((name) => readdirSync(`${GROUPS}/${name}`)).filter((name) => /-\d+$/.test(name))
}

const unitWith = <Name extends string>(name: Name, memoryMib: number, limits: ResourceLimits) =>
  defineUnit(name, { store: closure(program), memoryBytes: memoryMib * MIB, hotplugSlots: 0, limits })
const booted = compose({
  // It boots with 185 MiB.
  greedy: unitWith('greedy', 384, { memoryBytes: 256 * MIB }),
  modest: unitWith('modest', 256, { memoryBytes: 384 * MIB, cpuWeight: 50, ioWeight: 20, pids: 100 }),
})
// A disk of its own is read and written by threads of the monitor, which come and go.
const cramped = compose({
  cramped: defineUnit('cramped', {
    ...{ store: closure(program), memoryBytes: 256 * MIB, hotplugSlots: 0, limits: { pids: 1 } },
    volumes: { data: { path: '/data', sizeBytes: 16 * MIB } },
  }),
})
const [started, refused] = await Promise.all([
  host.start(booted._unsafeUnwrap(), PATIENT),
  host.start(cramped._unsafeUnwrap(), PATIENT),
])
say({ refused: refused.isErr() ? refused.error : 'it runs' })
const { greedy, modest } = started._unsafeUnwrap()

const group = await groupOf(modest)
const written = filesOf(group, 'memory.max', 'cpu.weight', 'io.weight', 'pids.max')
const members = readFileSync(`${group}/cgroup.procs`, 'latin1').trim().split('\n').map(Number)
say({ written, members, processes: modest.processes.map(({ pid }) => pid) })
const before = {
  greedy: (await greedy.usage())._unsafeUnwrap().group,
  modest: (await modest.usage())._unsafeUnwrap().group,
}
say({ before, groups: groups() })

const ate = await greedy.exec(eat(250), PATIENT)
say({
  ate: ate.match(
    ({ outcome }) => outcome.kind,
    ({ kind }) => kind,
  ),
})
// Its own end, or that nothing became of it.
await Promise.race([greedy.ended, sleep(60_000, undefined, { ref: false })])
const { why, failure }: Partial<Awaited<typeof greedy.ended>> =
  greedy.state === 'failed' ? await greedy.ended : {}
say({ greedy: { state: greedy.state, why, failure } })

const ran = (await modest.exec(eat(20), PATIENT))._unsafeUnwrap().outcome
say({ modest: { ran, state: modest.state, group: (await modest.usage())._unsafeUnwrap().group } })
say({ left: groups() })
;(await host.stop({ graceMs: 0 }))._unsafeUnwrap()
const leftovers = (await host.leftovers())._unsafeUnwrap()
const own = readdirSync(GROUPS).filter((name) => name.startsWith('spectrum-'))
say({ end: { groups: own, leftovers } })
