import { Buffer } from 'node:buffer'
import type { Fd, Listener, UnixFd, UnixFdError } from '@spectrum/unix-fd'
import { err, errAsync, ok, type Result, ResultAsync } from 'neverthrow'
import { toByteString } from '../byte-string.js'
import type { Clock } from '../powers.js'
import { quote, quoteOutput } from '../quote.js'
import { ControlClient } from './control/client.js'
import type { FrontEndGone } from './control/messages.js'
import type { ViewError } from './errors.js'
import { isName } from './grants.js'
import { completeLimits, type ViewLimits } from './limits.js'
import type { ViewCounters } from './serve.js'
import type { View, ViewEnd, ViewOptions, ViewPath } from './view.js'

/** How the view's program is started and ended: what unit-monitor's `Processes` are. */
export interface ViewProcesses {
  /** Starts the program of a view. Rejects when there is none. */
  spawn(request: {
    /** Absolute path of the program. */
    readonly file: string
    /** The arguments, without the program's own name. */
    readonly argv: readonly string[]
    /** What it is for, in a word. */
    readonly role: string
    /** Variables of the process. */
    readonly environment?: Readonly<Record<string, string>> | undefined
    /** It needs no capabilities and no network; who can take them from it does. */
    readonly powerless?: boolean | undefined
  }): Promise<ViewProcess>
}

/** The process that serves a view. */
export interface ViewProcess {
  /** Its number. */
  readonly pid: number
  /** What it writes to its standard output and error. */
  readonly output: AsyncIterable<Uint8Array>
  /** Resolves when it has ended. */
  readonly exit: Promise<unknown>
  /** SIGKILL. Nothing when it has ended. */
  kill(): void
}

/** What opening a view needs of the world. */
export interface OpenViewPowers {
  /** Sockets, and descriptors sent over them. */
  readonly descriptors: UnixFd
  /** Deadlines in milliseconds. */
  readonly clock: Clock
  /** Starts the view's program. */
  readonly processes: ViewProcesses
  /** The program of a view, to which the path of its control socket is added. */
  readonly program: {
    /** Absolute path. */
    readonly file: string
    /** The arguments before the socket's path. */
    readonly argv: readonly string[]
    /** Variables of the process. */
    readonly environment: Readonly<Record<string, string>>
  }
}

/** Where a view lies and how it is served. */
export interface OpenViewOptions extends ViewOptions {
  /** Absolute; only this user may enter it. It gets `view.sock`, and for a moment `control.sock`. */
  readonly directory: string
  /** 1 to 36 bytes. Default `view`. */
  readonly tag?: string | undefined
  /** Where they differ from `DEFAULT_LIMITS`. */
  readonly limits?: Partial<ViewLimits> | undefined
  /** Told how each front end's time ended; for a log. */
  readonly onFrontEndGone?: ((gone: FrontEndGone) => void) | undefined
}

/** Starting Node on a busy machine takes seconds. */
const OPEN_DEADLINE_MS = 60_000
const CLOSE_GRACE_MS = 5_000
const KEPT_OUTPUT_BYTES = 4096

/**
 * Starts the program of a view, which shows nothing yet and waits for a front end. Errors: `not-started`,
 * `timed-out`, `aborted`, `system` (a socket could not be made).
 */
export function openView(powers: OpenViewPowers, options: OpenViewOptions): ResultAsync<View, ViewError> {
  // Programmers' mistakes throw before anything is started.
  completeLimits(options.limits)
  if (!options.directory.startsWith('/')) throw new RangeError('directory: an absolute path')
  return new ResultAsync(open(powers, options))
}

