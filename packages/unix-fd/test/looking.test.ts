import { describe, expect, test } from 'vitest'
import { liveFds, type UnixSocket } from '../src/index.js'
import { unixFd } from '../src/linux.js'
import { LONGEST_TURN, Lookout, MOST_LOOKED_AT } from '../src/looking/lookout.js'
import { LOOK, MOST_CREDIT, Patience, SOON } from '../src/looking/patience.js'

const descriptors = unixFd()._unsafeUnwrap()
const soon = () => AbortSignal.timeout(60_000)
const turnOfTheLoop = () => new Promise((resolve) => setImmediate(resolve))

describe('patience', () => {
  test('looks once things come within 200 us of one another, and not a nanosecond later', () => {
    const patience = new Patience()
    expect(patience.next()).toBe(0)
    patience.told(SOON + 1)
    expect(patience.next()).toBe(0)
    patience.told(SOON)
    expect(patience.next()).toBe(LOOK)
    patience.told(SOON + 1)
    expect(patience.next()).toBe(0)
  })

  test('that is never rewarded looks in vain for a twentieth of the time', () => {
    const patience = new Patience()
    let [passed, looked] = [0, 0]
    // Each thing comes 60 us after the last, and never while somebody looks for it.
    for (let told = 0; told < 100_000; told++) {
      passed += 60_000
      patience.told(60_000)
      if (patience.next() === 0) continue
      looked += patience.next()
      patience.missed()
    }
    expect(looked / passed).toBeGreaterThan(0.045)
    expect(looked / passed).toBeLessThan(0.051)
  })

  test('goes on while it finds, and what it finds pays for as many looks in vain', () => {
    const patience = new Patience()
    patience.told(0)
    patience.missed()
    patience.told(0)
    expect(patience.next()).toBe(0)
    // It has to wait until it may try again.
    while (patience.next() === 0) patience.told(10_000)
    for (let i = 0; i < 6; i++) {
      expect(patience.next()).toBe(LOOK)
      patience.found(LOOK)
    }
    let inVain = 0
    for (; patience.next() > 0; inVain++) {
      patience.missed()
      patience.told(0)
    }
    expect(inVain).toBe(7)
  })

  test('never saves up more than 20 looks, however long nothing happens and however much it finds', () => {
    for (const save of [
      (patience: Patience) => patience.told(3_600_000_000_000),
      (patience: Patience) => {
        for (let i = 0; i < 1_000; i++) patience.found(LOOK)
      },
    ]) {
      const patience = new Patience()
      save(patience)
      let inVain = 0
      for (patience.told(0); patience.next() > 0; inVain++) {
        patience.missed()
        patience.told(0)
      }
      expect(inVain).toBe(MOST_CREDIT / LOOK)
      expect(inVain).toBe(20)
    }
  })

  test('takes what was there at once for no success, and what came while it did not run for a failure', () => {
    const patience = new Patience()
    patience.told(0)
    for (let i = 0; i < 100; i++) patience.found(0)
    expect(patience.next()).toBe(LOOK)
    patience.found(LOOK + 1)
    expect(patience.next()).toBe(0)
    // Nothing was earned: there is no second one.
    patience.told(0)
    expect(patience.next()).toBe(0)
  })
})

/** Descriptors and a clock that only moves when something is done. */
function scene() {
  let now = 1
  const asked: { numbers: number[]; nanoseconds: number }[] = []
  const ready = new Set<number>()
  const lookout = new Lookout({
    now: () => now,
    look: (words, count, nanoseconds) => {
      const numbers = Array.from({ length: count }, (_, i) => words[i * 3]!)
      asked.push({ numbers, nanoseconds })
      numbers.forEach((number, i) => {
        words[i * 3 + 2] = ready.has(number) ? words[i * 3 + 1]! : 0
      })
      const found = numbers.filter((number) => ready.has(number)).length
      now += found > 0 ? 5_000 : nanoseconds
      return found
    },
  })
  const reported: number[] = []
  const channel = (number: number, onReport = () => {}) => {
    const looked = {
      number,
      wanted: 1,
      report: () => {
        reported.push(number)
        onReport()
      },
    }
    return looked
  }
  return { lookout, asked, ready, reported, channel, pass: (ns: number) => (now += ns) }
}

