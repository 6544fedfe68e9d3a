import { Buffer } from 'node:buffer'
import type { UnixFdError, UnixSocket } from '@spectrum/unix-fd'
import { err, ok, type Result } from 'neverthrow'
import type { Policy } from '../policy/policy.js'
import { escaped } from '../relay/endings.js'

/** How programs are started: what unit-monitor's `Processes` are, so that a journal may know of them. */
export interface DisplayProcesses {
  /**
   * Starts a program. Resolves when it runs; rejects when there is none of that name, or it cannot be
   * started.
   */
  spawn(request: {
    /** An absolute path, or a name on the search path. */
    readonly file: string
    /** What follows the program's name; no shell is involved. */
    readonly argv: readonly string[]
    /** For people: what it is for, `unit mail: display`. */
    readonly role: string
    /** All of its environment; empty when absent. */
    readonly environment?: Readonly<Record<string, string>> | undefined
    /** Without capabilities and network: what it reads comes from a unit. */
    readonly powerless?: boolean | undefined
  }): Promise<DisplayProcess>
}

/** A program that runs. `kill` is final and idempotent, and `exit` resolves when it is gone. */
export interface DisplayProcess {
  /** What it writes to standard output and error. It is read to its end, once. */
  readonly output: AsyncIterable<Uint8Array>
  /** Resolves, with anything, when it is gone; never rejects. */
  readonly exit: Promise<unknown>
  /** SIGKILL. Nothing when it has ended. */
  kill(): void
}

/** What a unit's display does in the world, and nothing else. */
export interface DisplayPowers {
  /** Starts the proxy and each `waypipe`; a bare name is looked up on its search path. */
  readonly processes: DisplayProcesses
  /** For how long a start may take, which is 60 s at most. */
  readonly clock: {
    /** A signal that aborts after so many milliseconds. Disposing it early frees its timer. */
    deadline(ms: number): { readonly signal: AbortSignal } & Disposable
  }
  /** Rejects when the file cannot be written. */
  writeFile(path: string, text: string): Promise<void>
  /** Removes a socket from the display's directory, if it is there. */
  removeFile(path: string): Promise<void>
  /** Connects to a socket by its path. */
  connect(path: string): Result<UnixSocket, UnixFdError>
  /** The command `spectrum-wayland`. */
  readonly program: {
    /** The absolute path of what is executed: Node, for `proxyProgram`. */
    readonly file: string
    /** What stands before the command's own arguments: its script. */
    readonly argv: readonly string[]
    /** All of its environment. */
    readonly environment: Readonly<Record<string, string>>
  }
}

/** Which unit is displayed, and how. */
export interface DisplayRequest {
  /** Whose display it is, for the journal and for lines of the log. */
  readonly unit: string
  /** Absolute and short; only this user may enter it. Stays the caller's, who removes it with all that is in it. */
  readonly directory: string
  /** The compositor's socket; absolute. */
  readonly upstream: string
  /** What its proxy holds it to; written to a file in `directory`, which the proxy reads. */
  readonly policy: Policy
  /**
   * Whether crosvm brings the unit's clients, which connect to `socket` by its virtio-gpu: they are given only descriptors that
   * can get there (`carryAcrossDomains`). That device can reach the whole directory, so the policy's file is removed as soon
   * as it is read. Default: false.
   */
  readonly crossDomain?: boolean | undefined
  /** What the proxy and waypipe say, a line at a time, escaped and cut. */
  readonly onLine?: ((text: string) => void) | undefined
}

/** One connection of a program in the unit, as bytes of waypipe's protocol. */
export interface DisplayStream {
  /** Bytes from the program; one consumer. Its end, or an error, ends the connection. */
  readonly incoming: AsyncIterable<Uint8Array>
  /** Resolves when there is room. Rejects when nobody reads any more. */
  write(bytes: Uint8Array): Promise<void>
}

/**
 * Why a unit has no display, told apart by `kind`. `lost`: the proxy has ended. A message tells what to do next where
 * there is something to be done.
 */
export type DisplayError =
  | { readonly kind: 'not-started'; readonly message: string }
  | { readonly kind: 'timed-out'; readonly message: string }
  | { readonly kind: 'aborted'; readonly message: string }
  | { readonly kind: 'lost'; readonly message: string }

/** Starting Node on a busy machine takes seconds. */
const START_MS = 60_000
const RETRY_MS = 10
const MOST_LINE_CHARACTERS = 500

