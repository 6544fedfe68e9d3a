/**
 * Limits by the kernel's own control groups. Bundled and run by `limits-in-lab.test.ts` in the x86-64 lab, as root and then
 * as somebody to whom a group was delegated; prints one JSON object with what was found.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { ResourceLimits } from '@spectrum/unit-graph'
import { HostDirectory } from '../../../src/host-directory.js'
import { HostGroups, type MachineLimits } from '../../../src/limits/host-groups.js'
import { lookForGroupsRoot } from '../../../src/linux/groups-root.js'
import { linuxHostFiles } from '../../../src/linux/host-files.js'
import { linuxProcessTable } from '../../../src/linux/process-table.js'
import { linuxResources } from '../../../src/linux/resource-groups.js'
import { reconcile } from '../../../src/reconcile.js'

const MIB = 2 ** 20
const ROOT = '/sys/fs/cgroup'
const USER = 1000
/** Takes more memory than it is allowed, all of it. */
const HOG = 'exec dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null'
/** Wants more processes than it is allowed. */
const FORKS = 'for i in 1 2 3 4 5 6 7 8 9; do sleep 60 & done; wait'

const clock = {
  now: () => performance.now(),
  deadline(ms: number) {
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), ms)
    return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) }
  },
}

/** A process that does nothing until `go()`. `ended` says how. */
function waiting(script: string) {
  const child = spawn('sh', ['-c', `read go; ${script}`], { stdio: ['pipe', 'ignore', 'ignore'] })
  // It may be killed before it is told.
  child.stdin.on('error', () => {})
  return { pid: child.pid!, go: () => child.stdin.end('go\n'), ended: endOf(child), child }
}

const endOf = (child: ChildProcess) => once(child, 'exit').then(([code, signal]) => signal ?? code)

const lives = ({ child }: { child: ChildProcess }) => child.exitCode === null && child.signalCode === null
const fileOf = (group: string, name: string) => readFileSync(`${group}/${name}`, 'latin1').trim()
const ownGroup = () => readFileSync('/proc/self/cgroup', 'latin1').match(/^0::(.*)$/m)![1]!

function groupOf(limits: MachineLimits): string {
  if (limits.report.kind !== 'enforced') throw new Error(JSON.stringify(limits.report))
  return limits.report.group
}

/** The host of a program that is no more. */
async function openDirectory(state: string, pid: number): Promise<HostDirectory> {
  const table = linuxProcessTable()
  const processTable = { ...table, self: { pid, startTime: '1' }, bootId: table.bootId }
  const powers = { files: linuxHostFiles, processTable, randomHex: () => '00000000' }
  return HostDirectory.create(powers, { state, cache: `${state}/cache` }, () => {})
}

export async function asRoot(dead: number) {
  const directory = await openDirectory('/tmp/limits', dead)
  const groups = new HostGroups(linuxResources, directory)
  const limits: ResourceLimits = { memoryBytes: 64 * MIB, cpuWeight: 50, ioWeight: 20, pids: 30 }
  const hog = waiting(HOG)
  const besides = waiting('')
  const bystander = waiting('')
  const forking = waiting(FORKS)
  const ofHog = await groups.limit('hog', limits, [hog.pid, besides.pid])
  const ofBystander = await groups.limit('bystander', { memoryBytes: 64 * MIB }, [bystander.pid])
  const ofForking = await groups.limit('forking', { pids: 4 }, [forking.pid])
  const group = groupOf(ofHog)
  const files = ['memory.max', 'memory.swap.max', 'memory.oom.group', 'cpu.weight', 'io.weight', 'pids.max']
  const written = Object.fromEntries(
    files.map((file) => [file, existsSync(`${group}/${file}`) ? fileOf(group, file) : 'no such file']),
  )
  const members = fileOf(group, 'cgroup.procs').split('\n').map(Number)
  const before = await groups.usage(ofHog.report, [hog.pid, besides.pid])

  hog.go()
  const ended = [await hog.ended, await besides.ended]
  const exceeded = await ofHog.exceeded()
  const after = await groups.usage(ofHog.report, [])

  forking.go()
  // The shell gives up; what it has begun runs on.
  const gaveUp = await forking.ended
  const forks = (await groups.usage(ofForking.report, [])).group

  const findings = {
    ...{
      group,
      written,
      members,
      expected: [hog.pid, besides.pid],
      before,
      ended,
      exceeded,
      after,
      gaveUp,
      forks,
    },
    others: { live: lives(bystander), exceeded: (await ofBystander.exceeded()) ?? null },
  }
  // What the machine left running ends with its group.
  await ofForking[Symbol.asyncDispose]()
  await ofHog[Symbol.asyncDispose]()
  const removed = [ofHog, ofForking].map((each) => !existsSync(groupOf(each)))
  const liveAfter = lives(bystander)

  // This host is killed here: its group stays, with a process in it that no journal names.
  await directory.journal.close()
  const left = existsSync(`${ROOT}/spectrum-${directory.name}/bystander-2`)
  const powers = {
    ...{ clock, files: linuxHostFiles, processTable: linuxProcessTable(), resources: linuxResources },
  }
  const places = { state: '/tmp/limits', cache: '/tmp/limits/cache' }
  const [reconciled] = await reconcile(powers, places, new AbortController().signal)
  const next = {
    ...{ left, failures: reconciled?.failures, bystander: await bystander.ended },
    groups: readdirSync(ROOT).filter((name) => name.startsWith('spectrum-')),
  }
  return { ...findings, removed, liveAfter, next }
}

