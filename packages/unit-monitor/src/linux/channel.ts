import type { Socket } from 'node:net'
import type { ByteChannel } from '../machine.js'

/** A connected stream socket as a byte channel. The channel owns the socket. */
export function socketChannel(socket: Socket): ByteChannel {
  // Whoever reads or writes learns of an error through the end of the channel.
  socket.on('error', () => {})
  let taken = false
  return {
    incoming: {
      [Symbol.asyncIterator]() {
        if (taken) throw new TypeError('a channel has one consumer')
        taken = true
        return chunksOf(socket)
      },
    },
    async write(bytes) {
      if (!socket.writable) throw new Error('the channel is closed')
      if (bytes.length === 0) return
      const accepted = socket.write(bytes)
      if (!accepted) await once(socket, ['drain', 'close'])
      if (socket.destroyed && socket.writableLength > 0) throw new Error('the channel is closed')
    },
    close() {
      socket.destroy()
    },
  }
}

async function* chunksOf(socket: Socket): AsyncGenerator<Uint8Array, void, void> {
  for (;;) {
    const chunk: Uint8Array | null = socket.read()
    if (chunk !== null) yield chunk
    else if (socket.readableEnded || socket.destroyed) return
    else await once(socket, ['readable', 'end', 'close'])
  }
}

function once(socket: Socket, events: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      for (const event of events) socket.removeListener(event, settle)
      resolve()
    }
    for (const event of events) socket.on(event, settle)
    if (socket.destroyed) settle()
  })
}