async function open(powers: OpenViewPowers, options: OpenViewOptions): Promise<Result<View, ViewError>> {
  const { descriptors, clock } = powers
  const { directory, tag = 'view', limits = {}, signal, deadlineMs = OPEN_DEADLINE_MS } = options
  using deadline = clock.deadline(deadlineMs)
  const patience = AbortSignal.any([deadline.signal, ...(signal === undefined ? [] : [signal])])
  if (patience.aborted) return err(whyEnded(signal, deadlineMs))

  const frontDoor = descriptors.listen(`${directory}/view.sock`, 'stream', { lock: true })
  if (frontDoor.isErr()) return err(systemFrom(frontDoor.error))
  const controlPath = `${directory}/control.sock`
  const backDoor = descriptors.listen(controlPath, 'seqpacket', { lock: true })
  if (backDoor.isErr()) {
    frontDoor.value.close()
    return err(systemFrom(backDoor.error))
  }
  const started = await start(powers, controlPath, backDoor.value, patience)
  backDoor.value.close()
  if (started.isErr()) {
    frontDoor.value.close()
    return err(patience.aborted ? whyEnded(signal, deadlineMs) : started.error)
  }
  const { process, control, output } = started.value
  const view = new ProcessView(powers, frontDoor.value, control, process, tag, options.onFrontEndGone)
  const configured = await control.ask({ do: 'configure', tag, limits }, [], { signal: patience, deadlineMs })
  if (configured.isOk()) {
    view.welcome()
    return ok(view)
  }
  await view.close()
  if (patience.aborted) return err(whyEnded(signal, deadlineMs))
  return err(notStarted(configured.error.message, output()))
}

interface Started {
  readonly process: ViewProcess
  readonly control: ControlClient
  readonly output: () => string
}

/** Starts the program and waits for it at the back door. */
async function start(
  { clock, processes, program }: OpenViewPowers,
  controlPath: string,
  backDoor: Listener,
  patience: AbortSignal,
): Promise<Result<Started, ViewError>> {
  let process: ViewProcess
  try {
    const { file, argv, environment } = program
    process = await processes.spawn({
      file,
      argv: [...argv, controlPath],
      role: 'view',
      environment,
      powerless: true,
    })
  } catch (cause) {
    return err(notStarted(cause instanceof Error ? cause.message : String(cause), ''))
  }
  const output = keepOutput(process.output)
  const exited = new AbortController()
  void process.exit.then(() => exited.abort())
  const signal = AbortSignal.any([patience, exited.signal])
  for (;;) {
    const peer = await backDoor.accept(signal)
    if (peer.isErr()) {
      await endOf(process, clock, 0)
      return err(notStarted(exited.signal.aborted ? 'it ended at once' : peer.error.message, output()))
    }
    // Nobody else can enter the directory, but this costs nothing: only the program itself may be at the other end.
    if (peer.value.peerCredentials().unwrapOr(undefined)?.pid === process.pid) {
      return ok({ process, control: new ControlClient(peer.value, clock), output })
    }
    peer.value.close()
  }
}

class ProcessView implements View {
  readonly socket: string
  readonly pid: number
  readonly ended: Promise<ViewEnd>
  readonly #powers: OpenViewPowers
  readonly #frontDoor: Listener
  readonly #control: ControlClient
  readonly #process: ViewProcess
  readonly #closing = new AbortController()
  /** Ends the wait for the front end that is being served. */
  #letGo: (() => void) | undefined
  #closed: Promise<void> | undefined

  constructor(
    powers: OpenViewPowers,
    frontDoor: Listener,
    control: ControlClient,
    process: ViewProcess,
    readonly tag: string,
    onFrontEndGone: ((gone: FrontEndGone) => void) | undefined,
  ) {
    this.#powers = powers
    this.#frontDoor = frontDoor
    this.#control = control
    this.#process = process
    this.socket = frontDoor.path
    this.pid = process.pid
    control.onFrontEndGone((gone) => {
      this.#letGo?.()
      onFrontEndGone?.(gone)
    })
    this.ended = control.ended.then(async (why) => {
      const asked = this.#closed !== undefined
      await this.close()
      return asked ? { kind: 'closed' } : { kind: 'lost', message: quote(why) }
    })
  }

  /** Lets front ends in, one after the other. */
  welcome(): void {
    void this.#welcome()
  }

