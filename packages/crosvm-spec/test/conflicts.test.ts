import { describe, expect, test } from 'vitest'
import { type CrosvmMachine, conflicts, crosvmSpec } from '../src/index.js'

const make = (rest: Partial<CrosvmMachine>) =>
  crosvmSpec({ architecture: 'x86_64', boot: { kind: 'kernel', path: '/k' }, ...rest })._unsafeUnwrap()
const between = (a: Partial<CrosvmMachine>, b: Partial<CrosvmMachine>) =>
  conflicts({ mail: make(a), vault: make(b) }).map((conflict) => conflict.property)

describe('two machines on one host', () => {
  test('share a pmem file only if both read', () => {
    const reads = { pmem: [{ path: '/blob', readOnly: true }] }
    const writes = { pmem: [{ path: '/blob' }] }
    expect(between(reads, reads)).toEqual([])
    expect(between(reads, writes)).toEqual(['pmem'])
    expect(between(writes, reads)).toEqual(['pmem'])
    expect(conflicts({ a: make(writes), b: make(writes) })[0]?.message).toContain('nothing locks')
  })

  test('are told apart from what one machine does alone, and by what the file is used for', () => {
    expect(between({ block: [{ path: '/d' }] }, { pmem: [{ path: '/d', readOnly: true }] })).toEqual([
      'block',
    ])
    expect(between({ block: [{ path: '/d' }] }, { block: [{ path: '/e' }] })).toEqual([])
    expect(
      between({ block: [{ path: '/proc/self/fd/5' }] }, { block: [{ path: '/proc/self/fd/5' }] }),
    ).toEqual([])
  })

  test('have control sockets, backends, taps and context ids of their own', () => {
    const same: Partial<CrosvmMachine> = {
      socket: '/run/s',
      vhostUser: [{ type: 'fs', socket: '/run/v' }],
      net: [{ backend: { kind: 'tap-name', tapName: 'tap0' } }],
      vsock: { cid: 3 },
    }
    expect(between(same, same)).toEqual(['socket', 'vhostUser', 'net', 'vsock'])
  })
})
