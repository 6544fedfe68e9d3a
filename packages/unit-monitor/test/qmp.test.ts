import { linuxPowers } from '@spectrum/unit-monitor/linux'
import { describe, expect, it } from 'vitest'
import { channelPair } from '../src/channel-pair.js'
import { QmpClient, type QmpEvent } from '../src/qemu/qmp.js'

const { clock } = linuxPowers()
const GREETING = '{"QMP": {"version": {"qemu": {"major": 7}}, "capabilities": []}}\r\n'

/** A client and a QEMU whose answers the test writes. */
function connected() {
  const [host, qemu] = channelPair()
  const events: QmpEvent[] = []
  const client = new QmpClient(host, clock, (event) => events.push(event))
  const incoming = qemu.incoming[Symbol.asyncIterator]()
  return {
    client,
    events,
    qemu,
    say: (text: string) => qemu.write(Buffer.from(text)),
    async heard(): Promise<{ execute: string; id: number; arguments: unknown }> {
      const { value, done } = await incoming.next()
      if (done === true) throw new Error('the client closed')
      return JSON.parse(Buffer.from(value).toString())
    },
  }
}

describe('the QMP client', () => {
  it('leaves negotiation mode after the greeting', async () => {
    const { client, say, heard } = connected()
    const negotiated = client.negotiate()
    await say(GREETING)
    const { execute, id } = await heard()
    expect(execute).toBe('qmp_capabilities')
    await say(`{"return": {}, "id": ${id}}\r\n`)
    expect((await negotiated).isOk()).toBe(true)
    client.close()
    await client.closed
  })

  it('matches answers by id, in whatever order and pieces they arrive', async () => {
    const { client, say, heard } = connected()
    const first = client.execute('first', { a: 1 })
    const second = client.execute('second')
    const ids = [(await heard()).id, (await heard()).id]
    for (const byte of `{"return": 2, "id": ${ids[1]}}\n{"return": 1, "id": ${ids[0]}}\n`) await say(byte)
    expect([(await first)._unsafeUnwrap(), (await second)._unsafeUnwrap()]).toEqual([1, 2])
    client.close()
  })

  it('hands on events, also those without data, and escapes nothing in them', async () => {
    const { client, say, events, qemu } = connected()
    await say(
      '{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}}\n{"event": "STOP"}\n',
    )
    qemu.close()
    await client.closed
    expect(events).toEqual([
      { name: 'SHUTDOWN', data: { guest: true, reason: 'guest-shutdown' } },
      { name: 'STOP', data: {} },
    ])
  })

  it('stays usable after a declined command, whose words are escaped and bounded', async () => {
    const { client, say, heard } = connected()
    const declined = client.execute('device_add')
    const desc = `\\u001b[2J${'long '.repeat(400)}`
    await say(`{"error": {"class": "GenericError", "desc": "${desc}"}, "id": ${(await heard()).id}}\n`)
    const failure = (await declined)._unsafeUnwrapErr()
    expect(failure).toMatchObject({ kind: 'declined', errorClass: 'GenericError' })
    expect(failure.message.startsWith('\\x1b[2Jlong')).toBe(true)
    expect(failure.message.length).toBe(400)
    const next = client.execute('query-status')
    await say(`{"return": {}, "id": ${(await heard()).id}}\n`)
    expect((await next).isOk()).toBe(true)
    client.close()
  })

  it('gives a command up at its deadline and ignores its late answer', async () => {
    const { client, say, heard } = connected()
    const slow = await client.execute('slow', {}, { deadlineMs: 20 })
    expect(slow._unsafeUnwrapErr().kind).toBe('timed-out')
    await say(`{"return": {}, "id": ${(await heard()).id}}\n`)
    const next = client.execute('next')
    await say(`{"return": "next", "id": ${(await heard()).id}}\n`)
    expect((await next)._unsafeUnwrap()).toBe('next')
    client.close()
  })

  it('does not send a command whose signal is aborted already', async () => {
    const { client, heard } = connected()
    const never = await client.execute('never', {}, { signal: AbortSignal.abort() })
    expect(never._unsafeUnwrapErr().kind).toBe('aborted')
    void client.execute('sent')
    expect((await heard()).execute).toBe('sent')
    client.close()
  })

  it.each([
    ['garbage', 'garbage\n'],
    ['a number', '1\n'],
    ['an unknown message', '{"hello": 1}\n'],
    ['an answer with a foreign id', '{"return": {}, "id": 999}\n'],
    ['an answer with no id', '{"return": {}}\n'],
    ['an error without its words', '{"error": {"class": 1}, "id": 1}\n'],
    ['an endless line', 'x'.repeat(65 * 1024)],
  ])('closes the connection and fails what waits when QEMU sends %s', async (_, bytes) => {
    const { client, say, heard } = connected()
    const waiting = client.execute('waiting')
    await heard()
    await say(bytes)
    expect((await waiting)._unsafeUnwrapErr().kind).toBe('garbled')
    await client.closed
    expect((await client.execute('later'))._unsafeUnwrapErr().kind).toBe('garbled')
  })

  it('takes a line of exactly the bound and no byte more', async () => {
    const line = (length: number, id: number) => {
      const frame = `{"return": "", "id": ${id}}`
      return `${frame.slice(0, 12)}${'x'.repeat(length - frame.length)}${frame.slice(12)}\n`
    }
    for (const [length, fits] of [
      [64 * 1024, true],
      [64 * 1024 + 1, false],
    ] as const) {
      const { client, say, heard } = connected()
      const answer = client.execute('long')
      await say(line(length, (await heard()).id))
      expect((await answer).isOk()).toBe(fits)
      client.close()
    }
  })

  it('fails what waits when QEMU goes away', async () => {
    const { client, qemu } = connected()
    const waiting = client.execute('waiting')
    const greeting = client.negotiate()
    qemu.close()
    expect((await waiting)._unsafeUnwrapErr().kind).toBe('closed')
    expect((await greeting)._unsafeUnwrapErr().kind).toBe('closed')
  })
})
