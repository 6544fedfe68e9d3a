import { nameHost } from './identity.js'
import { Journal, type JournalRecord } from './journal.js'
import type { HostFiles, ProcessTable } from './powers.js'

/** The two trees of files: `state` is one machine's and short-lived, `cache` may be shared and can be rebuilt. */
export interface HostPlaces {
  /** Absolute; one directory per living host below `hosts`. */
  readonly state: string
  /** Absolute; blobs, metadata images, initramfs files. */
  readonly cache: string
}

/** Unfinished files of one host: on the cache's file system, because they are renamed into it. */
export function unfinishedDirectory(cache: string, host: string): string {
  return `${cache}/unfinished/${host}`
}

export function hostsDirectory(state: string): string {
  return `${state}/hosts`
}

// sun_path holds 107 bytes and a NUL (unix(7)); the rest of the path is `/hosts/NAME/uNNN/SOCKET`.
const MOST_SOCKET_PATH = 107
const LONGEST_TAIL = '/hosts/'.length + 36 + '/u9999'.length + '/control.sock'.length

/** Undefined when sockets fit below it; otherwise how many bytes too long it is. */
export function excessOf(state: string): number | undefined {
  const excess = new TextEncoder().encode(state).length + LONGEST_TAIL - MOST_SOCKET_PATH
  return excess > 0 ? excess : undefined
}

/** The directory of one living host. Everything in it is private and ends with the host. */
export class HostDirectory {
  #units = 0

  private constructor(
    readonly name: string,
    readonly path: string,
    readonly unfinished: string,
    readonly journal: Journal,
    readonly files: HostFiles,
  ) {}

  /** Makes the directory and its journal. The name tells the owner, so a crash in between is no riddle. */
  static async create(
    powers: {
      readonly files: HostFiles
      readonly processTable: ProcessTable
      randomHex(bytes: number): string
    },
    places: HostPlaces,
    onRecord: (record: JournalRecord) => void,
  ): Promise<HostDirectory> {
    const { files, processTable } = powers
    const name = nameHost(processTable, powers.randomHex(4))
    const path = `${hostsDirectory(places.state)}/${name}`
    const unfinished = unfinishedDirectory(places.cache, name)
    await files.makeDirectory(path)
    let journal: Journal | undefined
    try {
      journal = await Journal.create(files, path, onRecord)
      const directory = new HostDirectory(name, path, unfinished, journal, files)
      await journal.append({
        record: 'host',
        version: 1,
        ...processTable.self,
        bootId: processTable.bootId,
      })
      await directory.make(unfinished)
      return directory
    } catch (cause) {
      await journal?.close()
      await files.remove(path).catch(() => {})
      throw cause
    }
  }

  async make(path: string): Promise<void> {
    await this.journal.append({ record: 'path-intended', what: 'directory', path })
    await this.files.makeDirectory(path)
  }

  /** A private directory for one machine's sockets, named by number to keep socket paths short. */
  async makeForUnit(): Promise<string> {
    this.#units += 1
    const path = `${this.path}/u${this.#units}`
    await this.make(path)
    return path
  }

  async remove(path: string): Promise<void> {
    await this.files.remove(path)
    // It is gone. The record spares the next host a look and no more, and the disk may be full.
    await this.journal.append({ record: 'path-removed', path }).catch(() => {})
  }

  /**
   * Ends the host's existence on disk. The journal goes last: until then another host can finish the work. May be
   * tried again.
   */
  async removeAll(): Promise<void> {
    await this.journal.close()
    await this.files.remove(this.unfinished)
    await removeHostDirectory(this.files, this.path)
  }
}

/** Everything but the journal first, then the journal, then the directory. Absence is fine at any point. */
export async function removeHostDirectory(files: HostFiles, path: string): Promise<void> {
  for (const name of await files.list(path)) {
    if (name !== 'journal') await files.remove(`${path}/${name}`)
  }
  await files.remove(path)
}
