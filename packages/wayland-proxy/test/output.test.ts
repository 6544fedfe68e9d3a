import type { Fd, UnixFdError, UnixSocket } from '@spectrum/unix-fd'
import fc from 'fast-check'
import { err, ok } from 'neverthrow'
import { describe, expect, test } from 'vitest'
import { MOST_DESCRIPTORS_SENT, Output } from '../src/relay/output.js'

/** A peer that takes as many bytes of each send as it is told, and keeps what it got. */
class Taker {
  readonly bytes: number[] = []
  /** Of each descriptor: how many bytes had come before the send that brought it. */
  readonly fds: { readonly fd: object; readonly after: number }[] = []
  readonly open = new Set<object>()
  sends = 0
  room = 0

  fd(): Fd {
    const fd = { close: () => expect(this.open.delete(fd)).toBe(true) }
    this.open.add(fd)
    return fd as unknown as Fd
  }

  readonly socket = {
    trySend: (from: Uint8Array, fds: readonly Fd[] = [], start = 0, end = from.length) => {
      const bytes = from.subarray(start, end)
      expect(bytes.length).toBeGreaterThan(0)
      expect(fds.length).toBeLessThanOrEqual(MOST_DESCRIPTORS_SENT)
      const taken = Math.min(this.room, bytes.length)
      this.room -= taken
      if (taken === 0) return ok(0)
      this.sends += 1
      for (const fd of fds) {
        expect(this.open.has(fd)).toBe(true)
        this.fds.push({ fd, after: this.bytes.length })
      }
      this.bytes.push(...bytes.subarray(0, taken))
      return ok(taken)
    },
  } as unknown as UnixSocket
}

const words = (output: Output, values: readonly number[]) => {
  const at = output.reserve(values.length * 4)
  values.forEach((value, index) => {
    output.words[at + index] = value
  })
  output.commit(values.length * 4)
}

const bytesOf = (values: readonly number[]) => [...new Uint8Array(Int32Array.from(values).buffer)]

describe('what is queued', () => {
  test('arrives whole and in order, whatever the peer takes when, and no descriptor after its message', () => {
    const step = fc.oneof(
      fc.record({ length: fc.integer({ min: 2, max: 1_024 }), fds: fc.constant(0) }),
      fc.record({ length: fc.integer({ min: 2, max: 40 }), fds: fc.nat(2) }),
      fc.record({ room: fc.oneof(fc.nat(100), fc.nat(200_000)) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (steps) => {
        const output = new Output()
        const taker = new Taker()
        const expected: number[] = []
        const sent: { readonly fd: object; readonly at: number }[] = []
        for (const [number, one] of steps.entries()) {
          if ('room' in one) {
            taker.room = one.room
            const done = output.flush(taker.socket)._unsafeUnwrap()
            expect(done).toBe(taker.bytes.length === expected.length)
            taker.room = 0
          } else {
            const values = Array.from({ length: one.length }, (_, index) => number * 10_000 + index)
            const fds = Array.from({ length: one.fds }, () => taker.fd())
            for (const fd of fds) sent.push({ fd, at: expected.length })
            if (one.fds > 0) output.push(new Uint8Array(bytesOf(values)), fds)
            else words(output, values)
            for (const byte of bytesOf(values)) expected.push(byte)
          }
          expect(output.position).toBe(expected.length)
          expect(output.pending).toBe(expected.length - taker.bytes.length)
          expect(output.pendingDescriptors).toBe(taker.open.size)
        }
        taker.room = Number.POSITIVE_INFINITY
        expect(output.flush(taker.socket)._unsafeUnwrap()).toBe(true)
        expect(Buffer.from(taker.bytes).equals(Buffer.from(expected))).toBe(true)
        expect(taker.fds.map(({ fd }) => fd)).toEqual(sent.map(({ fd }) => fd))
        for (const [index, { after }] of taker.fds.entries())
          expect(after).toBeLessThanOrEqual(sent[index]!.at)
        expect(taker.open.size).toBe(0)
      }),
      { numRuns: 15 },
    )
  })

  test('of one turn goes out in one send', () => {
    const output = new Output()
    const taker = new Taker()
    for (let round = 0; round < 3; round++) {
      for (let message = 0; message < 200; message++) words(output, Array(16).fill(message))
      taker.room = Number.POSITIVE_INFINITY
      taker.sends = 0
      output.flush(taker.socket)._unsafeUnwrap()
      expect(taker.sends).toBe(1)
    }
  })

  test('can be changed until the kernel has any of it', () => {
    const output = new Output()
    const taker = new Taker()
    words(output, [1, 2])
    const position = output.position
    words(output, [3, 4, 5])
    expect(output.wordIndexOf(position)).toBe(2)
    taker.room = 8
    output.flush(taker.socket)._unsafeUnwrap()
    const index = output.wordIndexOf(position)
    output.words[index + 1] = 9
    taker.room = 1
    output.flush(taker.socket)._unsafeUnwrap()
    expect(output.wordIndexOf(position)).toBe(-1)
    taker.room = 100
    output.flush(taker.socket)._unsafeUnwrap()
    expect(taker.bytes).toEqual(bytesOf([1, 2, 3, 9, 5]))
    expect(output.wordIndexOf(position)).toBe(-1)
  })

  test('and is lost closes its descriptors; what comes afterwards harms nobody', () => {
    const [output, other] = [new Output(), new Output()]
    const taker = new Taker()
    for (let message = 0; message < 50_000; message++) words(output, [1, 2])
    output.push(new Uint8Array(8), [taker.fd()])
    const at = output.reserve(8)
    const { words: memory } = output
    output.close()
    expect(taker.open.size).toBe(0)
    expect(output.pending).toBe(0)
    for (let message = 0; message < 50_000; message++) words(other, [3, 4])
    memory.fill(7, at)
    taker.room = Number.POSITIVE_INFINITY
    other.flush(taker.socket)._unsafeUnwrap()
    expect(new Set(taker.bytes)).toEqual(new Set([0, 3, 4]))
  })

  test('stays queued while too many descriptors are on their way elsewhere', () => {
    const output = new Output()
    const tooMany: UnixFdError = { kind: 'system', message: '', call: 'sendmsg', code: 'ETOOMANYREFS' }
    const full = { trySend: () => err(tooMany) } as unknown as UnixSocket
    const taker = new Taker()
    output.push(Uint8Array.from(bytesOf([1, 2])), [taker.fd()])
    expect(output.flush(full)._unsafeUnwrap()).toBe(false)
    taker.room = 8
    expect(output.flush(taker.socket)._unsafeUnwrap()).toBe(true)
    expect(taker.bytes).toEqual(bytesOf([1, 2]))
  })
})
