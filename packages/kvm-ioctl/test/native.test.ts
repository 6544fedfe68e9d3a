import { closeSync, openSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { x86_64 } from '../src/index.js'
import { loadKvmCalls } from '../src/linux/native.js'

const calls = loadKvmCalls()
const { KVM_GET_REGS, KVM_RUN } = x86_64.ioctls

describe('the native calls', () => {
  test('never hand the kernel a buffer that is smaller than the request writes', () => {
    const exact = x86_64.layouts.kvm_regs.size
    expect(() => calls.ioctlBytes(0, KVM_GET_REGS, new Uint8Array(exact - 1))).toThrow('fewer bytes')
    expect(() => calls.ioctlBytes(0, KVM_GET_REGS, new Uint8Array(0))).toThrow('fewer bytes')
    expect(() => calls.ioctlBytes(0, KVM_RUN, new Uint8Array(8))).toThrow('fewer bytes')
    const file = openSync('/dev/null', 'r')
    expect(calls.ioctlBytes(file, KVM_GET_REGS, new Uint8Array(exact))).toBe(-25) // ENOTTY
    closeSync(file)
  })

  test('never let a number stand for a structure', () => {
    expect(() => calls.ioctlNumber(0, KVM_GET_REGS, 0xdeadbeefn)).toThrow('takes bytes')
  })

  test('refuse what is no descriptor, no request and no argument', () => {
    for (const fd of [-1, 1.5, Number.NaN, 2 ** 31])
      expect(() => calls.ioctlNumber(fd, KVM_RUN, 0n)).toThrow(TypeError)
    for (const request of [-1, 2 ** 32, 0.5])
      expect(() => calls.ioctlNumber(0, request, 0n)).toThrow(TypeError)
    for (const argument of [-1n, 1n << 64n])
      expect(() => calls.ioctlNumber(0, KVM_RUN, argument)).toThrow(TypeError)
    expect(() => calls.ioctlBytes(0, KVM_GET_REGS, new Int32Array(99) as unknown as Uint8Array)).toThrow(
      TypeError,
    )
    expect(() => calls.mapAnonymous(-1)).toThrow(TypeError)
  })

  test('map memory that is zeroed, writable and where it says it is', () => {
    const memory = calls.mapAnonymous(65_536)
    if (typeof memory === 'number') throw new Error(`${memory}`)
    const bytes = new Uint8Array(memory)
    expect(bytes.every((byte) => byte === 0)).toBe(true)
    bytes[65_535] = 1
    expect(calls.addressOf(memory) % 4096n).toBe(0n)
    expect(calls.mapAnonymous(0)).toBe(-22) // EINVAL
  })
})
