import { setImmediate as nextTurn } from 'node:timers/promises'
import type { DatabaseReader } from '../nix/database.js'
import { runCommand } from './command.js'

/** What is used of `node:sqlite`, which Node 20 does not have. */
interface Sqlite {
  readonly DatabaseSync: new (file: string, options: { readOnly: boolean }) => SqliteConnection
}

interface SqliteConnection {
  exec(sql: string): void
  prepare(sql: string): { iterate(): Iterable<Record<string, unknown>> }
  close(): void
}

/** How long to wait for somebody who recovers or checkpoints the database. */
const BUSY_MS = 10_000
const ROWS_PER_TURN = 2_000
const MAX_OUTPUT_BYTES = 256 << 20

/**
 * SQLite that comes with Node (22.13 and newer), or else the `sqlite3` command of the system. No package: a native
 * one is built anew for each version of Node, and SQLite as WebAssembly cannot share a write-ahead log.
 */
export const databaseReader: DatabaseReader = {
  query(request) {
    const sqlite = builtInSqlite()
    return sqlite === undefined ? queryByCommand(request) : queryInProcess(sqlite, request)
  },
}

type Request = Parameters<DatabaseReader['query']>[0]
type Rows = readonly (readonly string[])[]

/** Undefined where Node has none or hides it behind an option. */
function builtInSqlite(): Sqlite | undefined {
  return process.getBuiltinModule('node:sqlite') as Sqlite | undefined
}

export async function queryInProcess(
  { DatabaseSync }: Sqlite,
  { file, statements, maxRows, signal }: Request,
): Promise<Rows> {
  const connection = new DatabaseSync(file, { readOnly: true })
  try {
    connection.exec(`PRAGMA query_only = 1; PRAGMA busy_timeout = ${BUSY_MS}; BEGIN`)
    const answers: string[][] = []
    let count = 0
    for (const statement of statements) {
      const rows: string[] = []
      for (const row of connection.prepare(statement).iterate()) {
        rows.push(String(Object.values(row)[0]))
        if (++count > maxRows) throw tooMany(file, maxRows)
        if (count % ROWS_PER_TURN !== 0) continue
        await nextTurn()
        if (signal.aborted) return answers
      }
      answers.push(rows)
    }
    return answers
  } finally {
    // Ends the transaction too.
    connection.close()
  }
}

const MARK = 'end of statement'

export async function queryByCommand({ file, statements, maxRows, signal }: Request): Promise<Rows> {
  const script = statements.map((statement) => `${statement}; SELECT '${MARK}';`)
  const outcome = await runCommand({
    file: 'sqlite3',
    argv: [
      ...['-init', '/dev/null', '-batch', '-bail', '-readonly', '-noheader', '-list'],
      ...['-cmd', `.timeout ${BUSY_MS}`, file],
      `BEGIN; ${script.join(' ')} COMMIT;`,
    ],
    environment: {},
    signal,
    maxOutputBytes: MAX_OUTPUT_BYTES,
  })
  switch (outcome.kind) {
    case 'not-found':
      throw systemError(
        'ENOENT',
        'this Node has no SQLite (22.13 and newer have), and the command `sqlite3` was not found; install it (Debian: sqlite3) or use nixStore()',
      )
    case 'killed':
      if (signal.aborted) return []
      throw systemError('EINTR', 'the command `sqlite3` was killed')
    case 'output-too-long':
      throw tooMany(file, maxRows)
    case 'exited': {
      if (outcome.code !== 0) throw systemError('EIO', new TextDecoder().decode(outcome.stderr).trim())
      const answers = splitAtMarks(new TextDecoder().decode(outcome.stdout))
      if (answers.reduce((sum, rows) => sum + rows.length, 0) > maxRows) throw tooMany(file, maxRows)
      return answers
    }
  }
}

function splitAtMarks(output: string): Rows {
  const answers: string[][] = []
  let rows: string[] = []
  for (const line of output.split('\n')) {
    if (line === MARK) {
      answers.push(rows)
      rows = []
    } else if (line !== '') rows.push(line)
  }
  return answers
}

function tooMany(file: string, maxRows: number): Error {
  return systemError('EFBIG', `${file} has more than ${maxRows} rows`)
}

function systemError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}
