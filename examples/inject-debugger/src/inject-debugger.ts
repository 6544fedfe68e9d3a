import {
  closure,
  compose,
  defineUnit,
  type ExecOutcome,
  type GuestProcess,
  type Host,
  type HostError,
  type Unit,
} from '@spectrum/unit-runtime'
import { err, ok, type Result, safeTry } from 'neverthrow'
import type { Programs } from '../../debian-programs/src/debian-programs.js'

const SIGTERM = 15

/** What gdb says of the program, and what it was given for that. */
export interface Report {
  /** The stack, one frame a line, before the debug information was there. */
  readonly before: readonly string[]
  readonly after: readonly string[]
  /** The store paths that the unit gained while its program ran. */
  readonly added: readonly string[]
  /** How the program ended, which was told to when the debugger had left it. */
  readonly ended: ExecOutcome
}

/**
 * A program runs in a unit that has no debugger. It is given one, and then the debug information of the very build that
 * runs; the program is neither started anew nor stopped for longer than a look at it takes.
 */
export async function injectDebugger(
  host: Host,
  program: { readonly path: string; readonly file: string },
  gdb: Programs,
): Promise<Result<Report, HostError>> {
  const body = safeTry<Report, HostError>(async function* () {
    // The debugger is larger than the program, and a kernel keeps book of each page that is plugged in.
    const patient = defineUnit('patient', { store: closure(program.path), memoryBytes: 512 * 2 ** 20 })
    const graph = compose({ patient })._unsafeUnwrap() // Written above: only a mistake in this file can make it fail.
    const { patient: unit } = yield* await host.start(graph)
    const running = yield* await unit.spawn([program.file])
    const pid = await processId(running)

    const debugging = yield* await unit.inject(closure(gdb.path))
    const before = yield* await stackOf(unit, gdb, pid)

    const symbols = yield* await unit.injectDebug({ program: program.file })
    const after = yield* await stackOf(unit, gdb, pid, symbols.directory)

    await running.signal(SIGTERM)
    return ok({
      before,
      after,
      added: [...debugging.added, ...symbols.added],
      ended: await running.outcome,
    })
  })
  return body
}

/** Has gdb attach to a process, print its stack, and leave it. */
async function stackOf(
  unit: Unit,
  gdb: Programs,
  pid: number,
  symbols?: string,
): Promise<Result<readonly string[], HostError>> {
  // A build is looked for by its id, below this directory.
  const where = symbols === undefined ? [] : ['-iex', `set debug-file-directory ${symbols}`]
  const words = ['-nx', '-batch', ...where, '-p', `${pid}`, '-ex', 'backtrace']
  const ran = await unit.exec(gdb.argv('gdb', ...words), { env: { HOME: '/tmp', LC_ALL: 'C.UTF-8' } })
  if (ran.isErr()) return err(ran.error)
  const lines = new TextDecoder().decode(ran.value.stdout).split('\n')
  return ok(lines.filter((line) => /^#\d+ /.test(line)))
}

/** A process of a unit is known by what it says of itself: here, on its first line. */
async function processId({ stdout }: GuestProcess): Promise<number> {
  let said = ''
  for await (const chunk of stdout) {
    said += new TextDecoder().decode(chunk)
    if (said.includes('\n') || said.length > 100) break
  }
  return Number(/^process ([1-9]\d{0,6})\n/.exec(said)?.[1] ?? Number.NaN)
}
