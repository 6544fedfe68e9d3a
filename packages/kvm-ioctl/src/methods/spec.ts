import { err, ok, type Result } from 'neverthrow'
import type { Architecture, LayoutOf } from '../architecture.js'
import { ACCESS, type Access, isWord, type KvmObject, type Meanings } from '../descriptor.js'
import { invalidArgument, type KvmError } from '../errors.js'
import { bytesOf, overBytes } from '../structures/accessors.js'
import type { StructureInit, StructureValue } from '../structures/values.js'

/**
 * A method in one line: which request it makes, and what that takes and gives. The method's type and its body both
 * come of it, so neither can say anything else.
 */
export interface Spec<
  Kind extends string = string,
  Name extends string = string,
  Member extends string = string,
> {
  readonly kind: Kind
  readonly request: string
  /** The structure, when there is one. */
  readonly name?: Name
  /** The member that holds a list, and the one that counts it. */
  readonly member?: Member
  readonly count?: string
  /** The largest number that a `tell` takes. */
  readonly most?: number
  /** A list of which some kernels do not say how long it is: the member of an element that is never all ones. */
  readonly mark?: string
  readonly meanings: Meanings
}

/** Takes nothing, gives nothing. */
export const command = (request: string, meanings: Meanings = {}): Spec<'command'> => ({
  kind: 'command',
  request,
  meanings,
})
/** Takes nothing, gives a number. */
export const ask = (request: string, meanings: Meanings = {}): Spec<'ask'> => ({
  kind: 'ask',
  request,
  meanings,
})
/** Takes a number, gives nothing. */
export const tell = (request: string, meanings: Meanings = {}): Spec<'tell'> => ({
  kind: 'tell',
  request,
  meanings,
})
/**
 * Takes a number that another request gives back, gives nothing. The kernel takes larger ones, but gives them back as
 * an int, and so as errors.
 */
export const tellInt = (request: string, meanings: Meanings = {}): Spec<'tell'> => ({
  kind: 'tell',
  request,
  most: 2 ** 31 - 1,
  meanings,
})
/** Takes a structure, gives nothing. */
export const set = <N extends string>(request: string, name: N, meanings: Meanings = {}): Spec<'set', N> => ({
  kind: 'set',
  request,
  name,
  meanings,
})
/** Takes a structure, gives a number. */
export const submit = <N extends string>(
  request: string,
  name: N,
  meanings: Meanings = {},
): Spec<'submit', N> => ({ kind: 'submit', request, name, meanings })
/** Takes nothing, gives a structure. */
export const get = <N extends string>(request: string, name: N, meanings: Meanings = {}): Spec<'get', N> => ({
  kind: 'get',
  request,
  name,
  meanings,
})
/** Takes a structure and gives it back filled in. */
export const exchange = <N extends string>(
  request: string,
  name: N,
  meanings: Meanings = {},
): Spec<'exchange', N> => ({ kind: 'exchange', request, name, meanings })
/** Takes the address of a number of so many bytes. */
export const setWord = (request: string, meanings: Meanings = {}): Spec<'set-word'> => ({
  kind: 'set-word',
  request,
  meanings,
})
/** Gives a number that the kernel writes where it is pointed to. */
export const getWord = (request: string, meanings: Meanings = {}): Spec<'get-word'> => ({
  kind: 'get-word',
  request,
  meanings,
})
/** Gives a list of as many elements as there are. */
export const getList = <N extends string, M extends string>(
  request: string,
  name: N,
  count: string,
  member: M,
  meanings: Meanings = {},
): Spec<'get-list', N, M> => ({ kind: 'get-list', request, name, count, member, meanings })
/** The same of a kernel that does not always count: `mark` names a 32-bit member that is all ones in no element. */
export const getUncountedList = <N extends string, M extends string>(
  request: string,
  name: N,
  count: string,
  member: M,
  mark: string,
): Spec<'get-list', N, M> => ({ ...getList(request, name, count, member), mark })
/** Takes a list. */
export const setList = <N extends string, M extends string>(
  request: string,
  name: N,
  count: string,
  member: M,
  meanings: Meanings = {},
): Spec<'set-list', N, M> => ({ kind: 'set-list', request, name, count, member, meanings })

/** What a request takes that is given a list: elements of the kernel's structure, or their numbers. */
export type ListInit<A extends Architecture, N extends string, M extends string> =
  StructureInit<LayoutOf<A, N>> extends infer I ? (M extends keyof I ? NonNullable<I[M]> : never) : never
/** The list that a request gives: elements of the kernel's structure over its bytes, or their numbers. */
export type ListValue<A extends Architecture, N extends string, M extends string> =
  StructureValue<LayoutOf<A, N>> extends infer V ? (M extends keyof V ? V[M] : never) : never

/** The method that a {@link Spec} stands for. */
export type MethodOf<S, A extends Architecture> =
  S extends Spec<infer Kind, infer N, infer M>
    ? {
        command: () => Result<void, KvmError>
        ask: () => Result<number, KvmError>
        tell: (value: number | bigint) => Result<void, KvmError>
        set: (value: StructureInit<LayoutOf<A, N>> | StructureValue<LayoutOf<A, N>>) => Result<void, KvmError>
        submit: (
          value: StructureInit<LayoutOf<A, N>> | StructureValue<LayoutOf<A, N>>,
        ) => Result<number, KvmError>
        get: () => Result<StructureValue<LayoutOf<A, N>>, KvmError>
        exchange: (
          value: StructureInit<LayoutOf<A, N>> | StructureValue<LayoutOf<A, N>>,
        ) => Result<StructureValue<LayoutOf<A, N>>, KvmError>
        'set-word': (value: number | bigint) => Result<void, KvmError>
        'get-word': () => Result<bigint, KvmError>
        'get-list': () => Result<ListValue<A, N, M>, KvmError>
        'set-list': (elements: ListInit<A, N, M>) => Result<void, KvmError>
      }[Kind & MethodKind]
    : never

