import { lstat, readdir, readFile } from 'node:fs/promises'

/** What is found of hosts of one state directory, by looking at the machine and not at any journal. */
export interface Remains {
  /** `PID: command line` of each process that names the directory, or carries the mark of one of its hosts. */
  readonly processes: readonly string[]
  readonly mounts: readonly string[]
  /** Everything below the state directory's `hosts`, the cache's `unfinished`, and its leases. */
  readonly files: readonly string[]
}

export async function findRemains(stateDirectory: string, cacheDirectory: string): Promise<Remains> {
  const hosts = seen.get(stateDirectory) ?? new Set()
  seen.set(stateDirectory, hosts)
  for (const host of await names(`${stateDirectory}/hosts`)) hosts.add(host)
  const processes: string[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid) continue
    const command = (await content(`/proc/${pid}/cmdline`)).split('\0').join(' ').trim()
    const marks = (await content(`/proc/${pid}/environ`))
      .split('\0')
      .filter((each) => each.startsWith('SPECTRUM_'))
    const marked = marks.some((mark) =>
      [...hosts].some((host) => mark.startsWith(`SPECTRUM_PROCESS=${host}/`)),
    )
    if (marked || command.includes(`${stateDirectory}/`)) processes.push(`${pid}: ${command}`)
  }
  const mounts = (await content('/proc/self/mountinfo'))
    .split('\n')
    .filter((line) => line.includes(stateDirectory) || line.includes(`${cacheDirectory}/unfinished`))
  const files = [
    ...(await everything(`${stateDirectory}/hosts`)),
    ...(await everything(`${cacheDirectory}/unfinished`)),
    ...(await everything(`${cacheDirectory}/blobs/leases`)),
  ]
  return { processes, mounts, files }
}

/** Hosts whose directory was there once, by state directory: their processes must be gone too when it no longer is. */
const seen = new Map<string, Set<string>>()

async function everything(directory: string): Promise<string[]> {
  const found: string[] = []
  for (const name of await names(directory)) {
    found.push(`${directory}/${name}`)
    const facts = await lstat(`${directory}/${name}`).catch(() => undefined)
    if (facts?.isDirectory()) found.push(...(await everything(`${directory}/${name}`)))
  }
  return found
}

const names = (directory: string) => readdir(directory).catch(() => [])
const content = (path: string) => readFile(path, 'utf8').catch(() => '')
