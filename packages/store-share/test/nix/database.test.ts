import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openDescriptors, openedSince } from '../../../unix-fd/test/held.js'
import { type DatabaseReader, nixDatabase } from '../../src/index.js'
import { queryByCommand, queryInProcess } from '../../src/linux/sqlite.js'
import { clock, treeReader } from '../../src/linux.js'
import { storePath } from '../memory-store.js'

// The tables of schema 10, as Nix makes them (libstore/schema.sql).
const SCHEMA = `
PRAGMA journal_mode = WAL;
CREATE TABLE ValidPaths (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, path TEXT UNIQUE NOT NULL,
  hash TEXT NOT NULL, registrationTime INTEGER NOT NULL, deriver TEXT, narSize INTEGER, ultimate INTEGER,
  sigs TEXT, ca TEXT);
CREATE TABLE Refs (referrer INTEGER NOT NULL, reference INTEGER NOT NULL, PRIMARY KEY (referrer, reference));
`
const [a, b, c] = ['1', '2', '3'].map((digit) => storePath(digit, `p${digit}`)) as [string, string, string]
const HASH = 'ab'.repeat(32)
const SIGNATURES = 'alpha-1:AAAA beta-1:BBBB'
const CA = `fixed:r:sha256:${'0'.repeat(52)}`
const ROWS = `
INSERT INTO ValidPaths VALUES (1, '${a}', 'sha256:${HASH}', 1700000000, '${c}', 120, 1, '${SIGNATURES}', NULL);
INSERT INTO ValidPaths VALUES (2, '${b}', 'sha256:${HASH}', 1700000001, NULL, 240, NULL, NULL, '${CA}');
INSERT INTO Refs VALUES (1, 1); INSERT INTO Refs VALUES (1, 2);
`
const THIRD = `INSERT INTO ValidPaths VALUES (3, '${c}', 'sha256:${HASH}', 1700000002, '', 360, 0, '', '');`

interface Subject {
  readonly name: string
  readonly query: DatabaseReader['query']
}
const builtIn = process.getBuiltinModule('node:sqlite') as Parameters<typeof queryInProcess>[0] | undefined
const subjects: readonly Subject[] = [
  { name: 'the command sqlite3', query: queryByCommand },
  ...(builtIn === undefined
    ? []
    : [
        { name: "Node's own SQLite", query: (request) => queryInProcess(builtIn, request) } satisfies Subject,
      ]),
]

let template: Buffer = Buffer.alloc(0)
beforeAll(() => {
  const empty = new WrittenDatabase()
  rmSync(empty.file)
  execFileSync('sqlite3', ['-batch', '-bail', empty.file, `PRAGMA synchronous = OFF; ${SCHEMA}`], {
    stdio: 'pipe',
    timeout: 100_000,
    killSignal: 'SIGKILL',
  })
  template = readFileSync(empty.file)
  rmSync(empty.root, { recursive: true })
})

/** A database with a writer that holds it open, so that what it wrote stays in the log. */
class WrittenDatabase {
  readonly root = mkdtempSync(join(tmpdir(), 'nix-database-'))
  readonly directory = join(this.root, 'nix/var/nix/db')
  readonly file = join(this.directory, 'db.sqlite')
  #writer: ChildProcess | undefined

  constructor() {
    mkdirSync(this.directory, { recursive: true })
    writeFileSync(join(this.directory, 'schema'), '10')
    writeFileSync(this.file, template)
  }

  /** Resolves when it is committed. */
  async write(sql: string): Promise<void> {
    this.#writer ??= spawn('sqlite3', ['-batch', '-bail', '-noheader', this.file], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const { stdin, stdout } = this.#writer
    let said = ''
    const written = new Promise<void>((resolve) => {
      stdout!.on('data', (chunk: Buffer) => {
        said += chunk.toString()
        if (said.includes('written')) resolve()
      })
    })
    stdin!.write(`PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF;\n${sql}\nSELECT 'written';\n`)
    await written
    stdout!.removeAllListeners('data')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const writer = this.#writer
    if (writer !== undefined) {
      const ended = new Promise((resolve) => writer.once('exit', resolve))
      writer.stdin!.end()
      await ended
    }
    rmSync(this.root, { recursive: true, force: true })
  }
}

