import { describe, expect, it } from 'vitest'
import { readOptions, USAGE } from '../src/options.js'
import { type RunOptions, runDashboard } from '../src/run.js'
import { defineGraph as defineExampleGraph } from '../src/units.js'
import { visitOnce } from '../src/visit.js'
import { defineGraph, eventually, fakeHost, path, software } from './hosts.js'
import { ask } from './requests.js'

const nothing = { processes: [], sockets: [], mounts: [], files: [] }

/** The whole program, but for its virtual machines. */
async function program(options: Parameters<typeof fakeHost>[0] = {}) {
  const fake = await fakeHost(options)
  const said: string[] = []
  const end = new AbortController()
  const run = (more: Partial<RunOptions> = {}) =>
    runDashboard(fake.host, {
      graph: defineGraph(),
      software,
      say: (line) => void said.push(line),
      signal: end.signal,
      ...more,
    })
  return { ...fake, said, end, run }
}

const addressIn = (said: readonly string[]) => said.join('\n').match(/http:\S+/)?.[0]

describe('the host program', () => {
  it('prints an address with a token, starts the units, and leaves nothing when it is told to end', async () => {
    await using at = await program()
    const ran = at.run()
    const states = () => [...at.host.units.values()].map(({ state }) => state).sort()
    await eventually(states).toEqual(['dormant', 'running', 'running', 'running'])
    const address = new URL(addressIn(at.said)!)
    expect(address).toMatchObject({ hostname: '127.0.0.1', pathname: '/', search: '' })
    expect(address.hash).toMatch(/^#token=[\w-]{43}$/)
    at.end.abort()
    expect((await ran)._unsafeUnwrap()).toEqual(nothing)
    expect(at.host.units.size).toBe(0)
    await expect(ask(Number(address.port), '/')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('says the token in that one line, whatever comes to its server', async () => {
    await using at = await program()
    const logged: string[] = []
    at.events.on('log', ({ text }) => logged.push(text))
    const ran = at.run()
    await eventually(() => addressIn(at.said)).toBeDefined()
    const { port, hash } = new URL(addressIn(at.said)!)
    const token = hash.slice('#token='.length)
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const answers = await Promise.all([
      ask(Number(port), `/?token=${token}`),
      ask(Number(port), `/api/units/${token}/stop`, { method: 'POST', headers }),
      ask(Number(port), '/api/events', { headers: { authorization: `bearer ${token}` } }),
      ask(Number(port), '/api/events', { headers: { ...headers, host: token } }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([404, 403, 401, 403])
    at.end.abort()
    await ran
    expect(at.said.filter((line) => line.includes(token))).toHaveLength(1)
    expect(JSON.stringify([logged, answers])).not.toContain(token)
  })

  it('can be visited without a browser, and ends then', async () => {
    await using at = await program()
    const lines: string[] = []
    const visit: RunOptions['visit'] = (address, signal) =>
      visitOnce(address, { say: (line) => lines.push(line), signal })
    expect((await at.run({ visit }))._unsafeUnwrap()).toEqual(nothing)
    expect(lines).toContain('unit      worker: running, 1 store paths')
    expect(lines).toContain('edge      mail.sign goes to vault')
    expect(lines).toContain('edge      mail.spare goes to nothing')
  })

  it('fails when a unit does not start, with its words, and leaves nothing', async () => {
    await using at = await program({ programs: {} })
    const visit: RunOptions['visit'] = (address, signal) => visitOnce(address, { say: () => {}, signal })
    const ran = await at.run({ visit })
    expect(ran._unsafeUnwrapErr()).toMatchObject({
      kind: 'not-as-expected',
      message: expect.stringContaining('worker'),
    })
    expect((await at.host.leftovers())._unsafeUnwrap()).toEqual(nothing)
  })

  it('stops its host when the page cannot be served', async () => {
    await using other = await program()
    const ran = other.run()
    await eventually(() => addressIn(other.said)).toBeDefined()
    await using at = await program()
    const second = await at.run({ port: Number(new URL(addressIn(other.said)!).port) })
    expect(second._unsafeUnwrapErr().kind).toBe('not-listening')
    expect((await at.host.leftovers())._unsafeUnwrap()).toEqual(nothing)
    other.end.abort()
    await ran
  })

  it('has a graph that can be started, of closures that share', () => {
    const graph = defineExampleGraph({ left: path('1', 'left'), right: path('2', 'right') })._unsafeUnwrap()
    expect(Object.keys(graph.units)).toEqual(['counter', 'abacus', 'colours'])
    expect(graph.wires).toHaveLength(1)
  })
})

describe('its options', () => {
  it.each([
    [[], { port: 0, once: false }],
    [['--port', '1024'], { port: 1024, once: false }],
    [['--port=65535', '--once'], { port: 65535, once: true }],
  ])('are read: %j', (words, options) => {
    expect(readOptions(words)).toEqual(options)
  })

  it.each([['--port', '80'], ['--port', '65536'], ['--port', '1e4'], ['--port', ''], ['--quiet'], ['page']])(
    'are explained when they are wrong: %s %s',
    (...words) => {
      expect(readOptions(words)).toMatch(/\n\nUsage: /)
    },
  )

  it('are explained when they are asked for', () => {
    expect(readOptions(['--help'])).toBe(USAGE)
  })
})
