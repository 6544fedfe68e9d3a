/**
 * A unit under crosvm, from its start to the last trace of it. Run in the lab by `crosvm-in-lab.test.ts`, where KVM is
 * real; prints one JSON object a line. Argument: `{ binary, program, tool }`.
 */
import { readFileSync, statSync } from 'node:fs'
import { cp, mkdtemp } from 'node:fs/promises'
import { crosvmMonitor } from '@spectrum/unit-monitor'
import { linuxCrosvmPowers } from '@spectrum/unit-monitor/linux'
import {
  closure,
  compose,
  defineUnit,
  nixStore,
  openHostWith,
  type StoreSource,
} from '@spectrum/unit-runtime'
import { findGuestKernel, linuxHostPowers } from '@spectrum/unit-runtime/linux'

const { binary, program, tool }: { binary: string; program: string; tool: string } = JSON.parse(
  process.argv[2]!,
)
/** Two machines stand around this one, and the outer one is emulated. */
const PATIENT = { deadlineMs: 500_000 }
const say = (what: object) => process.stdout.write(`${JSON.stringify(what)}\n`)
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

/**
 * The store's files on one file system, as in a store that is used. The lab's root is an overlay, where a file and its
 * directory are on different ones, and a view shows nothing that is elsewhere.
 */
const store: StoreSource = { ...nixStore(), locate: (path) => `/dev/shm${path}` }
for (const { path } of (await store.closure([program, tool], PATIENT))._unsafeUnwrap().paths)
  await cp(path, store.locate(path), { recursive: true, verbatimSymlinks: true })

const root = await mkdtemp('/tmp/crosvm-unit-')
const places = { state: `${root}/state`, cache: `${root}/cache` }
const kernel = (await findGuestKernel(process.env, places.cache))._unsafeUnwrap()
const powers = linuxHostPowers(places, kernel, 'kvm', ['injection'])
const openHost = async () =>
  (
    await openHostWith(
      {
        ...powers,
        // It is not chosen by a trial: here a trial takes longer than anybody would wait elsewhere.
        chooseMonitor: (given) =>
          linuxCrosvmPowers(given)
            .map((more) => ({
              monitor: crosvmMonitor(more, { binary }),
              why: 'it is the one to be tried',
              considered: [],
            }))
            .asyncMap(async (chosen) => chosen),
      },
      places,
      { store, injection: true, ...PATIENT },
    )
  )._unsafeUnwrap()
const host = await openHost()
say({ opened: host.monitor })

const MIB = 1024 * 1024
const graphOf = (mib: number) => {
  const volumes = {
    data: { path: '/data', sizeBytes: mib * MIB },
    copy: { path: '/data/copy', sizeBytes: 16 * MIB, readOnly: true },
  }
  return compose({ left: defineUnit('left', { store: closure(program), volumes }) })._unsafeUnwrap()
}
const graph = graphOf(16)
const { left: unit } = (await host.start(graph, PATIENT))._unsafeUnwrap()
const statusOf = (pid: number) => {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)$`, 'm').exec(status)?.[1]
  return { seccomp: field('Seccomp'), capabilities: field('CapEff'), noNewPrivileges: field('NoNewPrivs') }
}
say({
  started: { dax: unit.dax, injection: unit.injection, store: unit.store },
  processes: unit.processes.map(({ pid, role }) => ({ role, ...statusOf(pid) })),
})

const run = (await unit.exec([`${program}/bin/counter`, 'from crosvm'], PATIENT))._unsafeUnwrap()
say({ ran: run.outcome, stdout: text(run.stdout) })

const running = (await unit.spawn([`${program}/bin/counter`, '--forever'], PATIENT))._unsafeUnwrap()
let said = ''
for await (const chunk of running.stdout) {
  said += text(chunk)
  if (said.includes('\n')) break
}
const pid = /\d+/.exec(said)![0]
const injected = (await unit.inject(closure(tool), PATIENT))._unsafeUnwrap()
const listing = (await unit.storeListing(PATIENT))._unsafeUnwrap()
say({ injected, listing })
const peek = [`${tool}/bin/peek`, pid]
const looked = (await unit.exec(peek, PATIENT))._unsafeUnwrap()
say({ looked: looked.outcome, stderr: text(looked.stderr) })
const revoked = (await unit.revoke(closure(tool), PATIENT))._unsafeUnwrap()
say({ revoked, listing: (await unit.storeListing(PATIENT))._unsafeUnwrap() })
say({ gone: (await unit.exec(peek, PATIENT))._unsafeUnwrap().outcome })
// Its volumes: one is written, the other is not, and nobody else has them meanwhile.
const put = async (path: string) =>
  (await unit.files.put({ path }, Buffer.from('kept'), PATIENT)).match(
    () => 'done',
    (error) => (error.kind === 'agent-failed' && 'reason' in error.cause ? error.cause.reason : error.kind),
  )
const other = await openHost()
const refused = (await other.start(graph, PATIENT))._unsafeUnwrapErr()
;(await other.stop())._unsafeUnwrap()
say({ written: await put('/data/note'), unwritten: await put('/data/copy/note'), refused })
;(await running.signal(9))._unsafeUnwrap()
const end = (await unit.stop({ graceMs: 120_000 }))._unsafeUnwrap()
// Its next machine has what was written, and more room for it.
const { left: again } = (await host.start(graphOf(64), PATIENT))._unsafeUnwrap()
const { content } = (await again.files.get({ path: '/data/note' }, PATIENT))._unsafeUnwrap()
let note = ''
for await (const chunk of content) note += text(chunk)
const large = Buffer.alloc(40 * MIB, 7)
const room = (await again.files.put({ path: '/data/large' }, large, PATIENT)).isOk()
;(await again.stop({ graceMs: 120_000 }))._unsafeUnwrap()
say({ kept: { note, room, bytes: statSync(`${places.state}/volumes/left/data.ext4`).size } })
;(await host.stop())._unsafeUnwrap()
say({ end, leftovers: (await host.leftovers())._unsafeUnwrap() })
