import { readdirSync } from 'node:fs'
import { ok } from 'neverthrow'
import { describe, expect, it } from 'vitest'
import { readEvents } from '../page/event-stream.js'
import type { Command, Snapshot, UnitLines } from '../src/board/snapshot.js'
import type { Source } from '../src/board/source.js'
import { systemClock } from '../src/clock.js'
import { readPage } from '../src/web/page-files.js'
import { type ServeLimits, serve } from '../src/web/server.js'
import { newToken } from '../src/web/token.js'
import { eventually } from './hosts.js'
import { type Asked, ask, rawConnection } from './requests.js'

const page = await readPage()

/** Tells what a test lets it tell. */
class TestSource implements Source {
  revision = 1
  snapshots = 0
  text = 'a text'
  lines: readonly UnitLines[] = []
  readonly commands: (Command & { readonly unit: string })[] = []
  readonly watchers = new Set<() => void>()

  snapshot(): Snapshot {
    this.snapshots += 1
    const memory = { rssBytes: 0, pssBytes: 0, savedBytes: 0 }
    const host = { monitor: this.text, accelerator: 'none', why: '' }
    return { host, units: [], edges: [], memory, software: [], notices: [] }
  }

  linesAfter(seen: ReadonlyMap<string, number>): readonly UnitLines[] {
    return this.lines.filter(({ unit, lines }) => (lines.at(-1)?.seq ?? 0) > (seen.get(unit) ?? 0))
  }

  watch(onChange: () => void): Disposable {
    this.watchers.add(onChange)
    return { [Symbol.dispose]: () => void this.watchers.delete(onChange) }
  }

  command(unit: string, command: Command) {
    this.commands.push({ unit, ...command })
    return ok(this.commands.length)
  }

  change(text: string): void {
    this.text = text
    this.revision += 1
    for (const watcher of this.watchers) watcher()
  }
}

