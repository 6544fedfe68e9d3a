import { type ControlSocket, connectControlWith, controlLimits } from '@spectrum/unit-runtime/control'
import { manualClock } from '@spectrum/unit-runtime/fake'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  controlFrames,
  encodeFrame,
  type Frame,
  type FrameFrom,
  FrameReader,
} from '../../src/control/frames.js'
import { Pace } from '../../src/control/pace.js'
import { Session } from '../../src/control/session.js'
import { UnitBook } from '../../src/control/unit-book.js'
import { hello, openServed, Pairs, powers } from './served.js'

const signal = new AbortController().signal
const bytesOf = (...frames: Frame[]) => Buffer.concat(frames.map(encodeFrame))
const greeting: Frame = { kind: 'hello', id: 0, value: { versions: [1] } }
const list: Frame = { kind: 'request', id: 1, value: { ask: 'list' } }

/** Everything that the host says until it closes the connection. */
async function heard(socket: ControlSocket): Promise<FrameFrom<'host'>[]> {
  const reader = new FrameReader('host')
  const frames: FrameFrom<'host'>[] = []
  for (;;) {
    const bytes = await socket.receive(signal)
    if (bytes === undefined) return frames
    frames.push(...reader.take(bytes))
  }
}

const raw = (code: number, id: number, tail: Uint8Array, length = 5 + tail.length) => {
  const head = Buffer.alloc(9)
  head.writeUInt32BE(length)
  head.writeUInt8(code, 4)
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, tail])
}
const json = (code: number, id: number, value: unknown) => raw(code, id, Buffer.from(JSON.stringify(value)))
const { hello: hi, request, input, 'output-credit': credit, act, cancel } = controlFrames
const welcome = {
  version: 1,
  host: { pid: 1, directory: '/d', monitor: 'm', accelerator: 'a', why: 'w' },
}
const stay = { ask: 'exec', unit: 'left', argv: [`${hello}/bin/stay`], env: {}, stdin: 'open' }

