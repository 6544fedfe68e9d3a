import { err, ok, type Result } from 'neverthrow'
import {
  ACCESS,
  ADOPTION_MEANINGS,
  type Descriptor,
  isHandle,
  isWhole,
  type Kernel,
  KvmObject,
  type SharedObject,
  shown,
} from '../descriptor.js'
import { closedError, failure, invalidArgument, type KvmError, refused } from '../errors.js'

/** The longest that every supported Node can hold in one ArrayBuffer, in bytes. Larger guests get several. */
const MOST_BYTES = 2 ** 32 - 1

/**
 * Where memory comes from. `anonymous`: zeroed pages of their own. `memfd`: the same with a descriptor, which other
 * processes can map (vhost-user). `file`: a part of a file or memfd of the caller's.
 */
export type Backing =
  | {
      readonly kind: 'anonymous'
      /** Out of the machine's huge pages (MAP_HUGETLB, MFD_HUGETLB). Default false. */
      readonly hugePages?: boolean
    }
  | {
      readonly kind: 'memfd'
      /** Out of the machine's huge pages (MAP_HUGETLB, MFD_HUGETLB). Default false. */
      readonly hugePages?: boolean
    }
  | {
      readonly kind: 'file'
      /** Its owner may close it: the mapping stays. */
      readonly fd: Descriptor
      /** Bytes, a multiple of the page size. Default 0. */
      readonly offset?: number
      /**
       * `private` (the default): what is written changes a copy of the page and never the file. `write`: the file itself.
       * `read`: the file itself, for a read-only slot; JavaScript has no read-only memory, so it gets no view.
       */
      readonly access?: 'private' | 'write' | 'read'
      /**
       * Whoever truncates a mapped file kills every program that reads there (SIGBUS). So a file has to be sealed
       * against shrinking, or the caller vouches, with `true`, that nobody will truncate it.
       */
      readonly unsealed?: boolean
    }

const MODES = { private: 0, write: 1, read: 2 } as const

const MEMORY_MEANINGS = {
  EPERM:
    'the file could be truncated while it is mapped, which would kill this program: seal it with `shrink`, or vouch for it with `unsealed: true`',
  ENXIO: 'the file ends before that',
  ENOMEM: 'no room for it in this program or on this machine (huge pages have to be reserved first)',
  EACCES: 'the file was not opened for that',
} as const

/**
 * Memory that a guest can have, and that JavaScript sees as an ArrayBuffer without a copy. It is unmapped when nothing
 * can reach it any more: this object closed, every thread that shares it, and every machine that has it in a slot.
 */
export class GuestMemory extends KvmObject {
  /** Bytes. */
  readonly length: number
  /** Where its pages come from. */
  readonly backing: Backing['kind']
  #buffer: ArrayBuffer | undefined
  readonly #visible: boolean

  constructor(kernel: Kernel, handle: number, length: number, backing: Backing['kind'], visible: boolean) {
    super(kernel, handle)
    this.length = length
    this.backing = backing
    this.#visible = visible
  }