/** Names of sockets are short, for a path of one has 107 bytes at most. */
const PROXY_SOCKET = 'w'
const POLICY_FILE = 'policy.json'

/**
 * The display of one unit that reaches the host by a stream of bytes: a proxy with the unit's policy in a process of
 * its own, and for each program of the unit a `waypipe client` behind it, which takes apart what the unit says. Both are
 * powerless. waypipe knows no other compositor than the proxy, so what it makes of a hostile unit's bytes is judged like
 * all else.
 */
export class UnitDisplay implements AsyncDisposable {
  readonly #powers: DisplayPowers
  readonly #request: DisplayRequest
  readonly #proxy: DisplayProcess
  /** Aborts when the proxy is gone, for whatever reason. */
  readonly #gone = new AbortController()
  readonly #carrying = new Set<Promise<unknown>>()
  #count = 0
  #closed: Promise<void> | undefined

  private constructor(powers: DisplayPowers, request: DisplayRequest, proxy: DisplayProcess) {
    this.#powers = powers
    this.#request = request
    this.#proxy = proxy
    void proxy.exit.then(() => this.#gone.abort())
  }

  /**
   * Resolves when the proxy serves, after 60 s at most; the caller closes it. Errors: `not-started`,
   * `timed-out`, `aborted`; after one nothing of it runs. The files that it wrote stay in the directory.
   */
  static async open(
    powers: DisplayPowers,
    request: DisplayRequest,
    signal: AbortSignal,
  ): Promise<Result<UnitDisplay, DisplayError>> {
    const { directory, unit, upstream } = request
    const { program } = powers
    const policy = `${directory}/${POLICY_FILE}`
    let proxy: DisplayProcess
    try {
      await powers.writeFile(policy, JSON.stringify(request.policy))
      if (signal.aborted) return err(aborted(unit))
      const options = [
        '--policy',
        policy,
        '--compositor',
        upstream,
        '--listen',
        `${directory}/${PROXY_SOCKET}`,
        ...(request.crossDomain === true ? ['--cross-domain'] : []),
      ]
      proxy = await powers.processes.spawn({
        file: program.file,
        argv: [...program.argv, ...options],
        role: `unit ${unit}: display`,
        environment: program.environment,
        powerless: true,
      })
    } catch (cause) {
      return err(notStarted(unit, 'its proxy', cause))
    }
    const display = new UnitDisplay(powers, request, proxy)
    void tell(proxy.output, request.onLine)
    const probe = await display.#connect(PROXY_SOCKET, proxy, signal)
    if (probe.isOk()) {
      probe.value.close()
      // Where that fails, the device finds a policy that nobody reads any more.
      if (request.crossDomain === true) await powers.removeFile(policy).catch(() => {})
      return ok(display)
    }
    await display.close()
    return err(probe.error)
  }

  /** Absolute path of the proxy's socket: what a machine's `display` connects to. It stays until the directory goes. */
  get socket(): string {
    return `${this.#request.directory}/${PROXY_SOCKET}`
  }

  /**
   * Carries one program's connection until either side ends it. Errors tell why it could not (`not-started`,
   * `timed-out`, `aborted`, `lost`); that a program left is none. Aborting ends it at once. When it resolves,
   * nothing of it is left.
   */
  async carry(stream: DisplayStream, signal: AbortSignal): Promise<Result<void, DisplayError>> {
    const carried = this.#carry(stream, signal)
    this.#carrying.add(carried)
    try {
      return await carried
    } finally {
      this.#carrying.delete(carried)
    }
  }

  async #carry(stream: DisplayStream, signal: AbortSignal): Promise<Result<void, DisplayError>> {
    const { directory, unit, onLine } = this.#request
    const either = AbortSignal.any([signal, this.#gone.signal])
    if (either.aborted) return err(this.#whyEnded(signal))
    this.#count += 1
    const name = `t${this.#count}`
    const path = `${directory}/${name}`
    let tunnel: DisplayProcess
    try {
      tunnel = await this.#powers.processes.spawn({
        file: 'waypipe',
        argv: ['--no-gpu', '--threads', '1', '--oneshot', '--socket', path, 'client'],
        role: `unit ${unit}: waypipe`,
        environment: { XDG_RUNTIME_DIR: directory, WAYLAND_DISPLAY: `${directory}/${PROXY_SOCKET}` },
        powerless: true,
      })
    } catch (cause) {
      return err(notStarted(unit, 'waypipe', cause))
    }
    void tell(tunnel.output, onLine)
    try {
      const socket = await this.#connect(name, tunnel, either)
      if (socket.isErr()) return err(either.aborted ? this.#whyEnded(signal) : socket.error)
      using connection = socket.value
      await exchange(connection, stream, either)
      return either.aborted ? err(this.#whyEnded(signal)) : ok()
    } finally {
      tunnel.kill()
      await tunnel.exit
      // Whoever is killed leaves its socket behind. What cannot be removed goes with the directory.
      await this.#powers.removeFile(path).catch(() => {})
    }
  }

  /** Ends the proxy and all that it serves. Idempotent; resolves when no process is left. */
  close(): Promise<void> {
    this.#closed ??= (async () => {
      // Each connection ends its own waypipe, also the one that is just being started.
      this.#gone.abort()
      this.#proxy.kill()
      await Promise.allSettled([this.#proxy.exit, ...this.#carrying])
    })()
    return this.#closed
  }

  /** Ends the program and its clients, and waits until it is gone. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The first connection to what `process` listens on, as soon as it does. */
  async #connect(
    name: string,
    process: DisplayProcess,
    signal: AbortSignal,
  ): Promise<Result<UnixSocket, DisplayError>> {
    const { directory, unit } = this.#request
    using deadline = this.#powers.clock.deadline(START_MS)
    const exited = new AbortController()
    void process.exit.then(() => exited.abort())
    const end = AbortSignal.any([signal, deadline.signal, exited.signal])
    for (;;) {
      const socket = this.#powers.connect(`${directory}/${name}`)
      if (socket.isOk()) return ok(socket.value)
      if (signal.aborted) return err(aborted(unit))
      if (exited.signal.aborted) {
        const message = `the display of ${unit} did not start: ${name} ended at once; its lines tell why`
        return err({ kind: 'not-started', message })
      }
      if (deadline.signal.aborted) {
        const message = `the display of ${unit} did not start in ${START_MS} ms: ${socket.error.message}`
        return err({ kind: 'timed-out', message })
      }
      await this.#pause(RETRY_MS, end)
    }
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    using timer = this.#powers.clock.deadline(ms)
    const either = AbortSignal.any([timer.signal, signal])
    if (either.aborted) return
    await new Promise<void>((resolve) => either.addEventListener('abort', () => resolve(), { once: true }))
  }

  #whyEnded(signal: AbortSignal): DisplayError {
    const { unit } = this.#request
    return signal.aborted ? aborted(unit) : { kind: 'lost', message: `the display of ${unit} has ended` }
  }
}

/** Both directions until one of them ends: a window without its other half is of no use. */
async function exchange(socket: UnixSocket, stream: DisplayStream, outer: AbortSignal): Promise<void> {
  const done = new AbortController()
  const signal = AbortSignal.any([outer, done.signal])
  const finish = () => {
    done.abort()
    socket.close()
  }
  const inwards = async () => {
    for await (const bytes of stream.incoming) {
      if (bytes.length > 0 && (await socket.send(bytes, { signal })).isErr()) return
      if (signal.aborted) return
    }
  }
  const outwards = async () => {
    for (;;) {
      const received = await socket.receive({ signal })
      if (received.isErr() || received.value.kind === 'end') return
      await stream.write(received.value.bytes)
    }
  }
  const ended = new Promise<void>((resolve) => {
    if (outer.aborted) resolve()
    else outer.addEventListener('abort', () => resolve(), { once: true })
  })
  // A side that has gone away rejects, and says no more by it. Its stream may never end, and is not waited for.
  const settled = (work: Promise<void>) => work.catch(() => {})
  await Promise.race([settled(inwards()), settled(outwards()), ended])
  finish()
}

/** Reads to the end, so that nobody waits for a reader. */
async function tell(output: AsyncIterable<Uint8Array>, onLine: DisplayRequest['onLine']): Promise<void> {
  let left = ''
  try {
    for await (const bytes of output) {
      const lines = (left + Buffer.from(bytes).toString('latin1')).split('\n')
      left = lines.pop()!.slice(0, MOST_LINE_CHARACTERS)
      for (const line of lines) onLine?.(escaped(line.slice(0, MOST_LINE_CHARACTERS)))
    }
  } catch {
    // Its process tells how it ended.
  }
}

function notStarted(unit: string, what: string, cause: unknown): DisplayError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return { kind: 'not-started', message: `the display of ${unit} did not start: ${what}: ${escaped(why)}` }
}

function aborted(unit: string): DisplayError {
  return { kind: 'aborted', message: `the display of ${unit} was aborted` }
}
