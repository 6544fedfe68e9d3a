import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { buildTestPrograms } from '../../../guest-agent/test/support/built.js'
import { type Host, type LinuxHostOptions, nixStore, openHost } from '../../src/index.js'
import { type Directories, directoriesIn } from './directories.js'
import { addToStore } from './real-store.js'
import { findRemains, type Remains } from './remains.js'

/** A real host in a place of its own. Disposing it stops the host and removes the place. */
export class RealHost implements AsyncDisposable {
  private constructor(
    readonly host: Host,
    /** Where hosts of this place have their state and their cache. */
    readonly directories: Directories,
    private readonly root: string,
  ) {}

  static async open(name: string, options: Partial<LinuxHostOptions> = {}): Promise<RealHost> {
    const root = await mkdtemp(`${tmpdir()}/${name}-`)
    const directories = await directoriesIn(root)
    const opened = await openHost({ store: nixStore(), ...directories, ...options })
    if (opened.isErr()) await rm(root, { recursive: true })
    return new RealHost(opened._unsafeUnwrap(), directories, root)
  }

  /** What is found of it on this machine: nothing, once it has stopped. */
  remains(): Promise<Remains> {
    return findRemains(this.directories.stateDirectory, this.directories.cacheDirectory)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host.stop({ graceMs: 0 })
    await rm(this.root, { recursive: true })
  }
}

export const nothing: Remains = { processes: [], mounts: [], files: [] }

/** The probe of the agent's tests as a store path, and its path in a unit. */
export async function addProbe(): Promise<{ readonly tool: string; readonly probe: string }> {
  const tool = await addToStore('probe', async (path) => {
    await mkdir(`${path}/bin`, { recursive: true })
    await cp(buildTestPrograms().probe, `${path}/bin/probe`)
  })
  return { tool, probe: `${tool}/bin/probe` }
}
