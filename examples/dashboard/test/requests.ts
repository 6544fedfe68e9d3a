import { request } from 'node:http'
import { connect } from 'node:net'

export interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** In pieces, so that its length is not known before. */
  readonly body?: readonly (string | Uint8Array)[]
}

export interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** One request on a connection of its own. Rejects when there is no whole answer. */
export function ask(port: number, path: string, { method = 'GET', headers = {}, body = [] }: Asked = {}) {
  return new Promise<Answered>((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          text: Buffer.concat(chunks).toString(),
        }),
      )
    })
    asked.on('error', reject)
    for (const piece of body) asked.write(piece)
    asked.end()
  })
}

/** A connection on which a test writes what it likes, and reads or does not. */
export async function rawConnection(port: number) {
  const socket = connect({ host: '127.0.0.1', port })
  let text = ''
  let closed = false
  socket.on('error', () => {})
  socket.on('close', () => {
    closed = true
  })
  socket.on('data', (chunk) => {
    text += chunk
  })
  await new Promise((resolve) => socket.once('connect', resolve))
  return {
    socket,
    said: () => text,
    isClosed: () => closed,
    write: (...lines: readonly string[]) => void socket.write(lines.map((line) => `${line}\r\n`).join('')),
    [Symbol.dispose]: () => void socket.destroy(),
  }
}
