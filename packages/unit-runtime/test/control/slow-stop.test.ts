import type { Host } from '@spectrum/unit-runtime'
import { connectControlWith, serveControlWith } from '@spectrum/unit-runtime/control'
import { manualClock } from '@spectrum/unit-runtime/fake'
import { liveFds } from '@spectrum/unix-fd'
import { ResultAsync } from 'neverthrow'
import { afterEach, describe, expect, it } from 'vitest'
import { settle } from '../supervision/watched-host.js'
import { openServed, Pairs, powers, realClock } from './served.js'

const fds = liveFds()
afterEach(() => expect.poll(() => liveFds()).toBe(fds))

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))

describe('a stop that takes long', () => {
  /** A server of a host whose stop ends when it is told to. */
  async function stoppedSlowly(client: Partial<typeof powers> = {}) {
    const served = await openServed()
    const [asked, goOn] = [new AbortController(), new AbortController()]
    const stop: Host['stop'] = (options) => {
      asked.abort()
      return ResultAsync.fromSafePromise(aborted(goOn.signal)).andThen(() => served.host.stop(options))
    }
    const host = new Proxy(served.host, {
      get(target, name) {
        const value = name === 'stop' ? stop : Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const pairs = new Pairs()
    const clock = { ...realClock, deadline: (ms: number) => realClock.deadline(ms / 100) }
    const uid = process.getuid?.() ?? 0
    const server = serveControlWith(host, {
      ...powers,
      clock,
      listener: pairs,
      epochMs: () => 0,
      uid,
      pid: 1,
    })
    const connected = (await connectControlWith(pairs.connect(), { ...powers, ...client }))._unsafeUnwrap()
    return {
      server,
      client: connected,
      asked: aborted(asked.signal),
      goOn: () => goOn.abort(),
      async [Symbol.asyncDispose]() {
        goOn.abort()
        await connected[Symbol.asyncDispose]()
        await server[Symbol.asyncDispose]()
        await served[Symbol.asyncDispose]()
      },
    }
  }

  it('holds up neither its client’s end nor the server’s, and ends the host all the same', async () => {
    await using slow = await stoppedSlowly()
    const stopping = slow.client.stop({ graceMs: 2_000_000_000 })
    await slow.asked
    await slow.server[Symbol.asyncDispose]()
    expect((await stopping)._unsafeUnwrapErr().kind).toBe('host-lost')
    slow.goOn()
    await slow.server.stopped
  })

  it('is waited for longer than its grace', async () => {
    const clock = manualClock()
    await using slow = await stoppedSlowly({ clock })
    let answer = 'none'
    const stopping = slow.client.stop({ graceMs: 3_600_000 })
    void stopping.then((end) => {
      answer = end.isOk() ? 'stopped' : end.error.kind
    })
    await slow.asked
    clock.advance(3_600_000)
    await settle()
    expect(answer).toBe('none')
    clock.advance(600_000)
    await expect.poll(() => answer).toBe('timed-out')
  })
})
