import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nameHost, ownerLives, parseHostName } from '../src/identity.js'
import type { ProcessTable } from '../src/powers.js'

const bootId = 'abcdef01-2345-4678-9abc-def012345678'

function table(self: { pid: number; startTime: string }, running: Record<number, string>): ProcessTable {
  return {
    self,
    bootId,
    identify: async (pid) => (running[pid] === undefined ? undefined : { pid, startTime: running[pid] }),
    marked: async () => [],
    kill: async () => 'gone',
  }
}

describe('a host directory’s name', () => {
  it('tells its owner back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4194304 }),
        fc.bigInt({ min: 0n, max: 2n ** 63n }),
        (pid, ticks) => {
          const startTime = ticks.toString()
          const name = nameHost(table({ pid, startTime }, {}), '0123abcd')
          expect(name.length).toBeLessThanOrEqual(40)
          expect(parseHostName(name)).toEqual({ process: { pid, startTime }, boot: 'abcdef01' })
        },
      ),
    )
  })

  it('is no host’s when it is anything else', () => {
    for (const name of [
      '',
      '..',
      '1-2-3-4',
      '0-1-abcdef01-0123abcd',
      '1-1-abcdef01-0123abcd/x',
      'lost+found',
    ]) {
      expect(parseHostName(name)).toBeUndefined()
    }
  })

  it('is a living host’s only for the same process in the same boot', async () => {
    const owner = { process: { pid: 7, startTime: '70' }, boot: 'abcdef01' }
    const self = { pid: 8, startTime: '80' }
    expect(await ownerLives(table(self, { 7: '70' }), owner)).toBe(true)
    expect(await ownerLives(table(self, { 7: '71' }), owner)).toBe(false)
    expect(await ownerLives(table(self, {}), owner)).toBe(false)
    expect(await ownerLives(table(self, { 7: '70' }), { ...owner, boot: '00000000' })).toBe(false)
  })
})
