import * as http from 'node:http'
import * as https from 'node:https'
import type { HttpClient, HttpResponse } from '../sources/http-transport.js'

const MAX_HEADER_BYTES = 32 << 10

/** Idle connections are kept for a while, and keep nothing alive. */
const agents = {
  'http:': new http.Agent({ keepAlive: true, maxSockets: 16, timeout: 60_000 }),
  'https:': new https.Agent({ keepAlive: true, maxSockets: 16, timeout: 60_000 }),
}

export const httpClient: HttpClient = {
  get: (url, headers, signal) =>
    new Promise((resolve, reject) => {
      const options = { headers, signal, maxHeaderSize: MAX_HEADER_BYTES }
      const request =
        url.protocol === 'https:'
          ? https.get(url, { ...options, agent: agents['https:'] })
          : http.get(url, { ...options, agent: agents['http:'] })
      request.once('error', reject)
      request.once('response', (response) => resolve(answer(response)))
    }),
}

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
