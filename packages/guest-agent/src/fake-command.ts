import { Buffer } from 'node:buffer'
import type { GuestUser, TerminalSize } from './agent.js'
import { ProtocolViolation } from './codec.js'
import type { FakeExit, FakeOutput, FakeProcess, FakeProgram, FakeSocket } from './fake.js'
import type { FakeFiles } from './fake-files.js'
import type { FakeStreams } from './fake-streams.js'
import { FakeTerminal } from './fake-terminal.js'
import { codes, type Frame, limits, type UnitFrame } from './frames.js'
import { AsyncQueue } from './queue.js'

const sighup = 1
const sigabrt = 6
const sigwinch = 28
const errnoGone = 5
const errnoNoTerminal = 25
const sigkill = 9
/** Child, continue, urgent data and window size do nothing by default. */
const ignoredByDefault = new Set([17, 18, 23, 28])

/** One command of a fake unit: a function that believes to be a process. */
export class FakeCommand {
  /** Resolves when it has ended. */
  readonly gone: Promise<void>
  readonly #frame: Frame<'exec'>
  readonly #terminal: FakeTerminal | undefined
  readonly #files: FakeFiles
  readonly #streams: FakeStreams
  /** Its sockets: the end of a process closes them. */
  readonly #sockets: FakeSocket[] = []
  readonly #send: (frame: UnitFrame) => void
  readonly #stdout: CreditedOutput
  readonly #stderr: CreditedOutput
  readonly #stdin = new AsyncQueue<Uint8Array>()
  readonly #killed = new AbortController()
  readonly #handlers = new Map<number, () => void>()
  #received = 0
  #stdinCredit: number = limits.stdinWindow
  #stdinEnded = false
  #stdinClosed = false
  #hungUp = false
  #ended = false
  #settleGone!: () => void

  constructor(
    frame: Frame<'exec'>,
    { streams, files }: { readonly streams: FakeStreams; readonly files: FakeFiles },
    send: (frame: UnitFrame) => void,
  ) {
    this.#frame = frame
    this.#streams = streams
    this.#files = files
    this.gone = new Promise((resolve) => {
      this.#settleGone = resolve
    })
    this.#send = send
    const output = (stream: number, credit: number) =>
      new CreditedOutput(credit, (offset, bytes) =>
        send({ type: 'output', command: frame.command, stream, offset, bytes }),
      )
    this.#stdout = output(codes.stream.stdout, frame.stdoutCredit)
    this.#stderr = output(codes.stream.stderr, frame.stderrCredit)
    this.#terminal = frame.rows === 0 ? undefined : this.#openTerminal(frame)
    if (frame.stdinOpen === 0) this.#stdin.end()
  }

