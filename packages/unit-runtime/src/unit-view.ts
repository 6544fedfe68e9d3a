import { err, ok, type Result } from 'neverthrow'
import type { HostDirectory } from './host-directory.js'
import type { ViewFailure, ViewPower, ViewServer } from './powers.js'
import type { Wait } from './wait.js'

/** What a view shows: the base name of a store path, and where its data lies on the host. */
export interface ViewEntry {
  readonly name: string
  readonly location: string
}

/** The live view of one unit: a server in a process of its own, and the directory of its sockets. */
export class UnitView implements AsyncDisposable {
  /** What it shows now, or may show, by name. */
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

  /** What it shows of these names, or may show. */
  shown(names: readonly string[]): readonly ViewEntry[] {
    return names.flatMap((name) => this.#shown.get(name) ?? [])
  }

  /** Shows all of them. After a failure some may be shown: hide them. */
  async show(entries: readonly ViewEntry[], wait: Wait): Promise<Result<void, ViewFailure>> {
    for (const entry of entries) {
      // From before it is asked: of a request that failed or was given up nobody knows what became.
      this.#shown.set(entry.name, entry)
      const granted = await this.server.grant(entry, { signal: wait.signal, deadlineMs: wait.leftMs() })
      if (granted.isErr()) return err(granted.error)
    }
    return ok(undefined)
  }

  /** Hides all of them. After a failure some may be hidden: show them again, or end the server. */
  async hide(entries: readonly ViewEntry[], wait: Wait): Promise<Result<void, ViewFailure>> {
    for (const { name } of entries) {
      const revoked = await this.server.revoke(name, { signal: wait.signal, deadlineMs: wait.leftMs() })
      // What was never shown need not be hidden.
      if (revoked.isErr() && revoked.error.kind !== 'not-granted') return err(revoked.error)
      this.#shown.delete(name)
    }
    return ok(undefined)
  }

  /**
   * Ends its server, and so the unit: for when nothing else keeps that from what it was not granted. Never rejects:
   * whoever disposes of the view hears what went wrong.
   */
  async endServer(): Promise<void> {
    await Promise.resolve(this.server[Symbol.asyncDispose]()).catch(() => {})
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]()
    await this.directory.remove(this.path)
  }
}
