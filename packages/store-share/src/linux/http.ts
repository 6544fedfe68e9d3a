import * as http from 'node:http'
import * as https from 'node:https'
import { rootCertificates } from 'node:tls'
import type { HttpClient, HttpResponse } from '../sources/http-transport.js'

const MAX_HEADER_BYTES = 32 << 10

/** Idle connections are kept for a while, and keep nothing alive. */
const CONNECTIONS = { keepAlive: true, maxSockets: 16, timeout: 60_000 } as const

const plain = new http.Agent(CONNECTIONS)

/** Over connections whose servers show a certificate of an authority that Node knows, or of one of `authorities` (PEM). */
export function httpClientTrusting(authorities: readonly string[]): HttpClient {
  const known = authorities.length === 0 ? {} : { ca: [...rootCertificates, ...authorities] }
  const secure = new https.Agent({ ...CONNECTIONS, ...known })
  return {
    get: (url, headers, signal) =>
      new Promise((resolve, reject) => {
        const options = { headers, signal, maxHeaderSize: MAX_HEADER_BYTES }
        const request =
          url.protocol === 'https:'
            ? https.get(url, { ...options, agent: secure })
            : http.get(url, { ...options, agent: plain })
        request.once('error', reject)
        request.once('response', (response) => resolve(answer(response)))
      }),
  }
}

/** An HTTP client that trusts Node's own certificate authorities. */
export const httpClient = httpClientTrusting([])

function answer(response: http.IncomingMessage): HttpResponse {
  // One that breaks while nobody reads it must not end the program.
  response.on('error', () => {})
  return {
    status: response.statusCode ?? 0,
    header(name) {
      const value = response.headers[name]
      return Array.isArray(value) ? value.join(', ') : value
    },
    body: response,
    cancel: () => void response.destroy(),
  }
}