/** What systemd does for `Delegate=yes`. */
function delegate(path: string): void {
  mkdirSync(path)
  for (const file of ['', '/cgroup.procs', '/cgroup.subtree_control', '/cgroup.threads'])
    chownSync(`${path}${file}`, USER, USER)
}

/** As an ordinary user from here on: first in a group of root's, then in one that was delegated. */
export async function asUser(dead: number) {
  const path = `${ROOT}/delegated`
  delegate(path)
  mkdirSync(`${ROOT}/session`)
  mkdirSync('/tmp/limits-of-user')
  chownSync('/tmp/limits-of-user', USER, USER)
  const sibling = spawn('sleep', ['60'], { uid: USER, gid: USER, stdio: 'ignore' })
  writeFileSync(`${path}/cgroup.procs`, String(sibling.pid))
  const moveMe = `read pid; echo $pid >${path}/cgroup.procs; echo moved`
  const superior = spawn('sh', ['-c', moveMe], { stdio: ['pipe', 'pipe', 'inherit'] })
  writeFileSync(`${ROOT}/session/cgroup.procs`, String(process.pid))
  process.setgroups!([])
  process.setgid!(USER)
  process.setuid!(USER)
  const refused = await linuxResources.groups.root(['memory', 'pids'])
  const lookedAt = [await lookForGroupsRoot(['memory', 'pids'])]
  superior.stdin.end(`${process.pid}\n`)
  await once(superior.stdout, 'data')
  lookedAt.push(await lookForGroupsRoot(['memory', 'pids']))
  const ownUntouched = ownGroup()

  const directory = await openDirectory('/tmp/limits-of-user', dead)
  const groups = new HostGroups(linuxResources, directory)
  const hog = waiting(HOG)
  const ofHog = await groups.limit('hog', { memoryBytes: 64 * MIB, pids: 10 }, [hog.pid])
  const group = groupOf(ofHog)
  const own = ownGroup()
  hog.go()
  const ended = await hog.ended
  const exceeded = await ofHog.exceeded()
  // A second host of the same program, which is below the delegated group by now.
  const second = waiting('')
  const others = new HostGroups(linuxResources, await openDirectory('/tmp/limits-of-user', dead - 1))
  const ofSecond = await others.limit('second', { pids: 10, cpuWeight: 10 }, [second.pid])
  const groupOfSecond = groupOf(ofSecond)
  await ofSecond[Symbol.asyncDispose]()
  await ofHog[Symbol.asyncDispose]()
  await others.close()
  await groups.close()
  const findings = {
    ...{
      refused,
      lookedAt,
      ownUntouched,
      group,
      own,
      ended,
      exceeded,
      groupOfSecond,
      second: await second.ended,
    },
    siblingLives: lives({ child: sibling }),
    left: readdirSync(path).filter((name) => name.startsWith('spectrum-')),
  }
  sibling.kill('SIGKILL')
  return findings
}

const dead = spawn('true')
await once(dead, 'exit')
const root = await asRoot(dead.pid!)
process.stdout.write(`${JSON.stringify({ root, user: await asUser(dead.pid!) })}\n`)
