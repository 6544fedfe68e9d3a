import { FakeKernel } from './fake/kernel.js'
import { type Kvm, openKvm } from './kvm.js'
import type { KvmCalls } from './kvm-calls.js'

/**
 * A /dev/kvm in memory, for tests of what is built on one: machines, slots, vCPUs, exits and kicks behave as the real
 * ones do (one conformance suite holds both), on a processor that knows a handful of real-mode instructions. What it
 * does not know it refuses as a kernel does that lacks it: ENOTTY.
 */
export function fakeKvm(): Kvm<'x86_64'> {
  return openKvm(fakeKvmCalls(), 'x86_64')._unsafeUnwrap()
}

/** What is under it, for a test that wants to see or change single calls. */
export function fakeKvmCalls(): KvmCalls {
  return new FakeKernel()
}
