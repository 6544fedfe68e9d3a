import type { UnixSocket } from '@spectrum/unix-fd'
import { ok } from 'neverthrow'
import { expect, test } from 'vitest'
import type { ProtocolObject } from '../src/objects/protocol-object.js'
import { mergeMotion } from '../src/relay/motion.js'
import { Output } from '../src/relay/output.js'
import type { Route } from '../src/relay/routes.js'
import type { Session } from '../src/relay/session.js'

const MOTION = { pointerMotion: true, pointerFrame: false } as Route
const SIZE = 20

/** A kernel that takes so many bytes, and then no more. */
function taking(count: number): UnixSocket {
  let left = count
  const trySend = (bytes: Uint8Array) => {
    const some = Math.min(left, bytes.length)
    left -= some
    return ok(some)
  }
  return { trySend } as unknown as UnixSocket
}

for (const [sent, merged] of [
  [0, true],
  [1, false],
  [SIZE - 1, false],
] as const) {
  test(`a motion of which ${sent} bytes were sent is ${merged ? 'replaced' : 'left as it was'}`, () => {
    const output = new Output()
    const session = { pump: { client: { output } } } as unknown as Session
    const pointer = {} as ProtocolObject
    const write = (x: number) => {
      const at = output.reserve(SIZE)
      output.words.set([5, (SIZE << 16) | 2, 1, x, 0], at)
      return at
    }
    expect(mergeMotion(session, pointer, MOTION, write(1), SIZE)).toBe(false)
    output.commit(SIZE)
    output.flush(taking(sent))._unsafeUnwrap()
    expect(mergeMotion(session, pointer, MOTION, write(2), SIZE)).toBe(merged)
    expect(output.words[3]).toBe(merged ? 2 : 1)
  })
}
