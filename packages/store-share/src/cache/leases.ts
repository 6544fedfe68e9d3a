import { Buffer } from 'node:buffer'
import { doing, errorCode, fail, throwIfAborted, writing } from '../failure.js'
import { pause } from '../pause.js'
import type { CacheFiles, Clock, Owners } from '../powers.js'
import { quote } from '../quote.js'

const FORMAT = 'spectrum-leases-1'
const MAX_LEASE_BYTES = 64 << 20

/** How long one that waits for a collection sleeps between two looks. */
const LOOK_AGAIN_MS = 10

/**
 * Which files of a cache somebody is using, agreed on by all processes that share it.
 *
 * Each open cache is a holder with one small file, `leases/OWNER.N`, that lists what it holds. A holder writes
 * its file first and then looks whether a collection is under way (`leases/collecting.OWNER.N`); a collection
 * makes its mark first and then reads the holders' files. So one of the two sees the other: either the collection
 * keeps the file, or the holder waits until the collection is over and finds the file there or not. The files of
 * a process that has died mean nothing, so nobody has to clean up before others can go on.
 */
export class Leases {
  readonly #held = new Map<string, number>()
  #own: string | undefined
  #writing: Promise<void> = Promise.resolve()
  #next = 0

  constructor(
    readonly directory: string,
    /** On the same file system: unfinished files lie here. */
    readonly temporary: string,
    readonly files: CacheFiles,
    readonly owners: Owners,
    readonly clock: Clock,
  ) {}

  /** From when this resolves on no collection removes these files, whether or not they exist yet. */
  async hold(names: readonly string[], signal: AbortSignal): Promise<void> {
    if (names.length === 0) return
    for (const name of names) this.#held.set(name, (this.#held.get(name) ?? 0) + 1)
    try {
      await this.#write()
      await this.#untilNobodyCollects(signal)
    } catch (thrown) {
      this.#count(names)
      // The file may say more than is held until it can be written again, which keeps too much, never too little.
      await this.#write().catch(() => {})
      throw thrown
    }
  }

  /** `OWNER.N`: a name that no other holder has while this one lives. */
  async holder(): Promise<string> {
    await this.#write()
    return this.#own!.slice(this.directory.length + 1)
  }

  async drop(names: readonly string[]): Promise<void> {
    if (names.length === 0) return
    this.#count(names)
    await this.#write()
  }

  /** Drops everything and leaves no file. */
  async close(): Promise<void> {
    this.#held.clear()
    await this.#writing
    const own = this.#own
    this.#own = undefined
    if (own !== undefined) await doing('Giving up the leases failed', this.files.remove(own))
  }

  /** Runs `remove` while no holder can take a lease unnoticed, with what is held. Keep it short: others wait. */
  async collecting<T>(remove: (held: ReadonlySet<string>) => Promise<T>): Promise<T> {
    const mark = await this.#createOwn('collecting.')
    try {
      return await remove(await this.#readAll())
    } finally {
      await this.files.remove(mark)
    }
  }

  /** Removes the files of processes that have ended. */
  async forgetTheDead(): Promise<void> {
    for (const name of await this.#list()) {
      const owner = /^(?:collecting\.)?([0-9a-z-]+)\.[0-9]+$/.exec(name)?.[1]
      if (owner === undefined || (await this.owners.alive(owner))) continue
      await doing(
        'Removing the leases of a dead process failed',
        this.files.remove(`${this.directory}/${name}`),
      )
    }
  }

  #count(names: readonly string[]): void {
    for (const name of names) {
      const left = (this.#held.get(name) ?? 0) - 1
      if (left > 0) this.#held.set(name, left)
      else this.#held.delete(name)
    }
  }

  /** One write at a time, and each writes what is held when its turn comes: the last one is right. */
  #write(): Promise<void> {
    const write = this.#writing.then(() => this.#writeNow())
    this.#writing = write.catch(() => {})
    return write
  }

  async #writeNow(): Promise<void> {
    this.#own ??= await this.#createOwn('')
    const text = `${[FORMAT, ...[...this.#held.keys()].sort()].join('\n')}\n`
    for (;;) {
      const temporary = `${this.temporary}/${this.owners.self}.${this.#next++}`
      try {
        const output = await this.files.create(temporary)
        try {
          await writing(this.#own, output.write(Buffer.from(text), 0))
          await output.close()
          // Never synced: after a crash of the machine nobody holds anything.
          await writing(this.#own, this.files.rename(temporary, this.#own))
        } catch (thrown) {
          await output.close().finally(() => this.files.remove(temporary))
          throw thrown
        }
        return
      } catch (thrown) {
        if (errorCode(thrown) !== 'EEXIST') throw thrown
      }
    }
  }

  /** An empty file whose name nobody else has. */
  async #createOwn(prefix: string): Promise<string> {
    for (let number = 0; ; number++) {
      const path = `${this.directory}/${prefix}${this.owners.self}.${number}`
      try {
        const output = await this.files.create(path)
        await output.close()
        return path
      } catch (thrown) {
        if (errorCode(thrown) !== 'EEXIST') await writing(path, Promise.reject(thrown))
      }
    }
  }

  async #untilNobodyCollects(signal: AbortSignal): Promise<void> {
    while (await this.#somebodyCollects()) {
      throwIfAborted(signal)
      await pause(this.clock, LOOK_AGAIN_MS, signal)
    }
  }

  async #somebodyCollects(): Promise<boolean> {
    for (const name of await this.#list()) {
      const owner = /^collecting\.([0-9a-z-]+)\.[0-9]+$/.exec(name)?.[1]
      if (owner !== undefined && (await this.owners.alive(owner))) return true
    }
    return false
  }

  async #readAll(): Promise<ReadonlySet<string>> {
    const held = new Set<string>()
    for (const name of await this.#list()) {
      const owner = /^([0-9a-z-]+)\.[0-9]+$/.exec(name)?.[1]
      if (owner === undefined || !(await this.owners.alive(owner))) continue
      const file = `${this.directory}/${name}`
      const bytes = await doing(`Reading ${quote(file)} failed`, this.files.read(file, MAX_LEASE_BYTES))
      const [format, ...lines] = Buffer.from(bytes ?? [])
        .toString('utf8')
        .trimEnd()
        .split('\n')
      // An empty file belongs to one that is about to write it, and will then look for us.
      if (format === '' || bytes === undefined) continue
      if (format !== FORMAT) failUnreadable(file)
      for (const line of lines) held.add(line)
    }
    return held
  }

  #list(): Promise<readonly string[]> {
    return doing('Listing the leases failed', this.files.list(this.directory))
  }
}

/** To guess what a living process holds would be to remove it. */
function failUnreadable(file: string): never {
  return fail({
    kind: 'system',
    message: `${quote(file)} does not list leases in a form that is known here; a newer program uses this cache. Collect with that program, or when it has ended.`,
  })
}