  /**
   * The memory itself, borrowed until this closes: a view that was kept is empty then. The guest may change it at any time,
   * between two reads of the same byte, too: copy what has to be parsed.
   */
  get bytes(): Result<Uint8Array, KvmError> {
    if (this.closed) return err(closedError())
    if (!this.#visible) {
      return err(invalidArgument('access', "memory mapped with access 'read' has no view in JavaScript"))
    }
    if (this.#buffer === undefined) {
      const buffer = this[ACCESS].kernel.calls.bytesOf(this[ACCESS].handle)
      if (typeof buffer === 'number')
        return this[ACCESS].answer('mmap', buffer, MEMORY_MEANINGS).map(() => new Uint8Array())
      this.#buffer = buffer
    }
    return ok(new Uint8Array(this.#buffer))
  }

  /** Writes at an offset. */
  write(offset: number, bytes: Uint8Array): Result<void, KvmError> {
    if (!(bytes instanceof Uint8Array)) return err(invalidArgument('bytes', 'give a Uint8Array'))
    return this.bytes.andThen((all) => {
      if (!isWhole(offset) || offset + bytes.length > all.length)
        return err(outside(offset, bytes.length, this.length))
      all.set(bytes, offset)
      return ok()
    })
  }

  /** A copy that the guest cannot change behind the reader's back. */
  read(offset: number, length: number): Result<Uint8Array, KvmError> {
    return this.bytes.andThen((all) => {
      if (!isWhole(offset) || !isWhole(length) || offset + length > all.length)
        return err(outside(offset, length, this.length))
      return ok(all.slice(offset, offset + length))
    })
  }

  override share(): Result<SharedMemory, KvmError> {
    return super.share().map(({ handle }) => ({
      handle,
      length: this.length,
      backing: this.backing,
      visible: this.#visible,
    }))
  }

  protected override onClose(): void {
    // A buffer whose memory was transferred elsewhere is unmapped when that is gone.
    if (this.#buffer !== undefined) this[ACCESS].kernel.calls.forget(this.#buffer)
    this.#buffer = undefined
  }
}

/** Guest memory on its way to another JavaScript thread, which takes it there. */
export interface SharedMemory extends SharedObject {
  /** Bytes. */
  readonly length: number
  /** Where its pages come from. */
  readonly backing: Backing['kind']
  /** Whether JavaScript may look at it. */
  readonly visible: boolean
}

function outside(offset: number, length: number, end: number): KvmError {
  return invalidArgument(
    'offset',
    `${shown(length)} bytes at ${shown(offset)} are not within the ${end} of this memory`,
  )
}

export function createMemory(
  kernel: Kernel,
  length: number,
  backing: Backing,
): Result<GuestMemory, KvmError> {
  const { calls } = kernel
  const { pageSize } = calls
  if (!isWhole(length, MOST_BYTES) || length === 0 || length % pageSize !== 0) {
    const most = MOST_BYTES - (MOST_BYTES % pageSize)
    return err(invalidArgument('length', `use a multiple of the page size, ${pageSize}, of at most ${most}`))
  }
  let handle: number
  let visible = true
  switch (backing?.kind) {
    case 'anonymous':
      handle = calls.anonymousMemory(length, backing.hugePages ? 1 : 0)
      break
    case 'memfd':
      handle = calls.memfdMemory(length, backing.hugePages ? 1 : 0)
      break
    case 'file': {
      const { fd, offset = 0, access = 'private', unsealed = false } = backing
      if (!isWhole(offset) || offset % pageSize !== 0) {
        return err(invalidArgument('offset', `begin at a multiple of the page size, ${pageSize}`))
      }
      if (!isWhole(fd?.number, 2 ** 31 - 1)) return err(invalidArgument('fd', 'give an open descriptor'))
      if (!(access in MODES)) return err(invalidArgument('access', "use 'private', 'write' or 'read'"))
      visible = access !== 'read'
      handle = calls.fileMemory(fd.number, offset, length, MODES[access], unsealed ? 1 : 0)
      break
    }
    default:
      return err(invalidArgument('backing', "use 'anonymous', 'memfd' or 'file'"))
  }
  if (handle < 0) return err(refused('mmap', handle, MEMORY_MEANINGS))
  return ok(new GuestMemory(kernel, handle, length, backing.kind, visible))
}

/** In the thread that takes it over. */
export function adoptMemory(kernel: Kernel, shared: SharedMemory): Result<GuestMemory, KvmError> {
  if (!isHandle(shared?.handle)) return err(invalidArgument('shared', 'give what share() gave'))
  const taken = kernel.calls.take(shared.handle)
  if (taken < 0) return err(failure(kernel.calls, 'adoptMemory', taken, ADOPTION_MEANINGS))
  return ok(new GuestMemory(kernel, shared.handle, shared.length, shared.backing, shared.visible))
}
