/**
 * A crosvm that is none, for tests: the same command line, the same control socket, and misbehaviour on demand.
 *
 * @packageDocumentation
 */

import type { Fd, UnixFd, UnixSocket } from '@spectrum/unix-fd'
import { parseArgv } from './argv.js'
import type { Clock } from './control/connection.js'
import { parseExactJson } from './control/exact-json.js'
import { answer, type FakeState, fakeState, requestName } from './fake/answer.js'
import { type FakeBehaviour, fakeBehaviour } from './fake/behaviour.js'
import type { Architecture } from './options/option.js'
import { options } from './options/table.js'
import type { CrosvmSpec } from './spec.js'

export { type FakeBehaviour, fakeBehaviour } from './fake/behaviour.js'
export { fakeHost } from './fake/host.js'
export { fakeProcesses } from './fake/processes.js'

/** What a fake crosvm needs of the world. */
export interface FakePowers {
  /** Listens on the machine's control socket, really. */
  readonly sockets: UnixFd
  /** Measures what the fake puts off. */
  readonly clock: Clock
  /** For which its command line is read. */
  readonly architecture: Architecture
  /** Standard output: the help. */
  print(text: string): void
  /** Standard error: a line without its end, as crosvm logs it. */
  log(line: string): void
}

/** How a fake crosvm ended, as a process would; `SIGKILL` where it was aborted. */
export type FakeEnd =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signalled'; readonly signal: string }

/**
 * Runs until it is told to exit, misbehaves as its machine's parameters say ({@link FakeBehaviour}), or is
 * aborted. `argv` is without the program's own name.
 */
export async function runFakeCrosvm(
  argv: readonly string[],
  powers: FakePowers,
  signal: AbortSignal,
): Promise<FakeEnd> {
  const log = (level: string, message: string) =>
    powers.log(`[2026-01-01T00:00:00.000000000+00:00 ${level} crosvm] ${message}`)
  if (argv[0] === 'run' && argv[1] === '--help') {
    powers.print(fakeHelp(powers.architecture))
    return { kind: 'exited', code: 0 }
  }
  const parsed = parseArgv(argv, { architecture: powers.architecture })
  if (parsed.isErr()) {
    const refused = parsed.error.kind === 'malformed'
    log('ERROR', refused ? `arg parsing failed: ${parsed.error.message}` : parsed.error.message)
    return { kind: 'exited', code: refused ? 35 : 1 }
  }
  const machine = new FakeMachine(parsed.value, powers, signal)
  const end = await machine.run()
  if (end.kind === 'exited' && end.code === 1) log('ERROR', `exiting with error 1: ${machine.failure}`)
  // Without the switch everything but a failure looks like success.
  const plain = !argv.includes('--extended-status') && end.kind === 'exited' && end.code >= 32
  return plain ? { kind: 'exited', code: 0 } : end
}

/** The help of a crosvm that was built with every feature, in the form that `parseHelp` reads. */
export function fakeHelp(architecture: Architecture): string {
  const lines = options
    .filter((option) => !option.architectures || option.architectures.includes(architecture))
    .map((option) => `  ${option.short ? `-${option.short}, ` : ''}--${option.name}  ${option.property}`)
  return ['Usage: crosvm run <options> KERNEL', '', 'Options:', ...lines, ''].join('\n')
}

class FakeMachine {
  failure = ''
  readonly #spec: CrosvmSpec
  readonly #powers: FakePowers
  readonly #behaviour: FakeBehaviour
  readonly #state: FakeState = fakeState()
  readonly #ended = new AbortController()
  readonly #signal: AbortSignal
  #end: FakeEnd = { kind: 'signalled', signal: 'SIGKILL' }

  constructor(spec: CrosvmSpec, powers: FakePowers, signal: AbortSignal) {
    this.#spec = spec
    this.#powers = powers
    this.#behaviour = fakeBehaviour(spec)
    this.#signal = AbortSignal.any([signal, this.#ended.signal])
  }

  async run(): Promise<FakeEnd> {
    const { exit, signal, lateSocketMs } = this.#behaviour
    if (exit) void this.#after(exit.afterMs, { kind: 'exited', code: exit.status })
    if (signal) void this.#after(signal.afterMs, { kind: 'signalled', signal: signal.name })
    await this.#sleep(lateSocketMs)
    if (this.#spec.socket === undefined || this.#signal.aborted) await aborted(this.#signal)
    else await this.#serve(this.#spec.socket)
    return this.#end
  }

  async #serve(path: string): Promise<void> {
    const listening = this.#powers.sockets.listen(path, 'seqpacket', { backlog: 128 })
    if (listening.isErr()) {
      this.failure = listening.error.message
      this.#finish({ kind: 'exited', code: 1 })
      return
    }
    using listener = listening.value
    const clients: Promise<void>[] = []
    for (;;) {
      const peer = await listener.accept(this.#signal)
      if (peer.isErr()) break
      clients.push(this.#talk(peer.value))
    }
    await Promise.all(clients)
  }

  async #talk(socket: UnixSocket): Promise<void> {
    using held = socket
    for (;;) {
      const received = await held.receive({ maxBytes: 65_536, maxFds: 32, signal: this.#signal })
      if (received.isErr() || received.value.kind === 'end') return
      const { bytes, fds } = received.value
      const goes = await this.#handle(held, new TextDecoder().decode(bytes), fds.length)
      for (const fd of fds) fd.close()
      if (!goes) return
    }
  }

  /** Gives false when the connection is over. */
  async #handle(socket: UnixSocket, text: string, descriptors: number): Promise<boolean> {
    // The real one accepts at once but answers only when its main loop runs.
    await this.#sleep(this.#behaviour.slowStartMs)
    const json = parseExactJson(text)
    if (json.isErr()) return true
    const name = requestName(json.value)
    const does = (kind: keyof FakeBehaviour) => (this.#behaviour[kind] as readonly string[]).includes(name)
    if (does('noReply')) return true
    if (does('disconnect')) return false
    if (does('late')) await this.#sleep(200)
    if (does('malformed')) return this.#send(socket, '{"Okay":tru')
    if (does('error')) return this.#send(socket, '{"Err":19}')
    if (does('wrong')) return this.#send(socket, '{"PciHotPlugResponse":{"bus":7}}')
    const answered = answer(json.value, descriptors, this.#spec, this.#state)
    if (answered.kind === 'silence') return true
    if (answered.kind === 'exit') {
      await this.#send(socket, '"Ok"')
      this.#finish({ kind: 'exited', code: 0 })
      return false
    }
    return this.#send(socket, answered.text, answered.withDescriptor || does('extraDescriptor'))
  }

  async #send(socket: UnixSocket, text: string, withDescriptor = false): Promise<boolean> {
    const memory = withDescriptor ? this.#powers.sockets.createMemfd('fake-vm')._unsafeUnwrap() : undefined
    const fds: readonly Fd[] = memory ? [memory.fd] : []
    const sent = await socket.send(new TextEncoder().encode(text), { fds, signal: this.#signal })
    memory?.close()
    return sent.isOk()
  }

  #finish(end: FakeEnd): void {
    if (this.#ended.signal.aborted) return
    this.#end = end
    this.#ended.abort()
  }

  async #after(ms: number, end: FakeEnd): Promise<void> {
    await this.#sleep(ms)
    this.#finish(end)
  }

  async #sleep(ms: number): Promise<void> {
    if (ms === 0) return
    using timer = this.#powers.clock.deadline(ms)
    await aborted(AbortSignal.any([timer.signal, this.#signal]))
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
