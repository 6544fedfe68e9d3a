import { err, ok, type Result } from 'neverthrow'
import type { HostDirectory } from './host-directory.js'
import type { ViewFailure, ViewPower, ViewServer } from './powers.js'
import type { Wait } from './wait.js'

/** What a view shows: the base name of a store path, and where its data lies on the host. */
export interface ViewEntry {
  readonly name: string
  readonly location: string
}

const REVOKE_MS = 10_000

/** The live view of one unit: a server in a process of its own, and the directory of its sockets. */
export class UnitView implements AsyncDisposable {
  /** What it shows now, by name. */
  readonly #shown = new Map<string, ViewEntry>()

  private constructor(
    readonly server: ViewServer,
    private readonly directory: HostDirectory,
    private readonly path: string,
  ) {}

  static async open(
    open: ViewPower,
    directory: HostDirectory,
    wait: Wait,
  ): Promise<Result<UnitView, ViewFailure>> {
    const path = await directory.makeForUnit()
    const opened = await open({ directory: path, signal: wait.signal, deadlineMs: wait.leftMs() })
    if (opened.isOk()) return ok(new UnitView(opened.value, directory, path))
    await directory.remove(path).catch(() => {})
    return err(opened.error)
  }

  get tag(): string {
    return this.server.tag
  }

  get socket(): string {
    return this.server.socket
  }

  shows(name: string): boolean {
    return this.#shown.has(name)
  }

  /** All of them, or none. */
  async show(entries: readonly ViewEntry[], wait: Wait): Promise<Result<void, ViewFailure>> {
    const added: string[] = []
    for (const entry of entries) {
      if (this.shows(entry.name)) continue
      const granted = await this.server.grant(entry, { signal: wait.signal, deadlineMs: wait.leftMs() })
      if (granted.isErr()) {
        await this.#takeBack([...added, entry.name])
        return err(granted.error)
      }
      this.#shown.set(entry.name, entry)
      added.push(entry.name)
    }
    return ok(undefined)
  }

  /** All of them, or none. Names that it does not show are passed over. */
  async hide(names: readonly string[]): Promise<Result<readonly ViewEntry[], ViewFailure>> {
    const hidden: ViewEntry[] = []
    for (const name of names) {
      const entry = this.#shown.get(name)
      if (entry === undefined) continue
      const revoked = await this.server.revoke(name, { deadlineMs: REVOKE_MS })
      if (revoked.isErr()) {
        for (const back of hidden.toReversed()) await this.#giveBack(back)
        // It may have been done all the same.
        await this.#giveBack(entry)
        return err(revoked.error)
      }
      this.#shown.delete(name)
      hidden.push(entry)
    }
    return ok(hidden)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]()
    await this.directory.remove(this.path)
  }

  async #takeBack(names: readonly string[]): Promise<void> {
    for (const name of names.toReversed()) {
      await this.server.revoke(name, { deadlineMs: REVOKE_MS })
      this.#shown.delete(name)
    }
  }

  async #giveBack(entry: ViewEntry): Promise<void> {
    const granted = await this.server.grant(entry, { deadlineMs: REVOKE_MS })
    if (granted.isOk()) this.#shown.set(entry.name, entry)
  }
}
