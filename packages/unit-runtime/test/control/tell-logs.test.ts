import type { LogOptions } from '@spectrum/unit-runtime'
import type { LogLine } from '@spectrum/unit-runtime/control'
import { describe, expect, it } from 'vitest'
import { tellLogs } from '../../src/control/tell-logs.js'

/** Units whose logs hold lines of these numbers, and say those afterwards. */
function hostWith(said: Record<string, number[]>, news: number[] = [], units: string[] = Object.keys(said)) {
  const line = (seq: number) => ({ seq, at: seq, source: 'console' as const, text: String(seq) })
  return {
    units: new Map(units.map((name) => [name, { ended: new Promise<never>(() => {}) }])),
    async *logs(unit: string, { follow = false, lastLines = 1_000, signal }: LogOptions = {}) {
      if (signal?.aborted) return
      const before = said[unit] ?? []
      yield* before.slice(Math.max(0, before.length - lastLines)).map(line)
      if (follow) yield* news.map(line)
    },
  }
}

async function told(host: ReturnType<typeof hostWith>, lines: number, follow: boolean, most = 100) {
  const heard: string[] = []
  const { signal } = new AbortController()
  const tell = async (line: LogLine) => {
    heard.push('lost' in line ? `lost ${line.lost}` : `${line.unit} ${line.text}`)
    return heard.length < most
  }
  await tellLogs(
    host,
    Object.keys(Object.fromEntries(host.units)),
    { ask: 'logs', unit: undefined, lines, follow },
    { signal, tell },
  )
  return heard
}

describe('a log that is told', () => {
  it('has the newest lines of all units in the order in which they came', async () => {
    expect(await told(hostWith({ left: [1, 4, 6], right: [2, 5] }), 3, false)).toEqual([
      'left 4',
      'right 5',
      'left 6',
    ])
    expect(await told(hostWith({ left: [1, 2] }), 0, false)).toEqual([])
  })

  it('goes on with what comes, each line once, and tells how many are missing', async () => {
    expect(await told(hostWith({ left: [1, 2, 3] }, [3, 4, 5, 9, 10]), 2, true)).toEqual([
      'left 2',
      'left 3',
      'left 4',
      'left 5',
      'lost 3',
      'left 9',
      'left 10',
    ])
  })

  it('begins with the news when no old lines are wanted, whatever was dropped before', async () => {
    expect(await told(hostWith({ left: [1, 2, 3] }, [7, 8]), 0, true)).toEqual(['left 7', 'left 8'])
  })

  it.each(['has ended', 'is gone'])(
    'has the last words of a unit that %s before it is followed',
    async (how) => {
      const said = { left: [1, 2] }
      const host = hostWith(said)
      const heard: string[] = []
      const tell = async (line: LogLine) => {
        heard.push('text' in line ? line.text : 'lost')
        if (heard.length === 2) {
          said.left.push(3, 4)
          if (how === 'is gone') host.units.delete('left')
          else host.units.set('left', { ended: Promise.resolve() as Promise<never> })
        }
        return true
      }
      const { signal } = new AbortController()
      await tellLogs(host, ['left'], { ask: 'logs', unit: 'left', lines: 9, follow: true }, { signal, tell })
      expect(heard).toEqual(['1', '2', '3', '4'])
    },
  )

  it('stops when nobody hears it', async () => {
    expect(await told(hostWith({ left: [1, 2, 3] }, [4, 5]), 2, true, 3)).toEqual([
      'left 2',
      'left 3',
      'left 4',
    ])
  })
})
