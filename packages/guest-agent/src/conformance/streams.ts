import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import type { Agent, GuestCall, GuestStream } from '../agent.js'
import { limits } from '../frames.js'
import {
  type ConformanceCheck,
  type ConformanceSubject,
  checkOf,
  collect,
  finish,
  firstLine,
  linesOf,
  pattern,
  start,
} from './probe.js'

const check = checkOf<ConformanceSubject>()
const bytesEachWay = 1024 * 1024 + 13

/** One machine serves many checks, and a name is offered once. */
let offers = 0

/** Offers a new name. `path` is where programs call it; `calls` are taken in their order. */
export async function offer({ agent, services }: ConformanceSubject) {
  const name = `service-${offers++}`
  const calls: GuestCall[] = []
  let wake = () => {}
  const offered = await agent.offerServices([name], (call) => {
    calls.push(call)
    wake()
  })
  if (offered.isErr()) assert.fail(`offering failed: ${offered.error.kind}: ${offered.error.message}`)
  const next = async (): Promise<GuestCall> => {
    while (calls.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    const call = calls.shift()!
    assert.equal(call.service, name)
    return call
  }
  return { path: `${services}/${name}`, next }
}

async function echo(stream: GuestStream): Promise<void> {
  for await (const chunk of stream.incoming) await stream.write(chunk)
  await stream.end()
}

async function connect(agent: Agent, path: string): Promise<GuestStream> {
  const connected = await agent.connect(path)
  if (connected.isErr()) assert.fail(`connect failed: ${connected.error.kind}: ${connected.error.message}`)
  return connected.value
}

/** What every agent promises about the sockets of its unit. */
export const streamChecks: readonly ConformanceCheck[] = [
  check('hands over a call and carries both directions byte for byte', async (subject) => {
    const { path, next } = await offer(subject)
    const process = await start(subject, ['call', path], { stdin: 'open' })
    const call = await next()
    const echoed = echo(call)
    const sent = pattern(bytesEachWay, 3)
    const write = async () => {
      await process.stdin?.write(sent)
      await process.stdin?.end()
    }
    const [{ stdout, outcome }] = await Promise.all([finish(process), write(), echoed])
    assert.ok(stdout.equals(sent))
    assert.deepEqual(outcome, { kind: 'exited', code: 0 })
    assert.deepEqual(await call.closed, { kind: 'finished' })
  }),

  check('answers a call whose request has ended', async (subject) => {
    const { path, next } = await offer(subject)
    const process = await start(subject, ['call', path])
    const call = await next()
    assert.equal((await collect(call.incoming)).length, 0)
    await call.write(Buffer.from('an answer'))
    await call.end()
    assert.equal((await finish(process)).stdout.toString(), 'an answer')
    assert.deepEqual(await call.closed, { kind: 'finished' })
  }),

  check('hears a call whose answer has ended', async (subject) => {
    const { path, next } = await offer(subject)
    const process = await start(subject, ['write-for-ever', path])
    const call = await next()
    await call.end()
    let size = 0
    for await (const chunk of call.incoming) {
      size += chunk.length
      if (size > 4 * limits.streamWindow) break
    }
    // Leaving the loop is to read no more, and the program learns it.
    const { stdout } = await finish(process)
    assert.equal(stdout.toString(), 'writing\nEPIPE\n')
    assert.deepEqual(await call.closed, { kind: 'finished' })
  }),

  check('shows a program whose call is reset nothing but the end', async (subject) => {
    const { path, next } = await offer(subject)
    const process = await start(subject, ['call', path], { stdin: 'open' })
    const call = await next()
    call.reset()
    const { stdout, outcome } = await finish(process)
    assert.equal(stdout.length, 0)
    assert.deepEqual(outcome, { kind: 'exited', code: 0 })
    assert.deepEqual(await call.closed, { kind: 'reset' })
    await assert.rejects(call.write(Buffer.from('x')), /reset/)
    assert.equal((await collect(call.incoming)).length, 0)
  }),

  check('delivers what a program sent before it went away', async (subject) => {
    const { path, next } = await offer(subject)
    const process = await start(subject, ['hang-up', path])
    const call = await next()
    assert.deepEqual((await finish(process)).outcome, { kind: 'exited', code: 0 })
    await call.readerGone
    assert.equal((await collect(call.incoming)).toString(), 'hello')
    await assert.rejects(call.write(Buffer.from('x')), /reads no more|is closed/)
    assert.deepEqual(await call.closed, { kind: 'finished' })
  }),

  check('takes nothing of a call before somebody reads, and stops nobody else', async (subject) => {
    const { path, next } = await offer(subject)
    const process = await start(subject, ['write-for-ever', path])
    const stalled = await next()
    const lines = linesOf(process.stdout)
    assert.equal((await lines.next()).value, 'writing')
    const other = await start(subject, ['call', path])
    const call = await next()
    await call.write(Buffer.from('through'))
    await call.end()
    assert.equal((await finish(other)).stdout.toString(), 'through')
    stalled.stop()
    assert.equal((await lines.next()).value, 'EPIPE')
    await stalled.end()
    assert.deepEqual(await stalled.closed, { kind: 'finished' })
  }),

  check('bounds the calls that are open', async (subject) => {
    const { path, next } = await offer(subject)
    const many = limits.openCalls + 1
    const process = await start(subject, ['call-often', path, String(many)], { stdin: 'open' })
    const lines = linesOf(process.stdout)
    assert.equal((await lines.next()).value, 'called')
    assert.equal((await lines.next()).value, 'last ended')
    const calls: GuestCall[] = []
    for (let i = 0; i < limits.openCalls; i++) calls.push(await next())
    for (const call of calls) call.reset()
    for (const call of calls) assert.deepEqual(await call.closed, { kind: 'reset' })
    await process.stdin?.end()
    assert.deepEqual(await process.outcome, { kind: 'exited', code: 0 })
    const again = await start(subject, ['call', path])
    ;(await next()).reset()
    assert.deepEqual((await finish(again)).outcome, { kind: 'exited', code: 0 })
  }),

  check('connects to a socket in the unit and carries both directions', async (subject) => {
    const path = `${subject.sockets}/echo-${offers++}`
    const server = await start(subject, ['serve', path])
    await firstLine(server, 'listening')
    for (const size of [0, 1, bytesEachWay]) {
      const stream = await connect(subject.agent, path)
      const sent = pattern(size, 7)
      const write = async () => {
        await stream.write(sent)
        await stream.end()
      }
      const [answer] = await Promise.all([collect(stream.incoming), write()])
      assert.ok(answer.equals(sent), `${size} bytes`)
      assert.deepEqual(await stream.closed, { kind: 'finished' })
    }
    await server.signal(9)
    await server.outcome
  }),

  check('says that nothing answers at a path, or that it is none', async ({ agent, sockets }) => {
    const absent = (await agent.connect(`${sockets}/nobody`))._unsafeUnwrapErr()
    assert.equal(absent.kind, 'refused')
    for (const path of ['relative', `/${'x'.repeat(limits.socketPathBytes)}`, '/nul\0']) {
      const error = (await agent.connect(path))._unsafeUnwrapErr()
      assert.equal(error.kind === 'invalid-request' && error.field, 'path')
    }
  }),

  check('offers no name twice, and none that could not be a service', async (subject) => {
    const { agent } = subject
    const field = async (...names: string[]) => {
      const error = (await agent.offerServices(names, () => {}))._unsafeUnwrapErr()
      return error.kind === 'invalid-request' && error.field
    }
    const { path } = await offer(subject)
    assert.equal(await field(path.slice(subject.services.length + 1)), 'names')
    for (const name of ['', '.', '../x', 'a/b', 'Upper', 'a\0', 'x'.repeat(65)])
      assert.equal(await field(name), 'names')
    assert.equal(await field(), 'names')
    assert.equal(await field('twice', 'twice'), 'names')
    const many = Array.from({ length: limits.services + 1 }, (_, i) => `many-${i}`)
    assert.equal(await field(...many), 'names')
  }),
]