  async #welcome(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      const peer = await this.#frontDoor.accept(signal)
      if (peer.isErr()) return
      const gone = new Promise<void>((resolve) => {
        this.#letGo = resolve
      })
      // The program has its own duplicate from then on.
      const attached = await this.#control.ask({ do: 'attach' }, [peer.value.fd], { signal })
      peer.value.close()
      if (attached.isOk()) await gone
    }
  }

  grant({ name, location }: ViewPath, options: ViewOptions = {}): ResultAsync<void, ViewError> {
    const bytes = toByteString(name)
    if (!isName(bytes)) {
      const message = 'grant a single name of 1 to 255 bytes, without a slash, and neither . nor ..'
      return errAsync({ kind: 'invalid-name', message })
    }
    const file = openGrant(this.#powers.descriptors, location)
    if (file.isErr()) return errAsync(file.error)
    const asked = this.#ask({ do: 'grant', name: bytes }, [file.value], options)
    return new ResultAsync(
      asked.finally(() => file.value.close()).then((outcome) => outcome.map(() => undefined)),
    )
  }

  revoke(name: string, options: ViewOptions = {}): ResultAsync<void, ViewError> {
    const bytes = toByteString(name)
    if (!isName(bytes))
      return errAsync({ kind: 'not-granted', message: 'nothing is granted under this name' })
    return new ResultAsync(this.#ask({ do: 'revoke', name: bytes }, [], options)).map(() => undefined)
  }

  counters(options: ViewOptions = {}): ResultAsync<ViewCounters, ViewError> {
    return new ResultAsync(this.#ask({ do: 'counters' }, [], options)).andThen((counters) =>
      counters === undefined
        ? err<ViewCounters, ViewError>({ kind: 'view-lost', message: 'the view gave no counters: close it' })
        : ok(counters),
    )
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #ask(...asked: Parameters<ControlClient['ask']>): ReturnType<ControlClient['ask']> {
    if (this.#closed === undefined) return this.#control.ask(...asked)
    return Promise.resolve(err({ kind: 'closed', message: 'this view is closed: open another one' }))
  }

  async #close(): Promise<void> {
    this.#closing.abort()
    this.#letGo?.()
    this.#frontDoor.close()
    // The program ends when its channel does.
    this.#control.close()
    await endOf(this.#process, this.#powers.clock, CLOSE_GRACE_MS)
  }
}

/**
 * Waits for the end of a process, by force after `graceMs`. One that SIGKILL does not end is stuck in the kernel, at
 * a disk that does not answer: it is left behind rather than waited for.
 */
async function endOf(process: ViewProcess, clock: Clock, graceMs: number): Promise<void> {
  using grace = clock.deadline(graceMs)
  using patience = clock.deadline(graceMs + CLOSE_GRACE_MS)
  grace.signal.addEventListener('abort', () => process.kill(), { once: true })
  if (graceMs === 0) process.kill()
  const givenUp = new Promise((resolve) => patience.signal.addEventListener('abort', resolve, { once: true }))
  await Promise.race([process.exit, givenUp])
}

/**
 * Opens what is to be granted, by this program's authority: a directory only as a place to look into, a file for
 * reading, a symbolic link as itself.
 */
export function openGrant(descriptors: UnixFd, location: string): Result<Fd, ViewError> {
  const place = descriptors.openPath(location, 'place')
  if (place.isErr()) return err(cannotOpen(location, place.error))
  const { type } = descriptors.inspect(place.value).unwrapOr({ type: 'anonymous' as const })
  if (type !== 'file') return ok(place.value)
  place.value.close()
  return descriptors.openPath(location, 'file').mapErr((error) => cannotOpen(location, error))
}

function cannotOpen(path: string, cause: UnixFdError): ViewError {
  if ('code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')) {
    const message = `there is nothing at ${quote(path)}: put the store path there, then grant it`
    return { kind: 'missing-path', message, path }
  }
  return systemFrom(cause)
}

function systemFrom(cause: UnixFdError): ViewError {
  const { message } = cause
  return 'code' in cause
    ? { kind: 'system', message, code: cause.code, cause }
    : { kind: 'system', message, cause }
}

function whyEnded(signal: AbortSignal | undefined, deadlineMs: number): ViewError {
  if (signal?.aborted) return { kind: 'aborted', message: 'the caller aborted the start of the view' }
  const message = `the view was not ready within ${deadlineMs} ms: pass a larger deadlineMs on a slow machine`
  return { kind: 'timed-out', message }
}

function notStarted(why: string, output: string): ViewError {
  const message = `the view's program did not start (${quote(why)}); its output says why`
  return { kind: 'not-started', message, output }
}

/** Reads all that a program says, so that it never waits, and keeps the end. */
function keepOutput(chunks: AsyncIterable<Uint8Array>): () => string {
  let kept = Buffer.alloc(0)
  const read = async () => {
    for await (const chunk of chunks) kept = Buffer.concat([kept, chunk]).subarray(-KEPT_OUTPUT_BYTES)
  }
  // A stream that breaks has nothing more to say.
  read().catch(() => {})
  return () => quoteOutput(kept)
}
