import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'

const { answerFrom } = (await import(new URL('../site/answer.mjs', import.meta.url).href)) as {
  answerFrom(folder: string): Parameters<typeof createServer>[1]
}

const folder = mkdtempSync(join(tmpdir(), 'docs-serve-'))
let server: Server

beforeAll(async () => {
  mkdirSync(join(folder, 'site', 'deep'), { recursive: true })
  writeFileSync(join(folder, 'site', 'index.html'), 'first')
  writeFileSync(join(folder, 'site', 'deep', 'page.html'), 'deep')
  writeFileSync(join(folder, 'secret'), 'secret')
  server = createServer(answerFrom(join(folder, 'site')))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

// By hand, because fetch takes dots out of a path.
const get = (path: string, method = 'GET') =>
  new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
    const { port } = server.address() as AddressInfo
    request({ port, host: '127.0.0.1', path, method, agent: false }, (response) => {
      let body = ''
      response.on('data', (chunk) => (body += chunk))
      response.on('end', () => resolve({ status: response.statusCode, body }))
    })
      .on('error', reject)
      .end()
  })

it('serves the files of the site', async () => {
  expect(await get('/')).toEqual({ status: 200, body: 'first' })
  expect(await get('/deep/page.html?x=1')).toEqual({ status: 200, body: 'deep' })
  expect(await get('/deep/page.html', 'HEAD')).toEqual({ status: 200, body: '' })
})

it.each([
  '/../secret',
  '/..%2fsecret',
  '/deep/../../secret',
  '/%2e%2e/secret',
  '/deep',
  '/%00',
  '/%',
  '//etc/passwd',
])('serves nothing else: %s', async (path) => {
  const { status, body } = await get(path)
  expect([400, 404]).toContain(status)
  expect(body).not.toContain('secret')
})

it('takes nothing in', async () => {
  expect((await get('/', 'PUT')).status).toBe(405)
})
