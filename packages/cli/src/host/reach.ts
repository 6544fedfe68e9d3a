import type { ControlClient, ServedHost } from '@spectrum/unit-runtime/control'
import { err, ok, type Result } from 'neverthrow'
import { complain } from '../complain.js'
import { interruptedStatus } from '../execute.js'
import type { CommandPowers, Failure } from '../powers.js'

export type ReachPowers = Pick<
  CommandPowers,
  'stdout' | 'stderr' | 'hosts' | 'interrupted' | 'hurried' | 'clock'
>

/** Which host is meant: a directory or a socket by its path, a name, a pid, or the only one there is. */
export async function findHost(
  host: string | undefined,
  powers: Pick<CommandPowers, 'hosts'>,
): Promise<Result<string, Failure>> {
  if (host?.includes('/') === true) return ok(await powers.hosts.socketOf(host))
  const running = await powers.hosts.find()
  const meant = host === undefined ? running : running.filter((one) => isMeant(one, host))
  const [only] = meant
  if (only !== undefined && meant.length === 1) return ok(only.socket)
  if (host !== undefined && meant.length === 0)
    return err({ kind: 'no-host', message: `no host "${host}" runs${listed(running)}` })
  if (meant.length === 0)
    return err({ kind: 'no-host', message: 'no host runs: start one with spectrum up FILE' })
  return err({ kind: 'several-hosts', message: `several hosts run: name one with --host${listed(meant)}` })
}

const isMeant = ({ name, pid }: ServedHost, host: string): boolean => name === host || String(pid) === host

const listed = (hosts: readonly ServedHost[]): string =>
  hosts.map(({ name, pid }) => `\n  ${name} (process ${pid})`).join('')

/** Connects to the host that is meant, does the work, and hangs up. Resolves with the exit status; 1 when it cannot. */
export async function withHost(
  host: string | undefined,
  powers: ReachPowers,
  work: (client: ControlClient) => Promise<number>,
  unreachable = 1,
): Promise<number> {
  const socket = await findHost(host, powers)
  if (socket.isErr()) return failed(socket.error, powers, unreachable)
  const connected = await powers.hosts.connect(socket.value, powers.interrupted)
  if (connected.isErr()) return failed(connected.error, powers, unreachable)
  await using client = connected.value
  return await work(client)
}

export async function failed(
  error: Failure,
  powers: Pick<CommandPowers, 'stderr' | 'interrupted'>,
  status = 1,
): Promise<number> {
  if (powers.interrupted.aborted) return interruptedStatus(powers.interrupted)
  await complain(powers.stderr, error.message)
  return status
}