describe('a client that breaks the protocol is sent away, alone, when it', () => {
  it.each<[string, Buffer, RegExp]>([
    ['asks before it greets', bytesOf(list), /before the greeting/],
    ['greets twice', bytesOf(greeting, greeting), /after the greeting/],
    ['speaks another version', json(hi.code, 0, { versions: [2, 3] }), /speaks version 1, the client 2, 3/],
    ['greets with something else', json(hi.code, 0, { versions: 1 }), /versions must be a list/],
    ['sends no JSON', raw(hi.code, 0, Buffer.from('{')), /no JSON/],
    ['sends no UTF-8', raw(hi.code, 0, Buffer.from([0x22, 0xff, 0x22])), /no JSON/],
    ['sends a frame of the host', json(0x81, 0, {}), /no frame 0x81 from a client/],
    ['sends a frame that there is not', json(0x44, 0, {}), /no frame 0x44/],
    ['says a length of nothing', raw(hi.code, 0, Buffer.alloc(0)), /of 9 bytes: 10 to/],
    ['says a length that is too long', raw(hi.code, 0, Buffer.alloc(0), 0xffff_ffff), /bytes: 10 to/],
    ['uses a number twice', bytesOf(greeting, list, list), /request 1 after request 1/],
    ['uses the number 0', bytesOf(greeting, { ...list, id: 0 } as Frame), /request 0 after request 0/],
    [
      'asks for what there is not',
      Buffer.concat([bytesOf(greeting), json(request.code, 1, { ask: 'x' })]),
      /ask must be/,
    ],
    [
      'asks for a name of objects',
      Buffer.concat([bytesOf(greeting), json(request.code, 1, { ask: 'constructor' })]),
      /ask must be/,
    ],
    [
      'adds a field',
      Buffer.concat([bytesOf(greeting), json(request.code, 1, { ask: 'list', also: 1 })]),
      /without a field "also"/,
    ],
    [
      'asks for no program',
      Buffer.concat([bytesOf(greeting), json(request.code, 1, { ...stay, argv: [] })]),
      /argv must be a list of 1 to 1024/,
    ],
    [
      'puts a NUL into an argument',
      Buffer.concat([bytesOf(greeting), json(request.code, 1, { ...stay, argv: ['/a\0b'] })]),
      /argv\[0\] must be text without NUL/,
    ],
    [
      'sends input for a request that was never made',
      Buffer.concat([bytesOf(greeting), raw(input.code, 7, Buffer.from('x'))]),
      /frame input for no request/,
    ],
    [
      'gives more credit than a window',
      Buffer.concat([
        bytesOf(greeting),
        json(request.code, 1, stay),
        raw(credit.code, 1, Buffer.from([0, 0, 0, 0, 1])),
      ]),
      /more credit than a window/,
    ],
    [
      'gives credit for a stream that there is not',
      Buffer.concat([bytesOf(greeting), raw(credit.code, 1, Buffer.from([2, 0, 0, 0, 1]))]),
      /for stream 2/,
    ],
    [
      'ends its input twice',
      Buffer.concat([
        bytesOf(greeting),
        json(request.code, 1, stay),
        raw(4, 1, Buffer.alloc(0)),
        raw(4, 1, Buffer.alloc(0)),
      ]),
      /second end/,
    ],
    [
      'sends a signal that there is not',
      Buffer.concat([
        bytesOf(greeting),
        json(request.code, 1, stay),
        json(act.code, 1, { act: 'signal', number: 65 }),
      ]),
      /number must be a whole number from 1 to 64/,
    ],
    [
      'sends more input than it has credit for',
      Buffer.concat([
        bytesOf(greeting),
        json(request.code, 1, stay),
        ...Array.from({ length: 20 }, () => raw(input.code, 1, Buffer.alloc(controlLimits.chunkBytes))),
      ]),
      /more input than there is credit/,
    ],
    [
      'asks for more at once than may be',
      Buffer.concat([
        bytesOf(greeting),
        ...Array.from({ length: 33 }, (_, n) => json(request.code, n + 1, stay)),
      ]),
      /more than 32 requests/,
    ],
  ])('%s', async (_, bytes, why) => {
    await using served = await openServed()
    await using bystander = await served.client()
    const socket = served.pairs.connect()
    await socket.send(bytes, signal)
    const last = (await heard(socket)).at(-1)
    expect(last).toMatchObject({ kind: 'refused', value: { message: expect.stringMatching(why) } })
    socket.close()
    expect((await bystander.list()).isOk()).toBe(true)
    await expect.poll(() => served.server.clients).toBe(1)
  })

  it('is heard with frames that have crossed an answer, and is not harmed', async () => {
    await using served = await openServed()
    const socket = served.pairs.connect()
    await socket.send(bytesOf(greeting, list, { kind: 'cancel', id: 1 }, { ...list, id: 2 } as Frame), signal)
    const reader = new FrameReader('host')
    const kinds: string[] = []
    while (kinds.length < 3)
      kinds.push(...[...reader.take((await socket.receive(signal))!)].map(({ kind }) => kind))
    expect(kinds).toEqual(['welcome', 'answer', 'answer'])
    await socket.send(raw(cancel.code, 1, Buffer.alloc(0)), signal)
    socket.close()
  })

  it('is sent away when it does not greet in its time; one that has greeted may be silent', async () => {
    const clock = manualClock()
    await using served = await openServed({ serverClock: clock })
    await using greeted = await served.client()
    const silent = served.pairs.connect()
    await expect.poll(() => served.server.clients).toBe(2)
    clock.advance(controlLimits.helloMs)
    expect(await silent.receive(signal)).toBeUndefined()
    silent.close()
    expect((await greeted.list()).isOk()).toBe(true)
    expect(served.server.clients).toBe(1)
    // Whoever waits for a farewell waits by the same clock.
    await greeted[Symbol.asyncDispose]()
    await expect.poll(() => served.server.clients).toBe(0)
  })

  it('is heard no faster than its pace', async () => {
    const clock = manualClock()
    const pace = new Pace(clock, 3)
    await pace.one(signal)
    await pace.one(signal)
    let passed = false
    const third = pace.one(signal).then(() => {
      passed = true
    })
    clock.advance(999)
    await new Promise((resolve) => setImmediate(resolve))
    expect(passed).toBe(false)
    clock.advance(1)
    await third
    await pace.one(signal)
  })
})

describe('a host that serves control', () => {
  it('says nothing of a request behind its answer, whatever the client still sends', async () => {
    await using served = await openServed()
    const said: FrameFrom<'host'>[] = []
    const heard: ((bytes: Uint8Array | undefined) => void)[] = []
    let leave = () => {}
    const left = new Promise<void>((resolve) => {
      leave = resolve
    })
    const reader = new FrameReader('host')
    const session = new Session(
      {
        receive: () => new Promise((resolve) => heard.push(resolve)),
        async send(bytes) {
          const frames = [...reader.take(bytes)]
          said.push(...frames)
          if (frames.some(({ kind }) => kind === 'answer')) await left
          return true
        },
        ...{ peerUid: () => 0, finish() {}, close() {}, [Symbol.dispose]() {} },
      },
      {
        host: served.host,
        units: new UnitBook(served.host, () => 0),
        welcome,
        stopHost: () => Promise.reject(new Error('nobody asks for it')),
      },
      powers,
    )
    const running = session.run()
    const say = async (...frames: Frame[]) => {
      await expect.poll(() => heard.length).toBe(1)
      heard.pop()!(bytesOf(...frames))
    }
    const value = { ask: 'exec', unit: 'left', argv: [`${hello}/bin/hello`], env: {}, stdin: 'open' }
    await say(greeting, { kind: 'request', id: 1, value })
    await expect.poll(() => said.at(-1)?.kind).toBe('answer')
    await say({ kind: 'input', id: 1, bytes: Buffer.from('too late') })
    await expect.poll(() => heard.length).toBe(1)
    expect(said.at(-1)?.kind).toBe('answer')
    leave()
    heard.pop()!(undefined)
    await running
  })
})