function lookUntilItStops(lookout: Lookout): void {
  for (let looks = 0; lookout.look(); looks++) if (looks > 10_000) throw new Error('it never stops')
}

describe('a lookout', () => {
  test('gives the event loop its turn after 1 ms, whatever is found, and again from the next turn on', () => {
    const { lookout, ready, asked, channel } = scene()
    const flood = channel(3)
    ready.add(3)
    lookout.told(flood, 1)
    lookout.goesOn()
    for (const turn of [2, 3]) {
      asked.length = 0
      lookout.told(flood, turn)
      expect(lookout.goesOn()).toBe(true)
      lookUntilItStops(lookout)
      expect(asked).toHaveLength(LONGEST_TURN / 5_000)
      // The last look of a turn is no longer than what is left of it.
      expect(asked.at(-1)!.nanoseconds).toBe(5_000)
      expect(asked[0]!.nanoseconds).toBe(LOOK)
    }
    // Another descriptor that the loop tells of in the same turn gets no time of its own.
    lookout.told(channel(4), 3)
    expect(lookout.goesOn()).toBe(false)
  })

  test('stops at the first look in vain', () => {
    const { lookout, asked, channel } = scene()
    const quiet = channel(3)
    lookout.told(quiet, 1)
    expect(lookout.goesOn()).toBe(false)
    lookout.told(quiet, 2)
    expect(lookout.goesOn()).toBe(true)
    expect(lookout.look()).toBe(false)
    expect(asked).toEqual([{ numbers: [3], nanoseconds: LOOK }])
    expect(lookout.goesOn()).toBe(false)
  })

  test('never looks where things are further apart than 200 us', () => {
    const { lookout, channel, pass } = scene()
    const rare = channel(3)
    for (let turn = 0; turn < 1_000; turn++) {
      lookout.told(rare, turn)
      expect(lookout.goesOn()).toBe(false)
      pass(SOON + 1)
    }
  })

  test('gives every channel on which something comes its turn in each look, a flooded one no more', () => {
    const { lookout, ready, reported, channel } = scene()
    const [flood, other] = [channel(3), channel(4)]
    for (const looked of [flood, other]) {
      ready.add(looked.number)
      lookout.told(looked, 1)
      lookout.goesOn()
    }
    lookUntilItStops(lookout)
    expect(reported.length).toBeGreaterThan(100)
    expect(reported.filter((number) => number === 3)).toHaveLength(reported.length / 2)
    expect(reported.every((number, i) => number === reported[i % 2])).toBe(true)
  })

  test('looks at the 8 it was told of last, and at none that nobody waits for or that was forgotten', () => {
    const { lookout, asked, channel } = scene()
    const channels = Array.from({ length: MOST_LOOKED_AT + 1 }, (_, i) => channel(10 + i))
    for (const [turn, looked] of channels.entries()) lookout.told(looked, turn)
    channels[2]!.wanted = 0
    lookout.forget(channels[4]!)
    lookout.look()
    expect(asked.map(({ numbers }) => numbers)).toEqual([[11, 13, 15, 16, 17, 18]])
  })

  test('reports nothing to a channel that a report before it closed or satisfied', () => {
    const { lookout, ready, reported, channel } = scene()
    const [closed, satisfied, last] = [channel(4), channel(5), channel(6)]
    const first = channel(3, () => {
      closed.number = -1
      satisfied.wanted = 0
    })
    for (const looked of [first, closed, satisfied, last]) {
      ready.add(looked.number)
      lookout.told(looked, 1)
    }
    lookout.look()
    expect(reported).toEqual([3, 6])
  })
})

/** Two ends in this program that never stop to answer one another. Gives how many messages went, and its end. */
function pingPong(left: UnixSocket, right: UnixSocket) {
  const inbox = descriptors.createInbox()._unsafeUnwrap()
  let count = 0
  for (const end of [left, right]) {
    end.fd.patient = true
    end.fd
      .onReady('readable', () => {
        // Once the other end has closed, there is nothing left to do.
        if (end.tryReceive(inbox).unwrapOr('end') !== 'data') return
        count += 1
        end.trySend(inbox.bytes)
      })
      ._unsafeUnwrap()
  }
  left.trySend(Uint8Array.of(1))._unsafeUnwrap()
  const close = () => {
    left.close()
    right.close()
    inbox.close()
  }
  return { count: () => count, [Symbol.dispose]: close }
}

