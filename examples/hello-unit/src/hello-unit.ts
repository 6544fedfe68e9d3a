import {
  closure,
  compose,
  defineUnit,
  type ExecResult,
  type Host,
  type HostError,
} from '@spectrum/unit-runtime'
import { err, type Result } from 'neverthrow'

/** Runs a program, by its whole path in `/nix/store`, in a unit that has the closure of that store path and nothing else. */
export async function helloUnit(
  host: Host,
  argv: readonly [string, ...string[]],
): Promise<Result<ExecResult, HostError>> {
  const storePath = argv[0].split('/').slice(0, 4).join('/')
  const hello = defineUnit('hello', { store: closure(storePath) })
  const graph = compose({ hello })._unsafeUnwrap() // Written above: only a mistake in this file can make it fail.

  const units = await host.start(graph)
  if (units.isErr()) return err(units.error)
  return units.value.hello.exec(argv)
}
