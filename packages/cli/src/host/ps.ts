import type { UnitStatus, Welcome } from '@spectrum/unit-runtime/control'
import { ok, type Result } from 'neverthrow'
import { columns } from '../columns.js'
import type { CommandPowers, Failure } from '../powers.js'
import type { HostCommand } from './command.js'
import { failed, findHost, type ReachPowers } from './reach.js'

type PsCommand = Extract<HostCommand, { kind: 'ps' }>

interface Listed {
  readonly host: Welcome['host']
  readonly units: readonly UnitStatus[]
}

/** Which units there are: of one host, or of all of this user. */
export async function ps(
  { host, json }: PsCommand,
  powers: ReachPowers & Pick<CommandPowers, 'timeOfDay'>,
): Promise<number> {
  const sockets = await socketsOf(host, powers)
  if (sockets.isErr()) return failed(sockets.error, powers)
  const listed: Listed[] = []
  for (const socket of sockets.value) {
    const found = await list(socket, powers)
    if (found.isOk()) listed.push(found.value)
    // A host that is just ending is none of many; the one that was named is.
    else if (host !== undefined || powers.interrupted.aborted) return failed(found.error, powers)
  }
  const text = json ? `${JSON.stringify({ hosts: listed })}\n` : table(listed, powers.timeOfDay())
  await powers.stdout.write(text)
  return 0
}

async function socketsOf(
  host: string | undefined,
  powers: ReachPowers,
): Promise<Result<readonly string[], Failure>> {
  if (host !== undefined) return (await findHost(host, powers)).map((socket) => [socket])
  return ok((await powers.hosts.find()).map(({ socket }) => socket))
}

async function list(socket: string, powers: ReachPowers): Promise<Result<Listed, Failure>> {
  const connected = await powers.hosts.connect(socket, powers.interrupted)
  if (connected.isErr()) return connected.map(() => never())
  await using client = connected.value
  return await client.list({ signal: powers.interrupted }).map((units) => ({ host: client.host, units }))
}

const never = (): never => {
  throw new Error('a failure has no value')
}

function table(listed: readonly Listed[], now: number): string {
  const rows = listed.flatMap(({ host, units }) =>
    units.map(({ name, state, since, why, running }) => [
      name,
      state,
      age(now - since),
      running === undefined ? '' : String(running.paths),
      running?.processes.map(({ pid }) => pid).join(' ') ?? '',
      String(host.pid),
      why ?? '',
    ]),
  )
  return columns([['UNIT', 'STATE', 'SINCE', 'PATHS', 'PIDS', 'HOST', 'WHY'], ...rows])
}

/** How long something lasts, in its largest unit of time. */
function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} d`
}
