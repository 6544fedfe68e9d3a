import { chmod, stat } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import type { ByteChannel } from '../machine.js'
import type { OneShotListener, Sockets } from '../powers.js'
import { socketChannel } from './channel.js'

export const linuxSockets: Sockets = {
  async listen(path) {
    if (!path.startsWith('/')) throw new TypeError(`not an absolute path: ${path}`)
    // bind(2) makes the socket with whatever the umask leaves, and Node cannot change the umask for one call
    // only. So the directory keeps others out while the mode is being set.
    const directory = await stat(dirname(path))
    if ((directory.mode & 0o077) !== 0)
      throw Object.assign(new Error(`${dirname(path)} is open to other users`), { code: 'EACCES' })
    const server = createServer({ pauseOnConnect: true })
    const listener = new LinuxListener(server, path)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ path, backlog: 1 }, () => {
        server.removeListener('error', reject)
        resolve()
      })
    })
    try {
      await chmod(path, 0o600)
    } catch (error) {
      listener[Symbol.dispose]()
      throw error
    }
    return listener
  },
}

class LinuxListener implements OneShotListener {
  #peer: Socket | undefined
  #handedOut = false
  #closed = false
  #wake: () => void = () => {}

  constructor(
    private readonly server: Server,
    readonly path: string,
  ) {
    server.on('connection', (socket) => {
      if (this.#peer !== undefined || this.#closed) {
        socket.destroy()
        return
      }
      this.#peer = socket
      this.#stopListening()
      this.#wake()
    })
    // After `listen` has succeeded only accept(2) can fail; the waiting operation then meets its deadline.
    server.on('error', () => {})
  }

  async accept(signal: AbortSignal): Promise<ByteChannel> {
    if (this.#handedOut) throw new TypeError('a one-shot listener accepts once')
    while (this.#peer === undefined && !this.#closed) {
      signal.throwIfAborted()
      await new Promise<void>((resolve) => {
        this.#wake = () => {
          signal.removeEventListener('abort', this.#wake)
          resolve()
        }
        signal.addEventListener('abort', this.#wake, { once: true })
      })
    }
    if (this.#peer === undefined) throw new Error('the listener is closed')
    this.#handedOut = true
    return socketChannel(this.#peer)
  }

  [Symbol.dispose](): void {
    if (this.#closed) return
    this.#closed = true
    this.#stopListening()
    if (!this.#handedOut) this.#peer?.destroy()
    this.#wake()
  }

  /** libuv unlinks the path of a Unix socket as it closes it; nobody else makes that path meanwhile. */
  #stopListening(): void {
    if (this.server.listening) this.server.close()
  }
}
