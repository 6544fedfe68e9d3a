import { createReadStream, statSync } from 'node:fs'
import { extname, join, normalize } from 'node:path'

const types = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
}

/** Answers GET and HEAD with the files of a folder, and nothing outside of it. */
export const answerFrom = (folder) => (request, response) => {
  const refuse = (status) => response.writeHead(status, { 'content-type': 'text/plain' }).end(`${status}\n`)
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(405)
  let path
  try {
    path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname)
  } catch {
    return refuse(400)
  }
  if (path.includes('\0')) return refuse(400)
  const file = join(folder, normalize(`/${path}`), path.endsWith('/') ? 'index.html' : '')
  const found = statSync(file, { throwIfNoEntry: false })
  if (!found?.isFile()) return refuse(404)
  response.writeHead(200, {
    'content-type': types[extname(file)] ?? 'application/octet-stream',
    'content-length': found.size,
    'x-content-type-options': 'nosniff',
  })
  if (request.method === 'HEAD') return response.end()
  createReadStream(file)
    .on('error', () => response.destroy())
    .pipe(response)
}
