import { describe, expect, test } from 'vitest'
import { GuestMemory } from '../../src/view/memory/guest-memory.js'
import { PieceList } from '../../src/view/memory/piece-list.js'

const filled = (length: number, first: number) => Uint8Array.from({ length }, (_, i) => first + i)

/** Two windows that follow one another, and one apart, given in no order. */
const memory = new GuestMemory([
  { guestAddress: 0x9000, userAddress: 0x5000n, bytes: filled(16, 100) },
  { guestAddress: 0x1010, userAddress: 0x2010n, bytes: filled(16, 16) },
  { guestAddress: 0x1000, userAddress: 0x2000n, bytes: filled(16, 0) },
])

const at = (address: number, length: number, room = 8) => {
  const pieces = new PieceList(room)
  if (!memory.append(address, length, pieces)) return undefined
  const bytes = new Uint8Array(length)
  expect(pieces.copyOut(memory, bytes)).toBe(length)
  return [...bytes]
}

describe('an address of a guest', () => {
  test('is found in its window, also from one into the next', () => {
    expect(at(0x1000, 2)).toEqual([0, 1])
    expect(at(0x100e, 4)).toEqual([14, 15, 16, 17])
    expect(at(0x1000, 32)).toEqual([...filled(32, 0)])
    expect(at(0x900f, 1)).toEqual([115])
  })

  test('outside is nowhere, nor is one that reaches outside', () => {
    for (const [address, length] of [
      [0xfff, 1],
      [0xfff, 2],
      [0x1020, 1],
      [0x101f, 2],
      [0x9010, 1],
      [0, 0x9010],
      [Number.NaN, 1],
      [2 ** 52, 1],
    ] as const) {
      expect(at(address, length)).toBeUndefined()
    }
  })

  test('takes no more pieces than there is room for', () => {
    expect(at(0x100e, 4, 1)).toBeUndefined()
    expect(at(0x100e, 4, 2)).toHaveLength(4)
    const pieces = new PieceList(1)
    expect(memory.append(0x1000, 4, pieces) && memory.append(0x1004, 4, pieces)).toBe(true)
    expect(pieces.count).toBe(1)
    expect(memory.append(0x1009, 4, pieces)).toBe(false)
  })
})

test('copies fill no more than they should', () => {
  const own = new GuestMemory([{ guestAddress: 0, userAddress: 0n, bytes: new Uint8Array(300) }])
  const pieces = new PieceList(4)
  own.append(10, 5, pieces)
  own.append(100, 150, pieces)
  pieces.copyIn(own, new Uint8Array(200).fill(1), 100)
  const ones = [...own.windows[0]!.bytes.keys()].filter((i) => own.windows[0]!.bytes[i] === 1)
  expect(ones).toEqual([...filled(5, 10), ...Array.from({ length: 95 }, (_, i) => 100 + i)])
  const short = new Uint8Array(3)
  expect(pieces.copyOut(own, short)).toBe(3)
})

test('a user address is a place in one window only', () => {
  expect(memory.placeOf(0x2000n, 16)).toMatchObject({ offset: 0 })
  expect(memory.placeOf(0x2008n, 8)).toMatchObject({ offset: 8 })
  expect(memory.placeOf(0x2008n, 9)).toBeUndefined()
  expect(memory.placeOf(0x1fffn, 1)).toBeUndefined()
  expect(memory.placeOf(2n ** 64n - 1n, 16)).toBeUndefined()
})