type MethodKind =
  | 'command'
  | 'ask'
  | 'tell'
  | 'set'
  | 'submit'
  | 'get'
  | 'exchange'
  | 'set-word'
  | 'get-word'
  | 'get-list'
  | 'set-list'

/** The methods of a table of specs. Comments on the table's lines are the methods' own. */
export type MethodsOf<T, A extends Architecture> = { readonly [K in keyof T]: MethodOf<T[K], A> }

const WORD_BYTES = 8
/** Where lists begin to be asked for, and where asking ends: more than any kernel gives. */
const FEW_ELEMENTS = 64
const MOST_ELEMENTS = 65_536
const UNTOUCHED = 0xffff_ffff

type Method = (object: Access, argument: never) => Result<unknown, KvmError>

export function methodOf(spec: Spec): Method {
  const { request, meanings } = spec
  const name = spec.name ?? ''
  const made = (object: Access, init: object) => object.kernel.make('value', name, init)
  const methods: Record<MethodKind, Method> = {
    command(object) {
      return object.number(request, 0, meanings).map(() => undefined)
    },
    ask(object) {
      return object.number(request, 0, meanings)
    },
    tell(object, value: number | bigint) {
      const { most } = spec
      if (most !== undefined && isWord(value) && value > most)
        return err(invalidArgument('value', `use a whole number of 0 to ${most}`))
      return object.number(request, value, meanings).map(() => undefined)
    },
    set(object, value: object) {
      return made(object, value)
        .andThen((structure) => object.structure(request, structure, meanings))
        .map(() => undefined)
    },
    submit(object, value: object) {
      return made(object, value).andThen((structure) => object.bytes(request, bytesOf(structure), meanings))
    },
    get(object) {
      return made(object, {}).andThen((structure) => object.structure(request, structure, meanings))
    },
    exchange(object, value: object) {
      return made(object, value).andThen((structure) => object.structure(request, structure, meanings))
    },
    'set-word'(object, value: number | bigint) {
      if (!isWord(value)) return err(invalidArgument('value', 'use a whole number of 0 to 2^64 - 1'))
      const word = new Uint8Array(BigUint64Array.of(BigInt(value)).buffer)
      return object.bytes(request, word, meanings).map(() => undefined)
    },
    'get-word'(object) {
      const word = new BigUint64Array(WORD_BYTES / BigUint64Array.BYTES_PER_ELEMENT)
      return object.bytes(request, new Uint8Array(word.buffer), meanings).map(() => word[0]!)
    },
    'get-list'(object) {
      return readList(object, spec)
    },
    'set-list'(object, elements: ArrayLike<unknown>) {
      return writeList(object, spec, elements).map(() => undefined)
    },
  }
  return methods[spec.kind as MethodKind]
}

type Counted = Record<string, unknown>

/** The kernel answers E2BIG while there is too little room; some say how much there has to be, some do not. */
function readList(object: Access, spec: Spec): Result<unknown, KvmError> {
  const { name = '', count = '', member = '' } = spec
  for (let room = FEW_ELEMENTS; ; room *= 2) {
    const marked = spec.mark && {
      [member]: Array.from({ length: room }, () => ({ [spec.mark!]: UNTOUCHED })),
    }
    const made = object.kernel.make('value', name, { [count]: room, ...marked }, room)
    if (made.isErr()) return err(made.error)
    const list = made.value as Counted
    const result = object.structure(spec.request, list, spec.meanings)
    if (result.isOk()) {
      const structure = object.kernel.tables.structures[name]!
      const size = (bytesOf(list).length - structure.size) / room
      let used = Math.min(Number(list[count]), room)
      const elements = list[member] as ArrayLike<Counted>
      while (spec.mark && used > 0 && elements[used - 1]?.[spec.mark] === UNTOUCHED) used -= 1
      const exact = overBytes(structure, bytesOf(list).subarray(0, structure.size + used * size))
      return ok((exact as unknown as Counted)[member])
    }
    const more = result.error.kind === 'refused' && result.error.errno === 'E2BIG'
    if (!more || room >= MOST_ELEMENTS) return err(result.error)
  }
}

/** Makes `struct NAME` with a list behind it and gives it to the kernel. */
export function writeList(
  object: Access,
  spec: Spec,
  elements: ArrayLike<unknown>,
): Result<object, KvmError> {
  const { name = '', count = '', member = '' } = spec
  const length = elements?.length
  if (!Number.isSafeInteger(length) || length < 0 || length > MOST_ELEMENTS) {
    return err(invalidArgument(member, `give a list of at most ${MOST_ELEMENTS}`))
  }
  return object.kernel
    .make('elements', name, { [count]: length, [member]: elements }, length)
    .andThen((list) => object.structure(spec.request, list, spec.meanings))
}

/** Gives the objects of a class the methods of a table, under their names. */
export function addMethods(prototype: object, table: Readonly<Record<string, Spec>>): void {
  for (const [name, spec] of Object.entries(table)) {
    const method = methodOf(spec)
    Object.defineProperty(prototype, name, {
      value(this: KvmObject, argument: never) {
        return method(this[ACCESS], argument)
      },
      configurable: true,
      writable: true,
    })
  }
}
