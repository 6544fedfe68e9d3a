import type { Clock } from '@spectrum/unit-monitor'
import { escapeAndCut, escapeText } from '@spectrum/unit-monitor'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MachineLog } from '../src/machine-log.js'

/** A clock that jumps when somebody waits. */
function jumpingClock(): Clock & { time: number; waits: number } {
  const clock = {
    time: 0,
    waits: 0,
    now: () => clock.time,
    deadline(ms: number) {
      clock.time += ms
      clock.waits += 1
      return { signal: AbortSignal.abort(), [Symbol.dispose]() {} }
    },
  }
  return clock
}

async function* chunks(...texts: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield typeof text === 'string' ? Buffer.from(text) : text
}

const BOUNDS = { keptLines: 3, lineBytes: 8, eventsPerSecond: 5, bytesPerSecond: 1000 }

describe('the log of a machine', () => {
  it('makes lines of chunks however they are cut, and of a last line without its end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(40), { maxLength: 8 }), async (cuts) => {
        const bytes = Buffer.from('one\ntwo\r\n\nthree\nfour')
        const edges = [
          0,
          ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b),
          bytes.length,
        ]
        const parts = edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge))
        const lines: string[] = []
        await new MachineLog(jumpingClock(), ({ text }) => lines.push(text)).follow(
          'console',
          chunks(...parts),
        )
        expect(lines).toEqual(['one', 'two', 'three', 'four'])
      }),
    )
  })

  it('keeps the newest lines only', async () => {
    const log = new MachineLog(jumpingClock(), () => {}, BOUNDS)
    await log.follow('console', chunks('1\n2\n3\n4\n'))
    expect(log.lastLines()).toEqual(['2', '3', '4'])
  })

  it('cuts a line at its bound and says so', async () => {
    const log = new MachineLog(jumpingClock(), () => {}, BOUNDS)
    await log.follow('console', chunks('12345678\n', '123456789\n', 'x'.repeat(100)))
    expect(log.lastLines()).toEqual(['12345678', '12345678…', 'xxxxxxxx…'])
  })

  it('says so many lines a second, then counts, and keeps them all the same', async () => {
    const clock = jumpingClock()
    const said: string[] = []
    const log = new MachineLog(clock, ({ text }) => said.push(text), BOUNDS)
    async function* later() {
      yield* chunks('a\n'.repeat(9), 'b\n')
      expect(said).toEqual(Array(5).fill('a'))
      expect(log.lastLines()).toEqual(['a', 'a', 'b'])
      clock.time += 1000
      yield* chunks('c\n')
    }
    await log.follow('console', later())
    expect(said.slice(5)).toEqual(['(5 lines left out here)', 'c'])
  })

  it('says how many lines it left out also where nothing is said after them', async () => {
    const said: string[] = []
    const log = new MachineLog(jumpingClock(), ({ text }) => said.push(text), BOUNDS)
    await log.follow('console', chunks('a\n'.repeat(8)))
    expect(said.slice(5)).toEqual(['(3 lines left out here)'])
  })

  it('stops reading for the rest of a second in which too much has come', async () => {
    const clock = jumpingClock()
    await new MachineLog(clock, () => {}, BOUNDS).follow('console', chunks('x'.repeat(1000)))
    expect(clock.waits).toBe(0)
    await new MachineLog(clock, () => {}, BOUNDS).follow('console', chunks('x'.repeat(1001), 'y'))
    expect(clock.waits).toBe(1)
  })

  it('survives a stream that breaks', async () => {
    async function* breaking(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('before')
      throw new Error('broken')
    }
    const log = new MachineLog(jumpingClock(), () => {})
    await log.follow('monitor', breaking())
    expect(log.lastLines()).toEqual(['before'])
  })
})

describe('escaped text', () => {
  it('holds no control, formatting or half character, whatever goes in', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((c) => String.fromCharCode(c)) }),
        (text) => {
          expect(escapeText(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
          expect(escapeAndCut(text, 10).length).toBeLessThanOrEqual(10)
        },
      ),
    )
  })

  it('leaves ordinary text of any language alone', () => {
    const text = 'Grüße, ñandú, 日本語, 😀 and C:\\dir'
    expect(escapeText(text)).toBe(text)
  })

  it('names what it replaces', () => {
    expect(escapeText('\x1b[0m\u009b\u202e\t')).toBe('\\x1b[0m\\x9b\\u{202e}\\x09')
  })
})
