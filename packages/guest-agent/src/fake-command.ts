import { Buffer } from 'node:buffer'
import { ProtocolViolation } from './codec.js'
import type { FakeExit, FakeOutput, FakeProcess, FakeProgram, FakeSocket } from './fake.js'
import type { FakeStreams } from './fake-streams.js'
import { codes, type Frame, limits, type UnitFrame } from './frames.js'
import { AsyncQueue } from './queue.js'

const sigabrt = 6
const sigkill = 9
/** Child, continue, urgent data and window size do nothing by default. */
const ignoredByDefault = new Set([17, 18, 23, 28])

/** One command of a fake unit: a function that believes to be a process. */
export class FakeCommand {
  readonly #frame: Frame<'exec'>
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
  #ended = false

  constructor(frame: Frame<'exec'>, streams: FakeStreams, send: (frame: UnitFrame) => void) {
    this.#frame = frame
    this.#streams = streams
    this.#send = send
    const output = (stream: number, credit: number) =>
      new CreditedOutput(credit, (offset, bytes) =>
        send({ type: 'output', command: frame.command, stream, offset, bytes }),
      )
    this.#stdout = output(codes.stream.stdout, frame.stdoutCredit)
    this.#stderr = output(codes.stream.stderr, frame.stderrCredit)
    if (frame.stdinOpen === 0) this.#stdin.end()
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
      stdout: this.#stdout,
      stderr: this.#stderr,
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
    if (!this.#stdinClosed) this.#stdin.push(bytes)
  }

  endStdin(offset: number): void {
    this.#expectStdin()
    if (offset !== this.#received) throw new ProtocolViolation('stdin-end: not the number of bytes sent')
    this.#stdinEnded = true
    this.#stdin.end()
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
        this.#grantStdin(taken)
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
    for (const [stream, output] of [
      [codes.stream.stdout, this.#stdout],
      [codes.stream.stderr, this.#stderr],
    ] as const) {
      this.#send({ type: 'output-end', command, stream, offset: output.close(), how })
    }
    this.#killed.abort()
    for (const socket of this.#sockets) socket.close()
    this.#send({ type: 'ended', command, ...encodeExit(exit), coreDumped: 0 })
  }
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
