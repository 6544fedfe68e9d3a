import { posix } from 'node:path'
import { codes } from './frames.js'

/** What a fake file system says, as the kernel numbers it. */
export const errnos = {
  ENOENT: 2,
  EBUSY: 16,
  ENOTDIR: 20,
  EXDEV: 18,
  EINVAL: 22,
  ENOSPC: 28,
  EROFS: 30,
  ELOOP: 40,
  EUCLEAN: 117,
} as const

/**
 * Errors that a fake unit's files can fail with, by Linux's names (errno(3)).
 *
 * @useDeclaredType
 */
export type FakeErrno = keyof typeof errnos

/** A volume of a fake unit. Give the same one to the next unit: what was written to it is there. */
export interface FakeVolume {
  /** Bytes that its files may have together. No bound by default. */
  readonly room?: number | undefined
  /** Paths below its root. Those that are put are added. */
  readonly files?: Map<string, Uint8Array> | undefined
  /** Holds no file system that can be mounted. */
  readonly damaged?: boolean | undefined
  /** What becomes of it at its unit's end in order: `busy` stays mounted, `hangs` never answers. It is unmounted by default. */
  readonly atEnd?: 'busy' | 'hangs' | undefined
}

/** What may be in a directory of a fake unit. */
export type FakeEntry =
  | {
      readonly kind: 'file'
      /** What is in it. */
      readonly bytes: Uint8Array
      /** Permission bits. */
      readonly mode: number
    }
  | { readonly kind: 'directory' }
  | {
      readonly kind: 'link'
      /** What the symbolic link says; it is not resolved. */
      readonly target: string
    }
  | { readonly kind: 'fifo' }

/** What is wrong with a path: the kernel's word, or one of the protocol's. */
export type FakeFileFailure = FakeErrno | 'directory' | 'not-regular'

interface Mounted {
  readonly volume: FakeVolume
  readonly readOnly: boolean
}

const writable = ['/tmp', '/run', '/home', '/dev/shm']
const maxLinks = 40

/** The files of a fake unit: a tree with links, with volumes mounted in it. */
export class FakeFiles {
  readonly #entries = new Map<string, FakeEntry>()
  readonly #mounted = new Map<string, Mounted>()

  constructor() {
    for (const path of ['/', '/dev', '/nix', '/nix/store', '/proc', '/sys', '/run/spectrum', ...writable]) {
      this.#makeParents(path)
      this.#entries.set(path, { kind: 'directory' })
    }
  }

