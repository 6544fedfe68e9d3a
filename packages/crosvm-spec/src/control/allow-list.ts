import { err, ok, type Result, ResultAsync } from 'neverthrow'
import { visible } from '../visible.js'
import { type Clock, Connection, type PacketSockets } from './connection.js'
import type { ControlError } from './errors.js'
import { parseExactJson, printExactJson } from './exact-json.js'

/** For one connection to a file server's allow-list. */
export interface AllowListOptions {
  /**
   * The socket given to `crosvm device fs --allowlist-socket-path`: absolute, below 108 bytes. It serves one
   * client at a time.
   */
  readonly path: string
  /** Milliseconds for each request, the wait behind earlier ones included. Default 5000. */
  readonly timeoutMs?: number
}

/** More than one packet should hold; a request is atomic, so cut a longer list yourself. */
const MOST_PATHS = 256

/**
 * Grants a running guest directories and files inside one vhost-user-fs share, and takes them back. At first
 * nothing is granted. A granted path brings its whole subtree, readable and writable, and lets its ancestors be
 * passed through. The guest finds out when it looks again: give the server `timeout=0`. Source: crosvm's
 * docs/book/src/devices/fs.md.
 */
export class FsAllowList implements Disposable {
  readonly #connection: Connection
  readonly #timeoutMs: number

  /** Connects at the first request. The object is the caller's to close. */
  constructor(powers: { readonly sockets: PacketSockets; readonly clock: Clock }, options: AllowListOptions) {
    this.#connection = new Connection(powers.sockets, powers.clock, options.path)
    this.#timeoutMs = options.timeoutMs ?? 5000
  }

  /**
   * Grants 1 to 256 paths, all or none. They start with `/`, which is the shared directory, and hold no `..`.
   * Errors: every {@link ControlError} but `unsupported`; `invalid-argument` before anything is sent.
   */
  add(paths: readonly string[], signal?: AbortSignal): ResultAsync<void, ControlError> {
    return this.#change('AddPaths', paths, signal)
  }

  /** Takes paths back, as `add` grants them. What the guest holds open stays open. */
  remove(paths: readonly string[], signal?: AbortSignal): ResultAsync<void, ControlError> {
    return this.#change('RemovePaths', paths, signal)
  }

  /** Closes the socket, once. The file server goes on with what it was granted. */
  close(): void {
    this.#connection.close()
  }

  /** As `close`. */
  [Symbol.dispose](): void {
    this.close()
  }

  #change(
    request: 'AddPaths' | 'RemovePaths',
    paths: readonly string[],
    signal: AbortSignal | undefined,
  ): ResultAsync<void, ControlError> {
    return new ResultAsync(this.#exchange(request, paths, signal))
  }

  async #exchange(
    request: 'AddPaths' | 'RemovePaths',
    paths: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<Result<void, ControlError>> {
    const wrong = wrongPath(paths)
    if (wrong !== undefined) return err({ kind: 'invalid-argument', argument: 'paths', message: wrong })
    const bytes = new TextEncoder().encode(printExactJson({ [request]: { paths } }))
    const answered = await this.#connection.exchange(request, { bytes, fds: [] }, this.#timeoutMs, signal)
    if (answered.isErr()) return err(answered.error)
    for (const fd of answered.value.fds) fd.close()
    return decodeAllowListReply(request, answered.value.bytes)
  }
}

function wrongPath(paths: readonly string[]): string | undefined {
  if (paths.length === 0 || paths.length > MOST_PATHS) return `name 1 to ${MOST_PATHS} paths at once`
  for (const path of paths) {
    const shown = visible(JSON.stringify(path.slice(0, 100)))
    if (!path.startsWith('/')) return `${shown} must start with /, which is the shared directory`
    if (path.split('/').includes('..')) return `${shown} must not hold ..`
    if (/[\0\p{Cs}]/u.test(path) || path.length > 4095) return `${shown} is no path`
  }
  return undefined
}

/**
 * `"Ok"` or `{"Err":"text"}`, and nothing else. Errors: `refused` with the text, escaped and of at most 1024
 * characters; `malformed-reply`.
 */
export function decodeAllowListReply(request: string, bytes: Uint8Array): Result<void, ControlError> {
  const json = parseExactJson(new TextDecoder().decode(bytes.subarray(0, 65_536)))
  if (json.isOk() && json.value === 'Ok') return ok()
  const text =
    json.isOk() && json.value instanceof Map && json.value.size === 1 ? json.value.get('Err') : undefined
  if (typeof text === 'string') {
    const message = `${request}: crosvm refused: ${visible(text.slice(0, 1024))}`
    return err({ kind: 'refused', request, code: undefined, message })
  }
  const message = `${request}: the reply is not understood; does this crosvm fit?`
  return err({ kind: 'malformed-reply', request, message })
}
