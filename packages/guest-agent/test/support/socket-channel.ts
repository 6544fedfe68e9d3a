import type { Duplex } from 'node:stream'
import type { ByteChannel } from '@spectrum/guest-agent'

/** A socket as the byte channel that the agent's client takes. */
export function socketChannel(socket: Duplex): ByteChannel {
  socket.on('error', () => {})
  return {
    incoming: socket as AsyncIterable<Uint8Array>,
    write: (bytes) =>
      new Promise((resolve, reject) => {
        socket.write(bytes, (cause) => (cause ? reject(cause) : resolve()))
      }),
    close: () => {
      socket.destroy()
    },
  }
}