  #openTerminal(size: TerminalSize): FakeTerminal {
    return new FakeTerminal(size, {
      show: (bytes) => void this.#stdout.write(bytes).catch(() => {}),
      give: (bytes) => this.#stdin.push(bytes),
      end: () => this.#stdin.end(),
      signal: (number) => this.signal(number),
    })
  }

  get program(): string {
    return this.#frame.argv[0]!
  }

  start(program: FakeProgram): void {
    this.#send({ type: 'started', command: this.#frame.command })
    const process: FakeProcess = {
      argv: this.#frame.argv,
      env: Object.fromEntries(this.#frame.env.map(splitVariable)),
      cwd: this.#frame.cwd,
      stdin: { [Symbol.asyncIterator]: () => this.#readStdin() },
      stdout: this.#terminal === undefined ? this.#stdout : this.#shown(this.#terminal),
      stderr: this.#terminal === undefined ? this.#stderr : this.#shown(this.#terminal),
      terminal: this.#terminal,
      user: userOf(this.#frame),
      files: this.#files,
      connect: (path) => {
        const socket = this.#streams.connect(path)
        this.#sockets.push(socket)
        return socket
      },
      listen: (path, listener) => this.#streams.listen(path, listener),
      killed: this.#killed.signal,
      onSignal: (number, handler) => {
        this.#handlers.set(number, handler)
      },
    }
    void Promise.resolve()
      .then(() => program(process))
      .catch((): FakeExit => ({ signal: sigabrt }))
      .then((exit) => this.#end(exit, codes.end.eof))
  }

  receiveStdin(offset: number, bytes: Uint8Array): void {
    this.#expectStdin()
    if (offset !== this.#received) throw new ProtocolViolation('stdin: not the next offset')
    if (bytes.length > this.#stdinCredit) throw new ProtocolViolation('stdin: more than was granted')
    this.#received += bytes.length
    this.#stdinCredit -= bytes.length
    if (this.#stdinClosed) return
    if (this.#terminal === undefined) {
      this.#stdin.push(bytes)
    } else {
      this.#terminal.type(bytes)
      this.#grantStdin(bytes.length)
    }
  }

  endStdin(offset: number): void {
    this.#expectStdin()
    if (offset !== this.#received) throw new ProtocolViolation('stdin-end: not the number of bytes sent')
    this.#stdinEnded = true
    if (this.#terminal === undefined) this.#stdin.end()
    else this.#terminal.typeEnd()
  }

  /** An errno, or 0. */
  resize(size: TerminalSize): number {
    if (this.#terminal === undefined) return errnoNoTerminal
    if (this.#hungUp) return errnoGone
    if (this.#terminal.resize(size)) this.signal(sigwinch)
    return 0
  }

  /** Takes its terminal away. An errno, or 0. */
  hangUp(): number {
    if (this.#terminal === undefined) return errnoNoTerminal
    if (this.#hungUp) return errnoGone
    this.#closeStdin()
    this.#stdin.end()
    this.#endOutput(codes.stream.stdout, this.#stdout, codes.end.cut)
    this.#hungUp = true
    this.signal(sighup)
    return 0
  }

  /** SIGTERM; and a hang-up, where it has a terminal. */
  askToEnd(number: number): void {
    this.signal(number)
    if (!this.#ended && this.#terminal !== undefined) this.hangUp()
  }

  grant(stream: number, credit: number): void {
    const output = { [codes.stream.stdout]: this.#stdout, [codes.stream.stderr]: this.#stderr }[stream]
    if (output === undefined) throw new ProtocolViolation(`stream ${stream}`)
    output.grant(credit)
  }

  /** False when there is no process any more. */
  signal(number: number): boolean {
    if (this.#ended) return false
    const handler = number === sigkill ? undefined : this.#handlers.get(number)
    if (handler !== undefined) handler()
    else if (!ignoredByDefault.has(number)) this.#end({ signal: number }, codes.end.eof)
    return true
  }

  kill(): void {
    this.#end({ signal: sigkill }, codes.end.cut)
  }

  // Not a generator: one that is left before its first step would never run its `finally`.
  #readStdin(): AsyncIterator<Uint8Array, void, undefined> {
    const incoming = this.#stdin[Symbol.asyncIterator]()
    let taken = 0
    return {
      next: async () => {
        if (this.#terminal === undefined) this.#grantStdin(taken)
        taken = 0
        const result = await incoming.next()
        if (result.done !== true) taken = result.value.length
        return result
      },
      return: async () => {
        this.#closeStdin()
        return { done: true, value: undefined }
      },
    }
  }

  #grantStdin(credit: number): void {
    if (credit === 0 || this.#ended || this.#stdinEnded || this.#stdinClosed) return
    this.#stdinCredit += credit
    this.#send({ type: 'stdin-credit', command: this.#frame.command, credit })
  }

  #closeStdin(): void {
    if (this.#frame.stdinOpen === 0 || this.#ended || this.#stdinEnded || this.#stdinClosed) return
    this.#stdinClosed = true
    this.#send({ type: 'stdin-closed', command: this.#frame.command })
  }

  #expectStdin(): void {
    if (this.#frame.stdinOpen === 0 || this.#stdinEnded) throw new ProtocolViolation('stdin after its end')
  }

  #end(exit: FakeExit, how: number): void {
    if (this.#ended) return
    this.#ended = true
    const { command } = this.#frame
    this.#stdin.end()
    if (!this.#hungUp) this.#endOutput(codes.stream.stdout, this.#stdout, how)
    if (this.#terminal === undefined) this.#endOutput(codes.stream.stderr, this.#stderr, how)
    this.#killed.abort()
    for (const socket of this.#sockets) socket.close()
    this.#send({ type: 'ended', command, ...encodeExit(exit), coreDumped: 0 })
    this.#settleGone()
  }

  #endOutput(stream: number, output: CreditedOutput, how: number): void {
    const { command } = this.#frame
    this.#send({ type: 'output-end', command, stream, offset: output.close(), how })
  }

  #shown(terminal: FakeTerminal): FakeOutput {
    return {
      write: (chunk) =>
        this.#stdout.write(terminal.shown(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)),
    }
  }
}

function userOf({ uid, gid }: Frame<'exec'>): GuestUser {
  return uid === codes.user.own ? { uid: 0, gid: 0 } : { uid, gid }
}

function encodeExit(exit: FakeExit): { how: number; value: number } {
  if (exit === 'oom') return { how: codes.ended.oom, value: sigkill }
  if (typeof exit === 'number') return { how: codes.ended.exited, value: exit & 0xff }
  return { how: codes.ended.signalled, value: exit.signal }
}

const splitVariable = (variable: string): [string, string] => {
  const at = variable.indexOf('=')
  return [variable.slice(0, at), variable.slice(at + 1)]
}

/** A stdout that writes only what the host gave credit for. */
class CreditedOutput implements FakeOutput {
  readonly #emit: (offset: number, bytes: Uint8Array) => void
  #credit: number
  #offset = 0
  #closed = false
  #wake: (() => void) | undefined
  #turn: Promise<void> = Promise.resolve()

  constructor(credit: number, emit: (offset: number, bytes: Uint8Array) => void) {
    this.#credit = credit
    this.#emit = emit
  }

  write(chunk: Uint8Array | string): Promise<void> {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    const mine = this.#turn.then(() => this.#writeAll(bytes))
    this.#turn = mine.catch(() => {})
    return mine
  }

  grant(credit: number): void {
    if (credit === 0 || this.#credit + credit > limits.maxCredit) {
      throw new ProtocolViolation(`output credit of ${credit}`)
    }
    this.#credit += credit
    this.#wake?.()
  }

  /** Returns how many bytes were written in all. */
  close(): number {
    this.#closed = true
    this.#wake?.()
    return this.#offset
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    let rest = bytes
    while (rest.length > 0) {
      if (this.#closed) throw new Error('the command has ended')
      const size = Math.min(rest.length, this.#credit, limits.chunkBytes)
      if (size === 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        this.#wake = undefined
        continue
      }
      this.#emit(this.#offset, rest.subarray(0, size))
      this.#offset += size
      this.#credit -= size
      rest = rest.subarray(size)
    }
  }
}
