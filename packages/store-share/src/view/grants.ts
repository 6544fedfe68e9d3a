import {
  type Fd,
  STAT_DEVICE,
  STAT_INODE,
  STAT_MODE,
  STAT_MOUNT,
  STAT_SIZE,
  STAT_WORDS,
  type UnixFd,
} from '@spectrum/unix-fd'
import { err, ok, type Result } from 'neverthrow'
import type { ByteString } from '../powers.js'
import { DT_DIRECTORY, DT_FILE, DT_SYMLINK } from './fuse/protocol.js'

/** One path that the guest may see, by the descriptor that gives it. */
export interface Grant {
  readonly name: ByteString
  /** A directory; or a regular file open for reading; or a symbolic link as itself. */
  readonly fd: Fd
  /** In which order they were granted: where the name stands in the listing of the root. */
  readonly sequence: number
  readonly kind: number
  readonly executable: boolean
  readonly size: number
  /** The mount it is on: nothing on another one is shown. */
  readonly mountLow: number
  readonly mountHigh: number
  readonly deviceLow: number
  readonly deviceHigh: number
  readonly inodeLow: number
  readonly inodeHigh: number
  /** From then on every node below it is stale. */
  revoked: boolean
}

/** Why a path was not granted, or not revoked. */
export type GrantProblem =
  | { readonly kind: 'invalid-name'; readonly message: string }
  | { readonly kind: 'already-granted'; readonly message: string }
  | { readonly kind: 'unsupported-file'; readonly message: string }
  | { readonly kind: 'too-many-grants'; readonly message: string }
  | { readonly kind: 'not-granted'; readonly message: string }

export const LONGEST_NAME = 255

/** Whether a byte string can be one entry of a directory. */
export function isName(name: ByteString): boolean {
  return name.length <= LONGEST_NAME && name !== '.' && name !== '..' && /^[^\0/\u0100-\uffff]+$/.test(name)
}

/** Exactly what the guest may see. */
export class Grants implements Disposable {
  readonly #descriptors: UnixFd
  readonly #maxGrants: number
  readonly #byName = new Map<ByteString, Grant>()
  #sequence = 0

  constructor(descriptors: UnixFd, maxGrants: number) {
    this.#descriptors = descriptors
    this.#maxGrants = maxGrants
  }

  get count(): number {
    return this.#byName.size
  }

  find(name: ByteString): Grant | undefined {
    return this.#byName.get(name)
  }

  /** Those granted after `sequence`, in order. */
  *after(sequence: number): Generator<Grant> {
    // A map keeps the order of insertion, and a name that is granted anew is a new insertion.
    for (const grant of this.#byName.values()) if (grant.sequence > sequence) yield grant
  }

  /**
   * Takes over `fd` when it succeeds. The same file under the same name again is no news: it succeeds, and the
   * descriptor is closed.
   */
  add(name: ByteString, fd: Fd): Result<void, GrantProblem> {
    if (!isName(name)) {
      const message = 'grant a single name of 1 to 255 bytes, without a slash, and neither . nor ..'
      return err({ kind: 'invalid-name', message })
    }
    const grant = this.#inspect(name, fd)
    if (grant.isErr()) return err(grant.error)
    const before = this.#byName.get(name)
    if (before !== undefined) {
      if (!sameFile(before, grant.value)) {
        const message = 'another file is granted under this name: revoke it first'
        return err({ kind: 'already-granted', message })
      }
      fd.close()
      return ok()
    }
    if (this.#byName.size >= this.#maxGrants) {
      const message = `${this.#maxGrants} paths are granted already: revoke some, or raise maxGrants`
      return err({ kind: 'too-many-grants', message })
    }
    this.#sequence += 1
    this.#byName.set(name, grant.value)
    return ok()
  }

  /** Takes a grant out. Its descriptor stays open until the caller has let go of what is below it. */
  remove(name: ByteString): Result<Grant, GrantProblem> {
    const grant = this.#byName.get(name)
    if (grant === undefined)
      return err({ kind: 'not-granted', message: 'nothing is granted under this name' })
    this.#byName.delete(name)
    grant.revoked = true
    return ok(grant)
  }

  [Symbol.dispose](): void {
    for (const grant of this.#byName.values()) {
      grant.revoked = true
      grant.fd.close()
    }
    this.#byName.clear()
  }

  #inspect(name: ByteString, fd: Fd): Result<Grant, GrantProblem> {
    const refuse = (message: string) => err<Grant, GrantProblem>({ kind: 'unsupported-file', message })
    const stat = new Int32Array(STAT_WORDS)
    if (this.#descriptors.tree.stat(fd, '', stat) < 0) return refuse('the descriptor cannot be looked at')
    const mode = stat[STAT_MODE]!
    const kind = (mode >>> 12) & 15
    if (kind !== DT_DIRECTORY && kind !== DT_FILE && kind !== DT_SYMLINK) {
      return refuse('grant a directory, a regular file or a symbolic link; a store path is nothing else')
    }
    const { access } = this.#descriptors.inspect(fd).unwrapOr({ access: 'write' as const })
    if (access === 'write' || access === 'read-write') return refuse('a descriptor that could write')
    if (kind === DT_FILE && access !== 'read') return refuse('open a regular file for reading')
    return ok({
      name,
      fd,
      sequence: this.#sequence + 1,
      kind,
      executable: (mode & 0o100) !== 0,
      size: (stat[STAT_SIZE + 1]! >>> 0) * 2 ** 32 + (stat[STAT_SIZE]! >>> 0),
      mountLow: stat[STAT_MOUNT]!,
      mountHigh: stat[STAT_MOUNT + 1]!,
      deviceLow: stat[STAT_DEVICE]!,
      deviceHigh: stat[STAT_DEVICE + 1]!,
      inodeLow: stat[STAT_INODE]!,
      inodeHigh: stat[STAT_INODE + 1]!,
      revoked: false,
    })
  }
}

function sameFile(a: Grant, b: Grant): boolean {
  return (
    a.deviceLow === b.deviceLow &&
    a.deviceHigh === b.deviceHigh &&
    a.inodeLow === b.inodeLow &&
    a.inodeHigh === b.inodeHigh
  )
}
