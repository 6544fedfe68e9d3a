import type { ResultAsync } from 'neverthrow'
import { toByteString } from '../byte-string.js'
import type { Closure, StoreOptions, StoreSource } from '../closure.js'
import type { StoreError } from '../errors.js'
import { asResult, doing, fail, throwIfAborted, withDeadline } from '../failure.js'
import type { Clock, TreeReader } from '../powers.js'
import { quote } from '../quote.js'
import { parseContentAddress } from './content-address.js'
import { found, malformedError } from './malformed.js'
import { parseNarHash } from './nar-hash.js'
import { type NixPathInfo, splitReferences } from './nix-path-info.js'
import { parseSignature, type Signature } from './signature.js'
import { parseStorePath } from './store-path.js'

/**
 * Asks an SQLite database, as a power. All statements are answered from one state of the database, whatever is
 * written meanwhile; nothing is ever written. Rejects when the database cannot be read.
 */
export interface DatabaseReader {
  /** For each statement its rows, of which each has one column of text. Rejects beyond `maxRows` in total. */
  query(request: {
    /** Absolute path of the database. */
    readonly file: string
    /** Each a query that changes nothing. */
    readonly statements: readonly string[]
    /** The most rows of all statements together. */
    readonly maxRows: number
    /** Gives it up. */
    readonly signal: AbortSignal
  }): Promise<readonly (readonly string[])[]>
}

/** What reading Nix's database needs of the world. */
export interface NixDatabasePowers {
  /** Deadlines in milliseconds. */
  readonly clock: Clock
  /** Reads the database. */
  readonly database: DatabaseReader
  /** Reads the file `schema` beside the database, which says of which form it is. */
  readonly tree: Pick<TreeReader, 'readStart'>
}

/** Which database of which store. */
export interface NixDatabaseOptions {
  /** A store whose `/nix/store` lies below this directory. Default: this machine's. */
  readonly root?: string | undefined
  /** Where Nix keeps its state, if not in `ROOT/nix/var/nix`. */
  readonly stateDir?: string | undefined
}

/** Nix's own database of valid paths. A source of closures that needs no Nix. */
export interface NixDatabase extends StoreSource {
  closure(
    roots: readonly string[],
    options?: StoreOptions,
  ): ResultAsync<Closure & { readonly paths: readonly NixPathInfo[] }, StoreError>
  /** Every valid path, sorted by path. */
  all(options?: StoreOptions): ResultAsync<readonly NixPathInfo[], StoreError>
}

const DEFAULT_DEADLINE_MS = 60_000
const SCHEMA = '10'
const MAX_ROWS = 20_000_000

/**
 * Reads `db.sqlite` (schema 10: Nix 2.0 and newer) through SQLite, so that what is still in the write-ahead log
 * counts and a running Nix is neither disturbed nor misread. Opening a database in WAL mode needs its `-shm` file
 * to be there or to be made: a user who may not write to the directory can read only while Nix uses it.
 *
 * Its operations fail with `not-a-store-path`, `missing-path`, `malformed`, `system`, `timed-out` and `aborted`.
 */
export function nixDatabase(powers: NixDatabasePowers, options: NixDatabaseOptions = {}): NixDatabase {
  const root = options.root?.replace(/\/+$/, '') ?? ''
  const directory = `${options.stateDir ?? `${root}/nix/var/nix`}/db`
  const read = <T>(
    { signal, deadlineMs = DEFAULT_DEADLINE_MS }: StoreOptions,
    body: (signal: AbortSignal) => Promise<T>,
  ) => asResult(() => withDeadline(powers.clock, 'Reading the Nix database', deadlineMs, signal, body))
  return {
    locate: (storePath) => `${root}${storePath}`,
    all: (storeOptions = {}) =>
      read(storeOptions, async (signal) => readPaths(powers, directory, undefined, signal)),
    closure: (requested, storeOptions = {}) =>
      read(storeOptions, async (signal) => {
        const roots = [...new Set(requested)].sort()
        for (const path of roots) {
          const parsed = parseStorePath(path)
          if (parsed.isErr()) fail(parsed.error)
        }
        const paths = roots.length === 0 ? [] : await readClosure(powers, directory, roots, signal)
        const known = new Set(paths.map(({ path }) => path))
        const missing = roots.find((path) => !known.has(path))
        if (missing !== undefined) {
          fail({
            kind: 'missing-path',
            path: missing,
            message: `${quote(missing)} is not valid in this store; build or copy it first (nix-build, nix copy).`,
          })
        }
        return { roots, paths }
      }),
  }
}

/** Statements are arguments of a command where Node has no SQLite, and an argument may have 128 KiB. */
const MAX_ROOTS_IN_STATEMENT = 200

