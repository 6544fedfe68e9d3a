import { fstatSync } from 'node:fs'
import { Socket } from 'node:net'
import { isatty } from 'node:tty'
import type { Sink } from '../powers.js'

/**
 * Standard output or error. Node writes to a pipe synchronously, so a reader that stalls would stop this whole
 * program, and with it the unit and Ctrl-C; here a pipe is written to as a socket is.
 */
export function standardStream(descriptor: 1 | 2): Sink {
  let stream: NodeJS.WritableStream | undefined
  const opened = () => {
    if (stream === undefined) {
      stream = isPipe(descriptor)
        ? new Socket({ fd: descriptor, readable: false, writable: true })
        : descriptor === 1
          ? process.stdout
          : process.stderr
      // Told to each write as well; unheard, it would end this program.
      stream.on('error', () => {})
    }
    return stream
  }
  return {
    isTerminal: isatty(descriptor),
    write: (bytes) =>
      new Promise((resolve, reject) => {
        opened().write(bytes, (error) => (error ? reject(error) : resolve()))
      }),
  }
}

function isPipe(descriptor: number): boolean {
  try {
    const facts = fstatSync(descriptor)
    return facts.isFIFO() || facts.isSocket()
  } catch {
    return false
  }
}