describe('a patient descriptor', () => {
  test('finds more than one message in a turn of the event loop, and leaves everybody else their turns', async () => {
    const live = liveFds()
    {
      using conversation = pingPong(...descriptors.socketpair('seqpacket')._unsafeUnwrap())
      using second = pingPong(...descriptors.socketpair('stream')._unsafeUnwrap())
      const [left, right] = descriptors.socketpair('stream')._unsafeUnwrap()
      using _left = left
      using _right = right
      const most = { first: 0, second: 0 }
      for (let turn = 0; turn < 20 || most.first < 20 || most.second < 20; turn++) {
        const before = { first: conversation.count(), second: second.count() }
        await turnOfTheLoop()
        most.first = Math.max(most.first, conversation.count() - before.first)
        most.second = Math.max(most.second, second.count() - before.second)
      }
      // A channel that is not patient, and a timer, between two that never rest.
      const received = right.receive({ signal: soon() })
      await new Promise((resolve) => setTimeout(resolve, 1))
      left.trySend(Uint8Array.of(7))._unsafeUnwrap()
      expect((await received)._unsafeUnwrap().kind).toBe('data')
      expect(conversation.count()).toBeGreaterThan(200)
    }
    expect(liveFds()).toBe(live)
  })

  test('resolves what it finds by promises, too, and an abort between two looks ends the wait', async () => {
    const [left, right] = descriptors.socketpair('seqpacket')._unsafeUnwrap()
    using _left = left
    using _right = right
    const abort = new AbortController()
    for (const end of [left, right]) end.fd.patient = true
    const answer = async () => {
      for (;;) {
        const received = await right.receive({ signal: abort.signal })
        if (received.isErr()) return received.error.kind
        if (received.value.kind === 'end') return 'end'
        ;(await right.send(received.value.bytes, { signal: soon() }))._unsafeUnwrap()
      }
    }
    const answered = answer()
    for (let i = 0; i < 500; i++) {
      ;(await left.send(Uint8Array.of(i & 255), { signal: soon() }))._unsafeUnwrap()
      const received = (await left.receive({ signal: soon() }))._unsafeUnwrap()
      expect(received).toEqual({ kind: 'data', bytes: Uint8Array.of(i & 255), fds: [] })
    }
    // This runs in the turn of the loop in which the last answer came: looking is not over.
    abort.abort()
    expect(await answered).toBe('aborted')
    ;(await left.send(Uint8Array.of(9), { signal: soon() }))._unsafeUnwrap()
    expect((await right.receive({ signal: soon() }))._unsafeUnwrap()).toMatchObject({ kind: 'data' })
  })

  test('that closes in its own callback, or in that of another, is heard of no more', async () => {
    for (const closes of ['itself', 'the other'] as const) {
      const [left, right] = descriptors.socketpair('seqpacket')._unsafeUnwrap()
      using _left = left
      using _right = right
      using conversation = pingPong(left, right)
      await expect.poll(() => conversation.count()).toBeGreaterThan(500)
      const heard: string[] = []
      const end = closes === 'itself' ? left : right
      left.fd
        .onReady('readable', () => {
          heard.push('left')
          end.close()
        })
        ._unsafeUnwrap()
      await expect.poll(() => end.fd.closed).toBe(true)
      const count = conversation.count()
      await turnOfTheLoop()
      await turnOfTheLoop()
      expect(conversation.count() - count).toBeLessThanOrEqual(1)
      if (closes === 'itself') expect(heard).toEqual(['left'])
      expect(() => {
        end.fd.patient = true
      }).toThrow('closed')
    }
  })

  test('is patient until it is told otherwise, taken or closed', () => {
    const [left, right] = descriptors.socketpair('stream')._unsafeUnwrap()
    using _right = right
    expect(left.fd.patient).toBe(false)
    left.fd.patient = true
    left.fd.patient = true
    expect(left.fd.patient).toBe(true)
    left.fd.patient = false
    expect(left.fd.patient).toBe(false)
    left.fd.patient = true
    left.close()
    expect(left.fd.patient).toBe(false)
    left.fd.patient = false
  })
})