describe.each(subjects)("Nix's database, read by $name,", ({ query }) => {
  let written: WrittenDatabase
  beforeEach(() => {
    written = new WrittenDatabase()
  })
  afterEach(() => written[Symbol.asyncDispose]())
  const open = (database: DatabaseReader = { query }) =>
    nixDatabase({ clock, database, tree: treeReader }, { root: written.root })

  it('tells everything that Nix recorded, also what is only in the log', async () => {
    await written.write(ROWS)
    expect(statSync(`${written.file}-wal`).size).toBeGreaterThan(0)
    expect((await open().all())._unsafeUnwrap()).toEqual([
      {
        path: a,
        narHash: HASH,
        narSize: 120,
        references: [b],
        selfReference: true,
        signatures: [
          { keyName: 'alpha-1', signature: 'AAAA' },
          { keyName: 'beta-1', signature: 'BBBB' },
        ],
        deriver: c,
        ultimate: true,
        registrationTime: 1700000000,
      },
      {
        path: b,
        narHash: HASH,
        narSize: 240,
        references: [],
        selfReference: false,
        signatures: [],
        contentAddress: { method: 'nar', hash: { algorithm: 'sha256', hex: '00'.repeat(32) } },
        registrationTime: 1700000001,
      },
    ])
  })

  it('tells a closure, and what is not valid', async () => {
    await written.write(`${ROWS}${THIRD}`)
    const paths = async (...roots: string[]) =>
      (await open().closure(roots)).map((closure) => closure.paths.map(({ path }) => path))
    expect((await paths(a))._unsafeUnwrap()).toEqual([a, b])
    expect((await paths(b, c))._unsafeUnwrap()).toEqual([b, c])
    expect((await paths())._unsafeUnwrap()).toEqual([])
    expect((await paths(storePath('4', 'x')))._unsafeUnwrapErr().kind).toBe('missing-path')
    expect((await paths("/nix/store/'; DROP TABLE Refs; --"))._unsafeUnwrapErr().kind).toBe(
      'not-a-store-path',
    )
  })

  it('tells the closure of more roots than a statement may name', async () => {
    await written.write(ROWS)
    const others = Array.from({ length: 300 }, (_, index) => storePath('5', `p${index}`))
    const inserts = others.map(
      (path, index) =>
        `INSERT INTO ValidPaths VALUES (${100 + index}, '${path}', 'sha256:${HASH}', 1, '', 8, 0, '', '');`,
    )
    await written.write(`BEGIN; ${inserts.join('\n')} COMMIT;`)
    const closure = (await open().closure([a, ...others]))._unsafeUnwrap()
    expect(closure.paths).toHaveLength(302)
  })

  it('is one state of it, whatever is written meanwhile, and the writer is not disturbed', async () => {
    await written.write(ROWS)
    const readings = Array.from({ length: 5 }, () => open().all())
    await written.write(`BEGIN; ${THIRD} INSERT INTO Refs VALUES (2, 3); COMMIT;`)
    for (const reading of await Promise.all(readings)) {
      const paths = reading._unsafeUnwrap()
      expect(paths.find(({ path }) => path === b)!.references).toEqual(paths.length === 3 ? [c] : [])
    }
    expect((await open().all())._unsafeUnwrap()).toHaveLength(3)
  })

  it('is not written', async () => {
    await written.write(ROWS)
    const write = query({
      file: written.file,
      statements: ['DELETE FROM Refs RETURNING 1'],
      maxRows: 10,
      signal: new AbortController().signal,
    })
    await expect(write).rejects.toThrow(/readonly/)
    expect((await open().all())._unsafeUnwrap()).toHaveLength(2)
  })

  it.each<[string, string, RegExp]>([
    ['a hash that is none', `UPDATE ValidPaths SET hash = 'x';`, /SHA-256/],
    ['no size', 'UPDATE ValidPaths SET narSize = NULL;', /size/],
    ['a path that is none', `UPDATE ValidPaths SET path = '/nix/store/x' WHERE id = 2;`, /not a store path/],
    ['a deriver that is none', `UPDATE ValidPaths SET deriver = 'x';`, /not a store path/],
    ['a signature that is none', `UPDATE ValidPaths SET sigs = 'x';`, /KEYNAME/],
    ['a content address that is none', `UPDATE ValidPaths SET ca = 'x';`, /METHOD/],
    ['a reference to nothing', 'INSERT INTO Refs VALUES (1, 99);', /refers to one that is not there/],
  ])('is refused with %s', async (_, sql, message) => {
    await written.write(`${ROWS}${sql}`)
    expect((await open().all())._unsafeUnwrapErr()).toMatchObject({
      kind: 'malformed',
      message: expect.stringMatching(message),
    })
  })

  it('is refused in another schema', async () => {
    writeFileSync(join(written.directory, 'schema'), '11\n')
    expect((await open().all())._unsafeUnwrapErr().message).toContain('schema')
  })

  it('fails when it is no database, is not there, or has too many rows', async () => {
    await written.write(ROWS)
    const request = {
      file: written.file,
      statements: ['SELECT id FROM ValidPaths'],
      signal: new AbortController().signal,
    }
    await expect(query({ ...request, maxRows: 1 })).rejects.toThrow(/more than 1 rows/)
    writeFileSync(join(written.directory, 'none'), 'no database, but long enough to be looked at'.repeat(100))
    await expect(query({ ...request, file: join(written.directory, 'none'), maxRows: 9 })).rejects.toThrow()
    await expect(query({ ...request, file: join(written.directory, 'absent'), maxRows: 9 })).rejects.toThrow()
    expect(existsSync(join(written.directory, 'absent'))).toBe(false)
  })

  it('holds no descriptor afterwards', async () => {
    await written.write(ROWS)
    await open().all()
    const before = openDescriptors()
    for (let round = 0; round < 5; round++) {
      await open().all()
      await query({
        file: written.file,
        statements: ['nonsense'],
        maxRows: 1,
        signal: new AbortController().signal,
      }).catch(() => {})
    }
    await expect.poll(() => openedSince(before)).toEqual([])
  })

  it('ends when it is aborted', async () => {
    await written.write(ROWS)
    const controller = new AbortController()
    const endless = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n'
    const reading = open({
      query: (request) => query({ ...request, statements: [endless], maxRows: Number.MAX_SAFE_INTEGER }),
    }).all({ signal: controller.signal })
    controller.abort()
    expect((await reading)._unsafeUnwrapErr().kind).toBe('aborted')
  })
})
