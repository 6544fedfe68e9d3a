import { constants } from 'node:fs'
import { access, mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path/posix'
import type { GroupsRoot } from '../limits/resource-powers.js'
import { orAbsent } from './absence.js'

/** The group below a delegated one in which programs without limits are. */
const UNLIMITED = 'unlimited'
/** In each, those are moved that were begun while the others were. */
const MOVE_ROUNDS = 20

/** Absolute paths of directories. */
interface Place {
  /** The root of the hierarchy, as far as it is to be seen. */
  readonly mount: string
  /** The group that this program was started in. */
  readonly given: string
  /** The group that this program is in. */
  readonly own: string
}

/**
 * Where limited groups may be made. A group that has processes cannot have limited groups below it
 * (Documentation/admin-guide/cgroup-v2.rst, "No Internal Process Constraint"); the root of all can. So, in this order:
 *
 * 1. the group that the program was started in, if it can be divided as it is;
 * 2. the root of the hierarchy, where this user may divide it;
 * 3. the group that the program was started in, after everything in it has moved to a group below. So it is for whoever
 *    is not root, in a group that was delegated (`systemd-run --user --scope -p Delegate=yes`), and in a container.
 */
export async function findGroupsRoot(controllers: readonly string[]): Promise<GroupsRoot> {
  try {
    return await find(controllers)
  } catch (cause) {
    return absent(`control groups cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
}

/** Where limited groups could be made, as far as can be told without making any. Never rejects. */
export async function lookForGroupsRoot(controllers: readonly string[]): Promise<GroupsRoot> {
  const place = await findPlace().catch(() => undefined)
  if (place === undefined) return absent(NO_HIERARCHY)
  const faults: Fault[] = []
  for (const path of new Set([place.given, place.mount])) {
    const fault = await faultOf(path, controllers).catch(() => notOurs(path))
    if (fault === undefined) return { kind: 'ready', path, unlimited: place.own }
    faults.push(fault)
  }
  return absent(faults[0]!.why)
}

async function find(controllers: readonly string[]): Promise<GroupsRoot> {
  const place = await findPlace()
  if (place === undefined) return absent(NO_HIERARCHY)
  const { mount, given, own } = place
  const faults: Fault[] = []
  for (const path of new Set([given, mount])) {
    const fault = await divide(path, controllers)
    if (fault === undefined) return { kind: 'ready', path, unlimited: own }
    faults.push(fault)
  }
  if (faults[0]?.kind === 'has-processes') {
    const fault = await moveAndDivide(given, controllers)
    if (fault === undefined) return { kind: 'ready', path: given, unlimited: `${given}/${UNLIMITED}` }
    faults[0] = fault
  }
  return absent(faults[0]!.why)
}

/** Undefined where no cgroup v2 hierarchy is mounted that has this program in it. */
async function findPlace(): Promise<Place | undefined> {
  const mounts = (await orAbsent(readFile('/proc/self/mountinfo', 'latin1'))) ?? ''
  const fields = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .find((each) => each[each.indexOf('-') + 1] === 'cgroup2')
  const path = (await orAbsent(readFile('/proc/self/cgroup', 'latin1')))?.match(/^0::(\/.*)$/m)?.[1]
  const [, , , root, mount] = fields ?? []
  if (root === undefined || mount === undefined || path === undefined) return undefined
  // A part of the hierarchy may be mounted: in a container, all that is to be seen of it.
  const below = root === '/' ? path : path === root ? '/' : path.replace(`${root}/`, '/')
  const own = below === '/' ? mount : `${mount}${below}`
  const moved = own !== mount && basename(own) === UNLIMITED
  return { mount, given: moved ? dirname(own) : own, own }
}

interface Fault {
  readonly kind: 'lacks-controllers' | 'not-ours' | 'has-processes'
  readonly why: string
}

/** Why this group cannot be divided, as far as that can be seen. */
async function faultOf(path: string, controllers: readonly string[]): Promise<Fault | undefined> {
  const there = wordsOf(await orAbsent(readFile(`${path}/cgroup.controllers`, 'latin1')))
  const missing = controllers.filter((each) => !there.includes(each))
  if (missing.length > 0) return lacks(path, missing)
  const files = ['', '/cgroup.procs', '/cgroup.subtree_control'].map((file) => `${path}${file}`)
  const writable = await Promise.all(files.map((file) => access(file, constants.W_OK).then(yes, no)))
  return writable.includes(false) ? notOurs(path) : undefined
}

/** Turns the controllers on for the groups below; or says why that cannot be, and has changed nothing. */
async function divide(path: string, controllers: readonly string[]): Promise<Fault | undefined> {
  const fault = await faultOf(path, controllers)
  if (fault !== undefined) return fault
  try {
    await write(path, 'cgroup.subtree_control', controllers.map((each) => `+${each}`).join(' '))
    return undefined
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'EBUSY') return hasProcesses(path)
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return notOurs(path)
    throw cause
  }
}

/** What cannot be moved, or comes anew all the time, keeps the group as it was. */
async function moveAndDivide(path: string, controllers: readonly string[]): Promise<Fault | undefined> {
  const below = `${path}/${UNLIMITED}`
  // Somebody else may be doing the same.
  await mkdir(below).catch(unless('EEXIST'))
  let fault: Fault | undefined
  for (let round = 0; round < MOVE_ROUNDS; round += 1) {
    await moveAll(path, below)
    fault = await divide(path, controllers)
    if (fault?.kind !== 'has-processes') break
  }
  if (fault === undefined) return undefined
  await moveAll(below, path).catch(() => {})
  await rmdir(below).catch(() => {})
  return fault
}

async function moveAll(from: string, to: string): Promise<void> {
  const pids = wordsOf(await readFile(`${from}/cgroup.procs`, 'latin1'))
  // It may have ended meanwhile, or be the kernel's own.
  for (const pid of pids) await write(to, 'cgroup.procs', pid).catch(unless('ESRCH', 'EINVAL'))
}

function unless(...codes: readonly string[]) {
  return (cause: NodeJS.ErrnoException) => {
    if (!codes.includes(cause.code ?? '')) throw cause
  }
}

const write = (group: string, file: string, text: string) =>
  writeFile(`${group}/${file}`, text, { flag: constants.O_WRONLY })

const wordsOf = (text: string | undefined) => (text ?? '').split(/\s+/).filter((word) => word !== '')
const yes = () => true
const no = () => false

const absent = (why: string): GroupsRoot => ({ kind: 'absent', why })

const NO_HIERARCHY = 'this machine has no cgroup v2 hierarchy; boot it with one'
const SCOPE = 'systemd-run --user --scope -p Delegate=yes PROGRAM'

const lacks = (path: string, missing: readonly string[]): Fault => ({
  kind: 'lacks-controllers',
  why:
    `${path} has no controller ${missing.join(', ')} of cgroup v2. Where systemd gives users too few, name them in ` +
    `/etc/systemd/system/user@.service.d/delegate.conf ([Service] Delegate=cpu io memory pids) and start this program by: ${SCOPE}`,
})
const notOurs = (path: string): Fault => ({
  kind: 'not-ours',
  why: `${path} may not be divided by this user. Start this program in a group of its own: ${SCOPE}`,
})
const hasProcesses = (path: string): Fault => ({
  kind: 'has-processes',
  why: `${path} may not be divided while it has processes that cannot be moved. Start this program in a group of its own: ${SCOPE}`,
})
