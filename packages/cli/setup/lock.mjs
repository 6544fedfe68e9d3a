import { createHash } from 'node:crypto'
import { connect, createServer } from 'node:net'
import { Problem } from './commands.mjs'

/**
 * One set-up at a time in one checkout. The lock is a listening socket in Linux's abstract namespace: the
 * kernel releases it with the process, however that ends, so no stale lock can be left behind.
 */
export async function lockCheckout(root, { signal, waiting, deadlineMs = 1_200_000 }) {
  const address = `\0spectrum-setup-${process.getuid?.()}-${createHash('sha256').update(root).digest('hex').slice(0, 32)}`
  const until = Date.now() + deadlineMs
  for (let announced = false; ; announced = true) {
    const server = await listen(address)
    if (server) return { release: () => new Promise((done) => server.close(done)) }
    if (!announced) waiting()
    await holderGone(address, signal, until - Date.now())
    if (signal?.aborted) throw signal.reason
    if (Date.now() > until)
      throw new Problem(
        'Another set-up of this checkout has not finished',
        'find it with `ps`, stop it, and run this again',
      )
  }
}

function listen(address) {
  return new Promise((resolve, reject) => {
    const waiters = new Set()
    const server = createServer((socket) => {
      waiters.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => waiters.delete(socket))
      socket.unref()
    })
    server.once('error', (error) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)))
    server.listen(address, () => {
      server.unref()
      const close = server.close.bind(server)
      server.close = (done) => {
        for (const socket of waiters) socket.destroy()
        return close(done)
      }
      resolve(server)
    })
  })
}

/** Connected to the holder, this hears the moment it lets go. */
function holderGone(address, signal, ms) {
  return new Promise((resolve) => {
    const socket = connect(address)
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      socket.destroy()
      resolve()
    }
    const timer = setTimeout(done, Math.max(ms, 0))
    signal?.addEventListener('abort', done, { once: true })
    socket.on('error', done)
    socket.on('close', done)
    socket.resume()
  })
}