async function readClosure(
  powers: NixDatabasePowers,
  directory: string,
  roots: readonly string[],
  signal: AbortSignal,
): Promise<readonly NixPathInfo[]> {
  if (roots.length <= MAX_ROOTS_IN_STATEMENT) return readPaths(powers, directory, roots, signal)
  const all = await readPaths(powers, directory, undefined, signal)
  const byPath = new Map(all.map((info) => [info.path, info]))
  const reached = new Set(roots)
  for (const path of reached) for (const next of byPath.get(path)?.references ?? []) reached.add(next)
  return all.filter(({ path }) => reached.has(path))
}

async function readPaths(
  { database, tree }: NixDatabasePowers,
  directory: string,
  roots: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<readonly NixPathInfo[]> {
  const file = `${directory}/db.sqlite`
  const schemaFile = toByteString(`${directory}/schema`)
  const start = new Uint8Array(16)
  const length = await doing(`Reading ${quote(directory)} failed`, tree.readStart(schemaFile, start))
  const schema = new TextDecoder().decode(start.subarray(0, length))
  if (schema.trim() !== SCHEMA) {
    failMalformed(
      `its schema is ${found(schema)}, and this reads ${SCHEMA}; let a newer Nix upgrade it, or use nixStore()`,
    )
  }
  const rows = await doing(
    `Reading ${quote(file)} failed`,
    database.query({ file, statements: statements(roots), maxRows: MAX_ROWS, signal }),
  )
  throwIfAborted(signal)
  return assemble(rows[0] ?? [], rows[1] ?? [])
}

/** Roots are store paths, whose characters need no quoting in SQL. */
function statements(roots: readonly string[] | undefined): readonly [string, string] {
  const list = roots?.map((path) => `'${path}'`).join(',')
  const closure =
    list === undefined
      ? ''
      : `WITH RECURSIVE closure(id) AS (SELECT id FROM ValidPaths WHERE path IN (${list})
         UNION SELECT reference FROM Refs JOIN closure ON Refs.referrer = closure.id) `
  const within = (column: string) =>
    list === undefined ? '' : ` WHERE ${column} IN (SELECT id FROM closure)`
  return [
    `${closure}SELECT json_array(id, path, hash, narSize, registrationTime, deriver, ultimate, sigs, ca)
       FROM ValidPaths${within('id')} ORDER BY path`,
    `${closure}SELECT json_array(referrer, reference) FROM Refs${within('referrer')}`,
  ]
}

function assemble(paths: readonly string[], references: readonly string[]): readonly NixPathInfo[] {
  const rows = paths.map((row) => JSON.parse(row) as unknown[])
  const byId = new Map(rows.map(([id, path]) => [id, readPath(path)]))
  const referencesOf = new Map<unknown, string[]>()
  for (const row of references) {
    const [referrer, reference] = JSON.parse(row) as unknown[]
    const path = byId.get(reference)
    if (path === undefined) failMalformed('a path refers to one that is not there')
    const known = referencesOf.get(referrer)
    if (known === undefined) referencesOf.set(referrer, [path])
    else known.push(path)
  }
  return rows.map((row) => readRow(row, byId.get(row[0])!, referencesOf.get(row[0]) ?? []))
}

function readRow(row: readonly unknown[], path: string, references: readonly string[]): NixPathInfo {
  const [, , hash, narSize, registrationTime, deriver, ultimate, sigs, ca] = row
  const narHash = typeof hash === 'string' ? parseNarHash(hash) : undefined
  if (narHash === undefined) failMalformed(`the hash of ${path} is no SHA-256`)
  if (typeof narSize !== 'number' || !Number.isSafeInteger(narSize) || narSize <= 0) {
    failMalformed(`the size of ${path} is not known`)
  }
  const contentAddress = isText(ca) ? parseContentAddress(ca) : undefined
  if (contentAddress?.isErr()) failMalformed(`${path}: ${contentAddress.error.reason}`)
  return {
    path,
    narHash,
    narSize,
    ...splitReferences(path, references),
    signatures: isText(sigs) ? sigs.split(' ').map((each) => readSignature(path, each)) : [],
    ...(isText(deriver) ? { deriver: readPath(deriver) } : {}),
    ...(contentAddress === undefined ? {} : { contentAddress: contentAddress._unsafeUnwrap() }),
    ...(ultimate === 1 ? { ultimate: true } : {}),
    ...(typeof registrationTime === 'number' ? { registrationTime } : {}),
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function readPath(path: unknown): string {
  const parsed = parseStorePath(typeof path === 'string' ? path : '')
  return parsed.isOk() ? parsed.value.path : failMalformed(parsed.error.message)
}

function readSignature(path: string, text: string): Signature {
  const parsed = parseSignature(text)
  return parsed.isOk() ? parsed.value : failMalformed(`${path}: ${parsed.error.reason}`)
}

function failMalformed(reason: string): never {
  return fail(malformedError('Nix database', reason))
}
