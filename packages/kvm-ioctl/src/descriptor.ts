import { err, ok, type Result } from 'neverthrow'
import { type Architecture, type Tables, tablesOf } from './architecture.js'
import { failure, invalidArgument, type KvmError } from './errors.js'
import type { Structure } from './generated/layout.js'
import type { Handle, KvmCalls } from './kvm-calls.js'
import { bytesOf, FieldRangeError, makeStructure } from './structures/accessors.js'

/** What all objects of one program share: the way to the kernel, and what its tables say. */
export class Kernel {
  /** The way to the kernel. */
  readonly calls: KvmCalls
  /** Whose tables are used. */
  readonly architecture: Architecture
  /** Of that architecture. */
  readonly tables: Tables

  constructor(calls: KvmCalls, architecture: Architecture) {
    this.calls = calls
    this.architecture = architecture
    this.tables = tablesOf(architecture)
  }

  /** A structure made of what the caller gave, which may be anything. */
  make(argument: string, name: string, init: object, elements = 0): Result<object, KvmError> {
    const structure = this.tables.structures[name]
    if (!isObject(init)) {
      return err(invalidArgument(argument, `give an object with the fields of ${name}`))
    }
    if (structure === undefined) {
      return err(invalidArgument(argument, `${this.architecture} has no structure ${name}`))
    }
    return make(argument, structure, init, elements)
  }
}

export function make(
  argument: string,
  structure: Structure,
  init: object,
  elements = 0,
): Result<object, KvmError> {
  try {
    return ok(makeStructure(structure, init as never, elements))
  } catch (problem) {
    if (!(problem instanceof FieldRangeError)) throw problem
    return err(invalidArgument(argument, problem.message))
  }
}

export type Meanings = Readonly<Record<string, string>>

/** Whatever owns a descriptor's number: an `Fd` of unix-fd is one. The number is borrowed for one call. */
export interface Descriptor {
  /** Borrowed: it is the owner's to close. */
  readonly number: number
}

let live = 0

/** How many objects of this package hold something of the kernel's right now, in this thread. */
export function liveObjects(): number {
  return live
}

/**
 * The way from an object to its requests. Only this package has it: a request whose structure holds an address would
 * let the kernel write anywhere, so each is made by code that knows what the structure means.
 */
export class Access {
  readonly kernel: Kernel
  /** Of a closed object it names nothing. */
  readonly handle: Handle

  constructor(kernel: Kernel, handle: Handle) {
    this.kernel = kernel
    this.handle = handle
  }

  /** A native call's result as a Result. */
  answer(request: string, result: number, meanings?: Meanings): Result<number, KvmError> {
    return result >= 0 ? ok(result) : err(failure(this.kernel.calls, request, result, meanings))
  }

  /** A request that takes a number, or nothing. */
  number(request: string, argument: number | bigint = 0, meanings?: Meanings): Result<number, KvmError> {
    const number = this.kernel.tables.ioctls[request]
    if (number === undefined) return err(noSuchRequest(this.kernel, request))
    if (!isWord(argument)) return err(invalidArgument('argument', 'use a whole number of 0 to 2^64 - 1'))
    return this.answer(request, this.kernel.calls.ioctlNumber(this.handle, number, argument), meanings)
  }

  /** A request that takes bytes; `places` as in {@link KvmCalls.ioctlBytes}. */
  bytes(
    request: string,
    bytes: Uint8Array,
    meanings?: Meanings,
    ...places: (number | Uint8Array)[]
  ): Result<number, KvmError> {
    const number = this.kernel.tables.ioctls[request]
    if (number === undefined) return err(noSuchRequest(this.kernel, request))
    const result = this.kernel.calls.ioctlBytes(this.handle, number, bytes, ...places)
    return this.answer(request, result, meanings)
  }

  /** A request that takes a structure and may change it. */
  structure<T extends object>(request: string, value: T, meanings?: Meanings): Result<T, KvmError> {
    return this.bytes(request, bytesOf(value), meanings).map(() => value)
  }
}

/** Where an object keeps its {@link Access}. */
export const ACCESS = Symbol('access')

/** The owner of one descriptor of KVM, or of one piece of guest memory. It closes once. */
export abstract class KvmObject implements Disposable {
  /** @internal */
  readonly [ACCESS]: Access
  #closed = false

  constructor(kernel: Kernel, handle: Handle) {
    this[ACCESS] = new Access(kernel, handle)
    live += 1
  }

  /** Whether it was closed; everything else then answers `closed`. */
  get closed(): boolean {
    return this.#closed
  }

  /** The kernel's descriptor, borrowed until this closes: to pass on to another process, or to wait for. */
  get fd(): Result<number, KvmError> {
    const { kernel, handle } = this[ACCESS]
    return this[ACCESS].answer('fd', kernel.calls.descriptor(handle))
  }

  /** Closes it. Idempotent. What was made from it stays usable; the kernel lets go when all of that is closed. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    live -= 1
    this.onClose()
    this[ACCESS].kernel.calls.close(this[ACCESS].handle)
  }

  /** Closes it. What others still use lives on until they do not. */
  [Symbol.dispose](): void {
    this.close()
  }

  /** What has to be let go before the descriptor. */
  protected onClose(): void {}

  /**
   * A token for another JavaScript thread, which takes it with `adopt…` there: it can be posted. It keeps what it stands
   * for alive until a thread has taken it and closed it.
   */
  share(): Result<SharedObject, KvmError> {
    const { kernel, handle } = this[ACCESS]
    return this[ACCESS].answer('share', kernel.calls.share(handle)).map((shared) => ({ handle: shared }))
  }
}

/** See {@link KvmObject.share}. */
export interface SharedObject {
  /** A token of the native part: it can be posted, and means something in this process alone. */
  readonly handle: Handle
}

/** What refusals mean to who takes a shared object. */
export const ADOPTION_MEANINGS = { EBUSY: 'another thread has taken it already' } as const

export const isWord = (value: unknown): value is number | bigint =>
  typeof value === 'bigint'
    ? value >= 0n && value < 1n << 64n
    : Number.isSafeInteger(value) && (value as number) >= 0

/** A token that `share` or `kicker` gave; whether it still means something, the native part knows. */
export const isHandle = (value: unknown): value is Handle => isWhole(value, 2 ** 52 - 1)

/** What a caller without types may leave out: everything. */
export const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

/** A value for a message, whatever it is. */
export const shown = (value: unknown): string =>
  ['number', 'bigint', 'string'].includes(typeof value) ? String(value).slice(0, 64) : `a ${typeof value}`

/** A whole number of 0 to `most`: what every count, slot and index is. */
export const isWhole = (value: unknown, most = Number.MAX_SAFE_INTEGER): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most

function noSuchRequest(kernel: Kernel, request: string): KvmError {
  return invalidArgument('request', `${kernel.architecture} has no request ${request}`)
}