  /** Undefined: it is mounted. */
  mount(path: string, volume: FakeVolume, readOnly: boolean): FakeErrno | undefined {
    if (this.#mounted.has(path) || [...this.#mounted.values()].some((each) => each.volume === volume))
      return 'EBUSY'
    if (volume.damaged === true) return 'EUCLEAN'
    for (let at = path; at !== '/'; at = posix.dirname(at)) {
      const entry = this.#entries.get(at)
      if (entry !== undefined && entry.kind !== 'directory') return 'ENOTDIR'
    }
    this.#makeParents(path)
    this.#entries.set(path, { kind: 'directory' })
    this.#mounted.set(path, { volume, readOnly })
    for (const [name, bytes] of volume.files ?? []) this.#add(posix.join(path, name), bytes, 0o644)
    return undefined
  }

  /** Returns how many there were, how many stay mounted, and how many of these never answer. */
  unmountAll(): { readonly count: number; readonly left: number; readonly hanging: number } {
    const count = this.#mounted.size
    const left = [...this.#mounted.values()].filter(({ volume }) => volume.atEnd !== undefined)
    this.#mounted.clear()
    const hanging = left.filter(({ volume }) => volume.atEnd === 'hangs').length
    return { count, left: left.length, hanging }
  }

  /** The regular file at this place. */
  find(below: string, path: string): Extract<FakeEntry, { kind: 'file' }> | FakeFileFailure {
    const at = this.#resolve(below, path, true)
    if (!at.startsWith('/')) return at as FakeErrno
    const entry = this.#entries.get(at)
    if (entry === undefined) return 'ENOENT'
    return entry.kind === 'file' ? entry : entry.kind === 'directory' ? 'directory' : 'not-regular'
  }

  /** Puts a file in this place, over a file or a link. Undefined: it is there. */
  put(below: string, path: string, bytes: Uint8Array, mode: number): FakeFileFailure | undefined {
    const at = this.placeFor(below, path, bytes.length)
    if (!at.startsWith('/')) return at as FakeFileFailure
    this.#add(at, bytes, mode)
    const mount = this.#mountOf(at)
    if (mount !== undefined) this.#mounted.get(mount)!.volume.files?.set(posix.relative(mount, at), bytes)
    return undefined
  }

  /** Where a file of this size would go, or why it cannot. */
  placeFor(below: string, path: string, size: number): string {
    const name = posix.basename(path)
    if (path.endsWith('/') || name === '.' || name === '..') return 'directory'
    const parent = this.#resolve(below, posix.dirname(path), true)
    if (!parent.startsWith('/')) return parent
    const above = this.#entries.get(parent)
    if (above?.kind !== 'directory') return above === undefined ? 'ENOENT' : 'ENOTDIR'
    const at = posix.join(parent, name)
    const there = this.#entries.get(at)?.kind
    if (there === 'directory') return 'directory'
    if (there === 'fifo') return 'not-regular'
    const mount = this.#mountOf(at)
    if (mount === undefined) return writable.some((path) => isBelow(at, path)) ? at : 'EROFS'
    const { volume, readOnly } = this.#mounted.get(mount)!
    if (readOnly) return 'EROFS'
    const used = this.list(mount, true).reduce((sum, each) => sum + this.#sizeOf(each), 0)
    return used - this.#sizeOf(at) + size > (volume.room ?? Number.POSITIVE_INFINITY) ? 'ENOSPC' : at
  }

  /** What a program makes there. */
  make(path: string, entry: FakeEntry): void {
    this.#makeParents(path)
    this.#entries.set(path, entry)
  }

  /** Absolute paths of what is in a directory, sorted. */
  list(directory: string, deep = false): string[] {
    return [...this.#entries.keys()]
      .filter((path) => isBelow(path, directory) && (deep || posix.dirname(path) === directory))
      .sort()
  }

  /** Whether there is a directory at this path. */
  isDirectory(path: string): boolean {
    return this.#entries.get(path)?.kind === 'directory'
  }

  #add(path: string, bytes: Uint8Array, mode: number): void {
    this.#makeParents(path)
    this.#entries.set(path, { kind: 'file', bytes, mode })
  }

  #makeParents(path: string): void {
    for (let at = posix.dirname(path); !this.#entries.has(at); at = posix.dirname(at)) {
      this.#entries.set(at, { kind: 'directory' })
    }
  }

  #sizeOf(path: string): number {
    const entry = this.#entries.get(path)
    return entry?.kind === 'file' ? entry.bytes.length : 0
  }

  #mountOf(path: string): string | undefined {
    return [...this.#mounted.keys()]
      .filter((mount) => isBelow(path, mount))
      .sort((a, b) => b.length - a.length)[0]
  }

  /** The absolute path without links, or an errno. Links lead nowhere outside, as openat2's RESOLVE_BENEATH has it. */
  #resolve(below: string, path: string, follow: boolean): string {
    const base = below === '/' ? '/' : this.#resolve('/', below.slice(1), true)
    if (!base.startsWith('/')) return base
    let parts = path.split('/')
    let at = base
    for (let links = 0; parts.length > 0; ) {
      const [part = '', ...rest] = parts
      parts = rest
      if (part === '' || part === '.') continue
      if (part === '..') {
        if (at === base && base !== '/') return 'EXDEV'
        at = posix.dirname(at)
        continue
      }
      const next = posix.join(at, part)
      const entry = this.#entries.get(next)
      if (entry?.kind === 'link' && (follow || rest.length > 0)) {
        if (++links > maxLinks) return 'ELOOP'
        if (entry.target.startsWith('/') && base !== '/') return 'EXDEV'
        parts = [...entry.target.split('/'), ...rest]
        if (entry.target.startsWith('/')) at = base
      } else {
        if (entry?.kind === 'file' && rest.length > 0) return 'ENOTDIR'
        at = next
      }
    }
    return at
  }
}

const isBelow = (path: string, directory: string): boolean =>
  path !== directory && path.startsWith(directory === '/' ? '/' : `${directory}/`)

/** A failure in the terms of the protocol. */
export function statusOf(failure: FakeFileFailure): { readonly status: number; readonly errno: number } {
  if (failure === 'directory' || failure === 'not-regular') return { status: codes.file[failure], errno: 0 }
  return { status: codes.file.failed, errno: errnos[failure] }
}
