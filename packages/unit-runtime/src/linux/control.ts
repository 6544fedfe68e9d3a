import { stat } from 'node:fs/promises'
import { linuxPowers } from '@spectrum/unit-monitor/linux'
import type { UnixFdError } from '@spectrum/unix-fd'
import { errAsync, type Result, type ResultAsync } from 'neverthrow'
import { type ControlClient, type ControlWait, connectControlWith } from '../control/client.js'
import type { ControlError } from '../control/errors.js'
import { type ControlServer, serveControlWith } from '../control/server.js'
import type { Host } from '../host.js'
import { hostsDirectory } from '../host-directory.js'
import { ownerLives, parseHostName } from '../identity.js'
import { connectToControl, listenForControl, turnOfTheLoop } from './control-sockets.js'
import { linuxHostFiles } from './host-files.js'
import { defaultPlaces } from './places.js'
import { linuxProcessTable } from './process-table.js'

/** The name of the socket in the directory of a host. */
const SOCKET = 'control'

/**
 * Serves a host to other programs of this user: `spectrum ps`, `exec`, `stop` … By default in the host's own directory,
 * where they find it by themselves; it goes with the host. With `socket`, an absolute path in a directory that only
 * this user can write.
 *
 * @example
 * ```ts
 * import type { Host } from '@spectrum/unit-runtime'
 * import { serveControl } from '@spectrum/unit-runtime/control'
 *
 * export async function serveUntilStopped(host: Host): Promise<void> {
 *   await using server = serveControl(host)._unsafeUnwrap()
 *   await server.stopped // a client, such as `spectrum stop`, had the host stopped
 * }
 * ```
 */
export function serveControl(
  host: Host,
  options: {
    /** Absolute path; its directory is there, and only this user can write to it. By default `control` in the host's directory. */
    readonly socket?: string | undefined
  } = {},
): Result<ControlServer, ControlError> {
  const path = options.socket ?? `${host.directory}/${SOCKET}`
  return listenForControl(path, options.socket !== undefined)
    .map((listener) =>
      serveControlWith(host, {
        listener,
        clock: linuxPowers().clock,
        epochMs: () => Date.now(),
        nextTurn: turnOfTheLoop,
        uid: process.getuid?.() ?? 0,
        pid: process.pid,
      }),
    )
    .mapErr((error) => controlError(error, path))
}

/**
 * Connects to the host that serves control at this path.
 *
 * @example
 * ```ts
 * import { connectControl, findServedHosts } from '@spectrum/unit-runtime/control'
 *
 * for (const { socket } of await findServedHosts()) {
 *   await using client = (await connectControl(socket))._unsafeUnwrap()
 *   for (const { name, state } of (await client.list())._unsafeUnwrap()) console.log(name, state)
 * }
 * ```
 */
export function connectControl(
  path: string,
  options: ControlWait = {},
): ResultAsync<ControlClient, ControlError> {
  return connectToControl(path)
    .mapErr((error) => controlError(error, path))
    .asyncAndThen((socket) => {
      const powers = { clock: linuxPowers().clock, nextTurn: turnOfTheLoop }
      const peer = socket.peerUid()
      if (mayBeTold(peer, process.getuid?.())) return connectControlWith(socket, powers, options)
      socket.close()
      const message = `${path} is served by user ${peer ?? '(unknown)'}; name a host of your own.`
      return errAsync<ControlClient, ControlError>({ kind: 'not-permitted', message, path })
    })
}

/**
 * Whether the user `own` may tell what it types to a program of the user `peer`, as the kernel knows that program: who
 * could put a socket at a path could also take it away again, or put another one there.
 */
export const mayBeTold = (peer: number | undefined, own: number | undefined): boolean =>
  own === 0 || peer === 0 || (peer !== undefined && peer === own)

/** A host of this user that runs now and serves control. */
export interface ServedHost {
  /** The base name of its directory. */
  readonly name: string
  /** Absolute path of its directory. */
  readonly directory: string
  /** The process that has the host. */
  readonly pid: number
  /** Absolute path, for `connectControl`. */
  readonly socket: string
}

/** The hosts below a state directory (by default this user's) that run and serve control, by name. */
export async function findServedHosts(
  stateDirectory: string = defaultPlaces(process.env).state,
): Promise<readonly ServedHost[]> {
  const hosts = hostsDirectory(stateDirectory)
  const table = linuxProcessTable()
  const found: ServedHost[] = []
  for (const name of await linuxHostFiles.list(hosts)) {
    const owner = parseHostName(name)
    if (owner === undefined || !(await ownerLives(table, owner))) continue
    const directory = `${hosts}/${name}`
    const socket = `${directory}/${SOCKET}`
    const isSocket = await stat(socket).then(
      (facts) => facts.isSocket(),
      () => false,
    )
    if (isSocket) found.push({ name, directory, pid: owner.process.pid, socket })
  }
  return found
}

function controlError(error: UnixFdError, path: string): ControlError {
  switch (error.kind) {
    case 'not-listening':
      return {
        kind: 'not-listening',
        message: `No host listens at ${path}; look which run with spectrum ps.`,
        path,
      }
    case 'permission-denied':
      return { kind: 'not-permitted', message: `${path}: ${error.message}`, path }
    default:
      return { kind: 'system', message: `${path}: ${error.message}` }
  }
}
