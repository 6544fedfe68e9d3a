/**
 * A /dev/kvm in memory, for tests.
 *
 * @packageDocumentation
 */

import { FakeKernel } from './fake/kernel.js'
import { type Kvm, openKvm } from './kvm.js'
import type { EventLoop, KvmCalls } from './kvm-calls.js'

/**
 * A /dev/kvm in memory, for tests of what is built on one: machines, slots, vCPUs, exits and kicks behave as the real
 * ones do (one conformance suite holds both), on a processor that knows a handful of real-mode instructions. What it
 * does not know it refuses as a kernel does that lacks it: ENOTTY.
 *
 * A guest that exits for ever leaves timers and the like their turn only with `{ nextTurn: setImmediate }`: otherwise it
 * runs in promises alone.
 */
export function fakeKvm(eventLoop?: EventLoop): Kvm<'x86_64'> {
  return openKvm(fakeKvmCalls(eventLoop), 'x86_64')._unsafeUnwrap()
}

const PROMISES: EventLoop = { nextTurn: (go) => void Promise.resolve().then(go) }

/** What is under it, for a test that wants to see or change single calls. */
export function fakeKvmCalls({ nextTurn }: EventLoop = PROMISES): KvmCalls {
  return new FakeKernel(nextTurn)
}
