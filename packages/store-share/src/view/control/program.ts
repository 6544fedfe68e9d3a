import type { Fd, UnixFd, UnixSocket } from '@spectrum/unix-fd'
import type { Clock } from '../../powers.js'
import type { FillRandom } from '../fuse/inode-numbers.js'
import { serveView, type ViewServer } from '../serve.js'
import {
  type ControlAnswer,
  type ControlFailure,
  type ControlRequest,
  encode,
  MOST_PACKET_BYTES,
  parseRequest,
} from './messages.js'

/** What the program of a view needs of the world. */
export interface ProgramPowers {
  /** Sockets and descriptors. */
  readonly descriptors: UnixFd
  /** Deadlines in milliseconds. */
  readonly clock: Clock
  /** Fills a buffer from the system's source of randomness. */
  readonly fillRandom: FillRandom
}

/** For the host to take an answer. */
const ANSWER_DEADLINE_MS = 10_000

/** Why the program of a view ended. */
export type ProgramEnd = 'host-gone' | 'host-broke-protocol'

/**
 * The program of a view: does what its host says on `control`, one request after the other, until the host's end
 * closes. It has no path to anything: all it can read came as a descriptor.
 */
export async function runViewProgram(control: UnixSocket, powers: ProgramPowers): Promise<ProgramEnd> {
  const program = new Program(control, powers)
  try {
    for (;;) {
      const received = await control.receive({
        maxBytes: MOST_PACKET_BYTES,
        maxFds: 1,
        signal: program.ending.signal,
      })
      // Whatever ends the channel ends the view: without a host nobody is left who could take a grant back.
      if (received.isErr() || received.value.kind === 'end') return 'host-gone'
      const understood = await program.handle(received.value.bytes, received.value.fds)
      if (!understood) return 'host-broke-protocol'
    }
  } finally {
    program.close()
    control.close()
  }
}

class Program {
  readonly ending = new AbortController()
  readonly #control: UnixSocket
  readonly #powers: ProgramPowers
  #view: ViewServer | undefined

  constructor(control: UnixSocket, powers: ProgramPowers) {
    this.#control = control
    this.#powers = powers
  }

  /** False when the host does not keep to the protocol: then nothing it says can be relied on. */
  async handle(bytes: Uint8Array, fds: readonly Fd[]): Promise<boolean> {
    const parsed = parseRequest(bytes)
    const wanted =
      parsed.isOk() && (parsed.value.request.do === 'grant' || parsed.value.request.do === 'attach')
    if (parsed.isErr() || fds.length !== (wanted ? 1 : 0)) {
      for (const fd of fds) fd.close()
      return false
    }
    const { id, request } = parsed.value
    const answer = this.#answer(id, request, fds[0])
    if (answer === undefined) {
      for (const fd of fds) fd.close()
      return false
    }
    return this.#say(answer)
  }

  close(): void {
    this.#view?.close()
  }

  #answer(id: number, request: ControlRequest, fd: Fd | undefined): ControlAnswer | undefined {
    if (request.do === 'configure') {
      if (this.#view !== undefined) return undefined
      const { tag, limits } = request
      this.#view = serveView({ ...this.#powers, tag, limits })
      return { id }
    }
    const view = this.#view
    if (view === undefined) return undefined
    switch (request.do) {
      case 'grant': {
        const granted = view.grant(request.name, fd!)
        if (granted.isOk()) return { id }
        fd!.close()
        return { id, failure: granted.error }
      }
      case 'revoke': {
        const revoked = view.revoke(request.name)
        return revoked.isOk() ? { id } : { id, failure: revoked.error }
      }
      case 'attach':
        return this.#attach(id, view, fd!)
      case 'counters':
        return { id, counters: view.counters() }
    }
  }

  #attach(id: number, view: ViewServer, fd: Fd): ControlAnswer {
    const refuse = (failure: ControlFailure) => {
      fd.close()
      return { id, failure }
    }
    if (view.busy)
      return refuse({ kind: 'busy', message: 'another front end is being served: wait for its end' })
    const { socket } = this.#powers.descriptors.inspect(fd).unwrapOr({ socket: undefined })
    if (socket?.domain !== 'unix' || socket.type !== 'stream' || socket.listening) {
      return refuse({ kind: 'refused', message: 'attach a connected Unix stream socket' })
    }
    void view.serve(this.#powers.descriptors.adoptSocket(fd, 'stream')).then(({ kind, message }) =>
      // It has gone because of this program's own end: nobody listens any more.
      kind === 'aborted' ? undefined : this.#say({ event: 'front-end-gone', kind, message }),
    )
    return { id }
  }

  async #say(message: unknown): Promise<boolean> {
    using patience = this.#powers.clock.deadline(ANSWER_DEADLINE_MS)
    const sent = await this.#control.send(encode(message), { signal: patience.signal })
    if (sent.isErr()) this.ending.abort()
    return sent.isOk()
  }
}