describe('a client that gives a log up before it has begun', () => {
  it('asks for no more of it', async () => {
    const pairs = new Pairs()
    const connecting = connectControlWith(pairs.connect(), powers)
    const host = (await pairs.accept())!
    await host.send(json(0x81, 0, welcome), signal)
    const client = (await connecting)._unsafeUnwrap()
    const giveUp = new AbortController()
    const log = client.logs({ follow: true, signal: giveUp.signal })
    giveUp.abort()
    expect((await log)._unsafeUnwrapErr().kind).toBe('aborted')
    const reader = new FrameReader('client')
    const kinds: string[] = []
    while (!kinds.includes('cancel'))
      kinds.push(...[...reader.take((await host.receive(signal))!)].map(({ kind }) => kind))
    expect(kinds).toEqual(['hello', 'request', 'cancel'])
    await client[Symbol.asyncDispose]()
    host.close()
  })
})

describe('a host that breaks the protocol is left by its client when it', () => {
  it.each<[string, Buffer, string]>([
    ['says anything before it greets', json(0x88, 1, {}), 'protocol-violation'],
    ['greets with something else', json(0x81, 0, { version: 1 }), 'protocol-violation'],
    ['sends this client away', json(0x82, 0, { message: 'no' }), 'refused'],
    ['sends what a client would', json(0x01, 0, {}), 'protocol-violation'],
    ['closes', Buffer.alloc(0), 'host-lost'],
  ])('%s', async (_, bytes, kind) => {
    const pairs = new Pairs()
    const connecting = connectControlWith(pairs.connect(), powers)
    const host = (await pairs.accept())!
    if (bytes.length > 0) await host.send(bytes, signal)
    else host.close()
    expect((await connecting)._unsafeUnwrapErr().kind).toBe(kind)
    host.close()
  })

  it.each<[string, Buffer]>([
    ['answers with something else', json(0x88, 1, { units: 7 })],
    ['answers what was not asked', json(0x88, 9, { units: [] })],
    [
      'sends more than it has credit for',
      Buffer.concat(Array.from({ length: 9 }, () => raw(0x84, 1, Buffer.alloc(32_769, 0)))),
    ],
    ['gives too much credit', raw(0x86, 1, Buffer.from([0, 0, 0, 1]))],
    ['reports an end that there is not', json(0x87, 1, { kind: 'exited', code: 256 })],
  ])('greets, then %s', async (_, bytes) => {
    const pairs = new Pairs()
    const connecting = connectControlWith(pairs.connect(), powers)
    const host = (await pairs.accept())!
    await host.send(json(0x81, 0, welcome), signal)
    const client = (await connecting)._unsafeUnwrap()
    const listing = client.list()
    await host.send(bytes, signal)
    expect((await listing)._unsafeUnwrapErr().kind).toBe('protocol-violation')
    expect((await client.closed).kind).toBe('protocol-violation')
    host.close()
  })
})

describe('the reader of frames', () => {
  const sides = ['client', 'host'] as const
  it('takes any bytes in any pieces without throwing, and never more frames after a fault', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...sides),
        fc.array(
          fc.oneof(
            fc.uint8Array({ maxLength: 60 }),
            fc
              .tuple(
                fc.constantFrom(...Object.values(controlFrames).map(({ code }) => code)),
                fc.nat(9),
                fc.oneof(
                  fc.uint8Array({ maxLength: 40 }),
                  fc.json().map((text) => Buffer.from(text)),
                ),
              )
              .map(([code, id, tail]) => raw(code, id, tail)),
          ),
          { maxLength: 20 },
        ),
        (side, pieces) => {
          const reader = new FrameReader(side)
          for (const piece of pieces) {
            const before = reader.fault
            const frames = [...reader.take(piece)]
            if (before !== undefined) expect(frames).toEqual([])
            for (const frame of frames) expect(controlFrames[frame.kind].from).toBe(side)
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('reads what was written, however it is cut', () => {
    const value = fc.jsonValue({ maxDepth: 2 })
    const frame = fc.oneof(
      fc.record({ kind: fc.constant('request' as const), id: fc.nat(), value }),
      fc.record({
        kind: fc.constant('input' as const),
        id: fc.nat(),
        bytes: fc.uint8Array({ minLength: 1 }),
      }),
      fc.record({ kind: fc.constant('input-end' as const), id: fc.nat() }),
      fc.record({
        kind: fc.constant('output-credit' as const),
        id: fc.nat(),
        stream: fc.constantFrom(0 as const, 1 as const),
        count: fc.nat(),
      }),
    )
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), fc.integer({ min: 1, max: 50 }), (frames, step) => {
        const bytes = bytesOf(...(frames as Frame[]))
        const reader = new FrameReader('client')
        const read: unknown[] = []
        for (let at = 0; at < bytes.length; at += step)
          read.push(...reader.take(bytes.subarray(at, at + step)))
        expect(reader.fault).toBeUndefined()
        expect(JSON.stringify(read)).toBe(JSON.stringify(frames.map(plain)))
      }),
      { numRuns: 200 },
    )
  })
})

// -0 is 0 in JSON, and the fields of a frame have one order.
function plain(frame: { readonly kind: string; readonly id: number } & Record<string, unknown>) {
  const { kind, id, stream, value, bytes, count } = frame
  return { kind, id, stream, value, bytes, count }
}
