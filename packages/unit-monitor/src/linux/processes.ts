import { type ChildProcess, spawn } from 'node:child_process'
import { access, constants, readdir, readFile, stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { childDescriptors } from '@spectrum/unix-fd/linux'
import type { ProcessExit, Processes, SpawnedProcess, SpawnRequest } from '../powers.js'

/** How long making namespaces for nothing may take. */
const PROBE_MS = 10_000

/**
 * Processes that die with this program.
 *
 * `setpriv` (util-linux) asks the kernel to kill the process when its parent dies, `prlimit` (the same
 * package) forbids it to leave a core file, and then it becomes the program: pid and environment stay. The kernel ties it to the *thread* that spawned it, so
 * spawn from a thread that lives as long as the host. A host that dies before that request is not covered
 * by it; the drivers cover it by having the monitor connect to the host at start, a journal by its marker.
 *
 * What is enclosed is the first process of a PID namespace of its own (`unshare`, util-linux), and is killed with
 * the `unshare` that waits for it. The kernel kills everything in such a namespace when its first process ends,
 * so also a process that was taken over cannot stay behind.
 */
export function linuxProcesses(searchPath: string, probeMs = PROBE_MS): Processes {
  const whyShared = askOnce((unshare) => whyNotApart(unshare, searchPath, probeMs))
  return {
    async spawn(request: SpawnRequest): Promise<SpawnedProcess> {
      const setpriv = await find('setpriv', searchPath)
      const prlimit = await find('prlimit', searchPath)
      const file = await find(request.file, searchPath)
      const apart = request.enclosed !== undefined || request.powerless === true
      const unshare = apart ? await find('unshare', searchPath) : ''
      const shared = request.powerless === true ? await whyShared(unshare) : undefined
      const enclosure =
        request.enclosed !== undefined
          ? [unshare, ...unshareOptions(request.enclosed), '--']
          : apart && shared === undefined
            ? [unshare, ...APART, '--']
            : []
      // Root keeps what its new user namespace gave it; anybody else loses it by becoming another program.
      const isPowerless = request.enclosed === 'without-capabilities' || request.powerless === true
      const powerless =
        isPowerless && process.geteuid?.() === 0
          ? [setpriv, '--bounding-set=-all', '--inh-caps=-all', '--']
          : []
      const inherited = childDescriptors()
      try {
        const tied = ['--pdeathsig', 'KILL', '--no-new-privs', '--', prlimit, '--core=0', '--']
        const child = spawn(setpriv, [...tied, ...enclosure, ...powerless, file, ...request.argv], {
          detached: true,
          // Holding the host's own directory would keep its filesystem busy.
          cwd: '/',
          env: { ...request.environment },
          stdio: ['ignore', 'pipe', 'pipe', ...inherited.stdio],
        })
        await new Promise<void>((resolve, reject) => {
          child.once('spawn', resolve)
          child.once('error', reject)
        })
        return spawned(child, request.enclosed !== undefined, shared)
      } finally {
        inherited.release()
      }
    },
  }
}

/**
 * The namespace gets a `/proc` of its own, because programs name their children there by number; mounts that the
 * host undoes are undone inside too. Without privileges a user namespace gives what it takes; the user stays.
 */
function unshareOptions(enclosed: NonNullable<SpawnRequest['enclosed']>): readonly string[] {
  const powerless = enclosed === 'without-capabilities'
  const unprivileged = powerless || process.geteuid?.() !== 0
  return [
    ...(unprivileged ? ['--user', '--map-current-user'] : []),
    ...(powerless ? ['--net', '--ipc', '--uts'] : []),
    ...['--pid', '--fork', '--kill-child=KILL', '--mount-proc', '--propagation', 'slave'],
  ]
}

/** Without a namespace of processes nothing has to stand around the program: it keeps its pid. */
const APART = ['--user', '--map-current-user', '--net', '--ipc', '--uts'] as const

/** Only that nothing speaks against it is kept: what fails once, on a busy machine, may work the next time. */
function askOnce(ask: (unshare: string) => Promise<string | undefined>) {
  let answer: Promise<string | undefined> | undefined
  return (unshare: string): Promise<string | undefined> => {
    if (answer !== undefined) return answer
    const asked = ask(unshare)
    const forget = () => {
      answer = undefined
    }
    asked.then((why) => why !== undefined && forget(), forget)
    answer = asked
    return asked
  }
}

/** What the kernel says against these namespaces. Rejects when it says nothing: that is no reason to go without. */
async function whyNotApart(
  unshare: string,
  searchPath: string,
  probeMs: number,
): Promise<string | undefined> {
  const nothing = await find('true', searchPath)
  return new Promise((resolve, reject) => {
    const child = spawn(unshare, [...APART, '--', nothing], {
      cwd: '/',
      env: {},
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: probeMs,
      killSignal: 'SIGKILL',
    })
    let said = ''
    child.stderr.on('data', (bytes) => {
      said = `${said}${bytes}`.slice(0, 200)
    })
    child.once('error', reject)
    child.once('exit', (_code, signal) => {
      if (signal === null) return
      child.stderr.destroy()
      const message = `making namespaces for nothing ended by ${signal}, after ${probeMs} ms at the latest; try again`
      reject(Object.assign(new Error(message), { code: 'EAGAIN' }))
    })
    child.once('close', (code) => resolve(code === 0 ? undefined : said.trim() || `status ${code}`))
  })
}

function spawned(child: ChildProcess, enclosed: boolean, shared: string | undefined): SpawnedProcess {
  const { pid, stdout, stderr } = child
  if (pid === undefined || stdout === null || stderr === null) throw new TypeError('no pid after spawn')
  // A failing kill(2) is reported here; the process is then gone already.
  child.on('error', () => {})
  const exit = new Promise<ProcessExit>((resolve) => {
    child.once('exit', (code, signal) => {
      const end: ProcessExit =
        signal === null ? { kind: 'exited', code: code ?? -1 } : { kind: 'signalled', signal }
      if (enclosed) void groupGone(pid).then(() => resolve(end))
      else resolve(end)
    })
  })
  return {
    pid,
    output: { [Symbol.asyncIterator]: () => merged([stdout, stderr], shared) },
    exit,
    // Sent only while the child is not reaped, so the number still means this process, and this group.
    kill: () => {
      if (!enclosed) child.kill('SIGKILL')
      else if (child.exitCode === null && child.signalCode === null) signalGroup(pid, 'SIGKILL')
    },
  }
}

const GROUP_POLL_MS = 5
const LONGEST_GROUP_WAIT_MS = 5_000

/**
 * When the process around the enclosed ones was killed itself, they are killed by the kernel and reaped by
 * somebody else: there is no event for it, and it may take its time. What waits to be reaped has nothing any more.
 */
async function groupGone(group: number): Promise<void> {
  const latest = performance.now() + LONGEST_GROUP_WAIT_MS
  while (signalGroup(group, 0) && performance.now() < latest && (await groupLives(group)))
    await new Promise((resolve) => setTimeout(resolve, GROUP_POLL_MS))
}

/** Whether a process of the group is not dead, as `/proc` tells it. */
async function groupLives(group: number): Promise<boolean> {
  for (const name of await readdir('/proc')) {
    if (!/^[0-9]+$/.test(name)) continue
    const line = await readFile(`/proc/${name}/stat`, 'latin1').catch(() => '')
    // Behind the command's name, which may hold anything, in parentheses (proc(5)).
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
    const [state = '', its, threads] = [fields[0], Number(fields[2]), Number(fields[17])]
    // The first thread may be dead before the others.
    const dead = 'ZXx'.includes(state) && threads <= 1
    if (its === group && !dead) return true
  }
  return false
}

/** Whether the group has (or had) a process. */
function signalGroup(group: number, signal: 'SIGKILL' | 0): boolean {
  try {
    return process.kill(-group, signal)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/** The chunks of several streams as they arrive. Not reading them is back-pressure on all. */
async function* merged(
  streams: readonly Readable[],
  shared: string | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  if (shared !== undefined)
    yield Buffer.from(`it shares this machine's network and IPC, for it gets no namespaces: ${shared}\n`)
  let wake = () => {}
  for (const stream of streams)
    for (const event of ['readable', 'end', 'close', 'error']) stream.on(event, () => wake())
  try {
    for (;;) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve
      })
      let idle = true
      for (const stream of streams) {
        const chunk: Uint8Array | null = stream.read()
        if (chunk === null) continue
        idle = false
        yield chunk
      }
      if (!idle) continue
      if (streams.every((stream) => stream.readableEnded || stream.destroyed)) return
      await woken
    }
  } finally {
    for (const stream of streams) stream.destroy()
  }
}

/** The absolute path of an executable file; rejects with `ENOENT`. */
async function find(file: string, searchPath: string): Promise<string> {
  const candidates = file.includes('/')
    ? [file]
    : searchPath
        .split(':')
        .flatMap((directory) => (directory.startsWith('/') ? [`${directory}/${file}`] : []))
  for (const candidate of candidates) {
    try {
      await access(candidate, constants.X_OK)
      if ((await stat(candidate)).isFile()) return candidate
    } catch {
      // not here: the next directory
    }
  }
  const where = file.includes('/') ? '' : ` on the search path ${searchPath}`
  throw Object.assign(new Error(`no program ${file}${where}`), { code: 'ENOENT' })
}