async function served(limits: Partial<ServeLimits> = {}) {
  const source = new TestSource()
  const token = newToken()
  const options = { port: 0, token, page, clock: systemClock, limits: { gapMs: 0, ...limits } }
  const server = (await serve(source, options))._unsafeUnwrap()
  const { port } = server
  const bearing = { authorization: `Bearer ${token}` }
  const own = { ...bearing, origin: `http://127.0.0.1:${port}`, 'content-type': 'application/json' }
  return {
    source,
    server,
    port,
    bearing,
    get: (path: string, asked?: Asked) => ask(port, path, asked),
    post: (path: string, body: readonly (string | Uint8Array)[], headers: Record<string, string> = {}) =>
      ask(port, path, { method: 'POST', headers: { ...own, ...headers }, body }),
    /** The events of a page, one after the other. */
    async listen() {
      const answer = await fetch(`http://127.0.0.1:${port}/api/events`, { headers: bearing })
      return { status: answer.status, events: readEvents(answer.body!), body: answer.body! }
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

/** A server that has seen enough may hang up while the rest is being sent. */
const refusalOf = (asked: ReturnType<typeof ask>) =>
  asked.then(kindOf, ({ code }: NodeJS.ErrnoException) => `${code}`)
const orHungUp = (refusal: string) => expect.stringMatching(`^(${refusal}|ECONNRESET|EPIPE)$`)

const kindOf = ({ status, text }: { status: number; text: string }) => `${status} ${JSON.parse(text).kind}`

describe('the server of the page', () => {
  it('gives out the files of the page, each as what it is, and nothing beside them', async () => {
    await using at = await served()
    for (const [path, { type, bytes }] of page) {
      const { status, headers, text } = await at.get(path)
      expect([status, headers['content-type'], text]).toEqual([200, type, Buffer.from(bytes).toString()])
    }
    const scripts = [...page.values()].map(({ bytes }) => Buffer.from(bytes).toString()).join('\n')
    const named = [...scripts.matchAll(/(?:from '\.|src="|href=")(\/[\w.-]+)/g)].map(([, path]) => path)
    expect(named.length).toBeGreaterThan(8)
    expect(named.filter((path) => !page.has(path!))).toEqual([])
    expect((await at.get('/event-stream.d.ts')).status).toBe(404)
  })

  it('says the same about each answer, refusals too: no other script, no frame, no sniffing, no copy', async () => {
    await using at = await served()
    for (const path of ['/', '/nothing', '/api/events']) {
      const { headers } = await at.get(path)
      const policy = String(headers['content-security-policy'])
      expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
      expect(policy).toContain("frame-ancestors 'none'; require-trusted-types-for 'script'")
      expect(policy).not.toMatch(/unsafe|\*|data:|http/)
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
        'cross-origin-opener-policy': 'same-origin',
        'cache-control': 'no-store',
        connection: 'close',
      })
      expect(Object.keys(headers).join()).not.toMatch(/access-control|set-cookie|powered|server/)
    }
  })

  it('refuses by what a browser cannot lie about, on the wire as in the guard', async () => {
    await using at = await served()
    const events = (headers: Record<string, string>) =>
      at.get('/api/events', { headers: { ...at.bearing, ...headers } }).then(kindOf)
    expect(await events({ host: `evil.example:${at.port}` })).toBe('403 host')
    expect(await events({ origin: 'http://evil.example' })).toBe('403 origin')
    expect(await events({ 'sec-fetch-site': 'cross-site' })).toBe('403 site')
    expect(await events({ authorization: 'Bearer wrong' })).toBe('401 token')
    expect(await at.get('/api/events').then(kindOf)).toBe('401 token')
    const form = at.post('/api/units/mail/stop', ['{"now":true}'], { 'content-type': 'text/plain' })
    expect(await refusalOf(form)).toEqual(orHungUp('415 content-type'))
    expect(at.source.commands).toEqual([])
    expect(at.source.watchers.size).toBe(0)
  })

  it('reads no header that comes twice as one of the two', async () => {
    await using at = await served()
    using raw = await rawConnection(at.port)
    raw.write('GET / HTTP/1.1', 'Host: evil.example', `Host: 127.0.0.1:${at.port}`, '')
    await eventually(raw.isClosed).toBe(true)
    expect(raw.said()).toMatch(/^HTTP\/1.1 403 /)
    using old = await rawConnection(at.port)
    old.write('GET / HTTP/1.0', '')
    await eventually(old.isClosed).toBe(true)
    expect(old.said()).toMatch(/^HTTP\/1.1 403 /)
  })

  it('carries commands with exactly their fields', async () => {
    await using at = await served()
    const bodies: readonly (readonly [string, string])[] = [
      ['start', '{}'],
      ['stop', '{"now":false}'],
      ['stop', '{"now":true}'],
      ['inject', '{"software":"debugger"}'],
    ]
    for (const [verb, body] of bodies)
      expect((await at.post(`/api/units/mail/${verb}`, [body])).status).toBe(202)
    expect(at.source.commands).toEqual([
      { unit: 'mail', kind: 'start' },
      { unit: 'mail', kind: 'stop', now: false },
      { unit: 'mail', kind: 'stop', now: true },
      { unit: 'mail', kind: 'inject', software: 'debugger' },
    ])
  })

  it.each([
    ['start', ''],
    ['start', '[]'],
    ['start', 'null'],
    ['start', '{"now":true}'],
    ['stop', '{}'],
    ['stop', '{"now":1}'],
    ['stop', '{"now":true,"force":true}'],
    ['inject', '{"software":1}'],
    ['inject', '{"software":"a"'],
    ['inject', '{"__proto__":{"software":"a"}}'],
    ['inject', '{"software":"\xff"}'],
  ])('takes nothing else for a command: %s %s', async (verb, body) => {
    await using at = await served()
    expect(await at.post(`/api/units/mail/${verb}`, [Buffer.from(body, 'latin1')]).then(kindOf)).toBe(
      '400 malformed',
    )
    expect(at.source.commands).toEqual([])
  })

  it('reads 1,024 bytes of a command and not one more, whether it says so before or not', async () => {
    await using at = await served()
    const body = (bytes: number) => `{"software":"${'a'.repeat(bytes - 15)}"}`
    const inject = '/api/units/mail/inject'
    expect((await at.post(inject, [body(1_024)])).status).toBe(202)
    const announced = at.post(inject, [body(1_025)], { 'content-length': '1025' })
    expect(await refusalOf(announced)).toEqual(orHungUp('413 too-long'))
    const inHalves = at.post(inject, [body(1_025).slice(0, 600), body(1_025).slice(600)])
    expect(await refusalOf(inHalves)).toEqual(orHungUp('413 too-long'))
    expect(at.source.commands).toHaveLength(1)
  })

  it('says nothing of a request in its answer, and the token nowhere', async () => {
    await using at = await served()
    const asked = at.get('/<script>alert(1)</script>', { headers: { 'x-test': 'spoken', ...at.bearing } })
    const { text, headers } = await asked
    expect(text + JSON.stringify(headers)).not.toMatch(
      new RegExp(`script>|spoken|${at.bearing.authorization}`),
    )
  })
})

describe('the events of the page', () => {
  it('begin with the whole state, and go on with what changes', async () => {
    await using at = await served()
    at.source.lines = [
      { unit: 'mail', lines: [{ seq: 3, at: 0, source: 'stdout', text: 'a\nb\n\nevent: c' }] },
    ]
    const { events } = await at.listen()
    const next = async () => {
      const { value } = await events.next()
      return [value!.event, JSON.parse(value!.data)]
    }
    expect(await next()).toEqual([
      'state',
      expect.objectContaining({ host: expect.objectContaining({ monitor: 'a text' }) }),
    ])
    expect(await next()).toEqual(['log', at.source.lines[0]])
    at.source.change('data: x\n\nevent: end\r\n\u2028</script>')
    expect(await next()).toEqual(['state', at.source.snapshot()])
    await events.return(undefined)
    await eventually(() => [at.source.watchers.size, at.server.streams]).toEqual([0, 0])
  })

  it('leave out what was between for who reads slowly, and drop who does not read', async () => {
    await using at = await served({ stallMs: 100 })
    using idle = await rawConnection(at.port)
    idle.socket.pause()
    idle.write(
      'GET /api/events HTTP/1.1',
      `Host: 127.0.0.1:${at.port}`,
      `Authorization: ${at.bearing.authorization}`,
      '',
    )
    await eventually(() => at.server.streams).toBe(1)
    // More than the system keeps for a connection, twice at a time.
    const megabytes = 'x'.repeat(4 * 1024 * 1024)
    let changes = 0
    const flood = () => {
      for (const turn of ['one', 'two']) at.source.change(`${turn} ${megabytes}`)
      changes += 2
      return at.server.streams
    }
    await eventually(flood).toBe(0)
    expect(at.source.snapshots).toBeLessThanOrEqual(changes / 2 + 1)
    idle.socket.resume()
    await eventually(idle.isClosed).toBe(true)
    expect(at.source.watchers.size).toBe(0)
  })

  it('say that they live when there is nothing to say', async () => {
    await using at = await served({ silenceMs: 20 })
    using raw = await rawConnection(at.port)
    raw.write(
      'GET /api/events HTTP/1.1',
      `Host: 127.0.0.1:${at.port}`,
      `Authorization: ${at.bearing.authorization}`,
      '',
    )
    await eventually(() => raw.said().split(/^:$/m).length).toBeGreaterThan(3)
    expect(raw.said().match(/event: state/g)).toHaveLength(1)
  })

  it('are for eight pages at a time', async () => {
    await using at = await served()
    const pages = await Promise.all(Array.from({ length: 8 }, () => at.listen()))
    await Promise.all(pages.map(({ events }) => events.next()))
    const { status, body } = await at.listen()
    expect(status).toBe(503)
    await body.cancel()
    await pages[0]!.events.return(undefined)
    await eventually(() => at.server.streams).toBe(7)
    const ninth = await at.listen()
    expect(ninth.status).toBe(200)
    await Promise.all([...pages, ninth].map(({ events }) => events.return(undefined)))
  })

  it('end with a word when the server is closed, and leave nothing open', async () => {
    const before = readdirSync('/proc/self/fd').length
    const at = await served({ farewellMs: 100 })
    const { events } = await at.listen()
    expect((await events.next()).value?.event).toBe('state')
    using stuck = await rawConnection(at.port)
    stuck.write('GET / HTTP/1.1')
    const closed = at.server[Symbol.asyncDispose]()
    const last: string[] = []
    for await (const { event } of events) last.push(event)
    expect(last).toEqual(['end'])
    await closed
    await eventually(stuck.isClosed).toBe(true)
    expect([at.source.watchers.size, at.server.streams]).toEqual([0, 0])
    await expect(at.get('/')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await eventually(() => readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before)
  })
})

describe('who takes up room', () => {
  it.each([
    ['says nothing', []],
    ['stops in the middle of the head', ['GET / HTTP/1.1', 'Host: 127']],
  ])('is sent away when it %s', async (_, lines) => {
    await using at = await served({ requestMs: 40 })
    using raw = await rawConnection(at.port)
    raw.write(...lines)
    await eventually(raw.isClosed).toBe(true)
  })

  it('is sent away when it stops in the middle of a command', async () => {
    await using at = await served({ requestMs: 40 })
    using raw = await rawConnection(at.port)
    raw.write('POST /api/units/mail/start HTTP/1.1', `Host: 127.0.0.1:${at.port}`)
    raw.write(`Origin: http://127.0.0.1:${at.port}`, `Authorization: ${at.bearing.authorization}`)
    raw.write('Content-Type: application/json', 'Content-Length: 20', '', '{')
    await eventually(raw.isClosed).toBe(true)
    expect(at.source.commands).toEqual([])
  })

  it('is refused for a head of more than 8 KiB', async () => {
    await using at = await served()
    using raw = await rawConnection(at.port)
    raw.write('GET / HTTP/1.1', `Host: 127.0.0.1:${at.port}`, `X: ${'x'.repeat(8_192)}`, '')
    await eventually(raw.isClosed).toBe(true)
    expect(raw.said()).toMatch(/^HTTP\/1.1 431 /)
  })

  it('has one request for each connection', async () => {
    await using at = await served()
    using raw = await rawConnection(at.port)
    const { authorization } = at.bearing
    const own = `127.0.0.1:${at.port}`
    const command = [
      ...['POST /api/units/mail/start HTTP/1.1', `Host: ${own}`, `Origin: http://${own}`],
      ...[`Authorization: ${authorization}`, 'Content-Type: application/json', 'Content-Length: 4', '', '{}'],
    ]
    raw.write(...command, ...command, ...command)
    await eventually(raw.isClosed).toBe(true)
    expect(raw.said().match(/^HTTP\/1.1 202 /gm)).toHaveLength(1)
    expect(at.source.commands).toHaveLength(1)
  })

  it('has so many connections and no more', async () => {
    await using at = await served({ connections: 2 })
    using first = await rawConnection(at.port)
    using second = await rawConnection(at.port)
    using third = await rawConnection(at.port)
    await eventually(third.isClosed).toBe(true)
    expect([first.isClosed(), second.isClosed()]).toEqual([false, false])
    first.socket.destroy()
    second.socket.destroy()
    await eventually(() =>
      at.get('/').then(
        ({ status }) => status,
        () => 0,
      ),
    ).toBe(200)
  })

  it('cannot have a port that is taken', async () => {
    await using at = await served()
    const { port, source } = at
    const again = await serve(source, { port, token: newToken(), page, clock: systemClock })
    expect(again._unsafeUnwrapErr()).toMatchObject({
      kind: 'not-listening',
      message: expect.stringContaining('taken'),
    })
  })
})
