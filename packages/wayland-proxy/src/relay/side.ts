import type { ReadyWatch, UnixFdError, UnixSocket } from '@spectrum/unix-fd'
import { err, ok, type Result } from 'neverthrow'
import { Input } from './input.js'
import { Output } from './output.js'

const DRAINED: Result<boolean, UnixFdError> = ok(true)
const WAITING: Result<boolean, UnixFdError> = ok(false)

/** One of the two connections of a pair: what came, what goes, and what is waited for. */
export class Side {
  readonly socket: UnixSocket
  readonly input = new Input()
  readonly output = new Output()
  #reading: ReadyWatch | undefined
  #writing: ReadyWatch | undefined
  readonly #onReadable: () => void
  readonly #onWritable: () => void

  constructor(socket: UnixSocket, onReadable: () => void, onWritable: () => void) {
    this.socket = socket
    this.#onReadable = onReadable
    this.#onWritable = onWritable
  }

  get closed(): boolean {
    return this.socket.fd.closed
  }

  /** Whether to be called when something can be read. */
  read(on: boolean): Result<void, UnixFdError> {
    if (on === (this.#reading !== undefined) || this.closed) return ok()
    if (!on) {
      this.#reading?.close()
      this.#reading = undefined
      return ok()
    }
    const watch = this.socket.fd.onReady('readable', this.#onReadable)
    if (watch.isErr()) return err(watch.error)
    this.#reading = watch.value
    return ok()
  }

  /**
   * Sends what goes now, and the rest when it can. True when all is gone. Who waits until it can send is not asked
   * again before that, unless `anyway`.
   */
  flush(anyway = false): Result<boolean, UnixFdError> {
    if (this.output.pending === 0) return DRAINED
    if (this.#writing !== undefined && !anyway) return WAITING
    const flushed = this.output.flush(this.socket)
    if (flushed.isErr()) return flushed
    if (flushed.value) {
      this.#writing?.close()
      this.#writing = undefined
      return DRAINED
    }
    if (this.#writing !== undefined) return flushed
    return this.socket.fd.onReady('writable', this.#onWritable).map((watch) => {
      this.#writing = watch
      return false
    })
  }

  /**
   * Closes the socket and every descriptor on its way. Idempotent. What was not read is no reason for the peer to hear of
   * an error: crosvm, for one, tells a guest's client of an end only.
   */
  close(): void {
    this.#reading?.close()
    this.#writing?.close()
    this.#reading = undefined
    this.#writing = undefined
    this.input.close()
    this.output.close()
    // Without a connection there is nothing to say.
    this.socket.renounce()
    this.socket.close()
  }
}
