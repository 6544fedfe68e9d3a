import { closeSync, openSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { x86_64 } from '../src/index.js'
import { loadKvmCalls } from '../src/linux/native.js'

const calls = loadKvmCalls()
const { KVM_GET_REGS, KVM_RUN, KVM_SET_USER_MEMORY_REGION } = x86_64.ioctls
const { closed } = calls.answers

/** A handle that every call takes: memory, which has no descriptor. */
function withMemory(use: (handle: number) => void): void {
  const handle = calls.anonymousMemory(65_536, 0)
  try {
    use(handle)
  } finally {
    calls.close(handle)
  }
}

describe('the native calls', () => {
  test('never hand the kernel a buffer that is smaller than the request writes', () => {
    const exact = x86_64.structures.kvm_regs.size
    withMemory((handle) => {
      expect(() => calls.ioctlBytes(handle, KVM_GET_REGS, new Uint8Array(exact - 1))).toThrow('fewer bytes')
      expect(() => calls.ioctlBytes(handle, KVM_GET_REGS, new Uint8Array(0))).toThrow('fewer bytes')
      expect(calls.ioctlBytes(handle, KVM_GET_REGS, new Uint8Array(exact))).toBe(-9) // EBADF
    })
  })

  test('never let a number stand for a structure', () => {
    withMemory((handle) =>
      expect(() => calls.ioctlNumber(handle, KVM_GET_REGS, 0xdeadbeefn)).toThrow('takes bytes'),
    )
  })

  test('never write an address beyond the structure it belongs to', () => {
    const bytes = new Uint8Array(x86_64.structures.kvm_regs.size)
    const memory = new Uint8Array(8)
    withMemory((handle) => {
      for (const at of [bytes.length - 7, bytes.length, 0xffff_ffff])
        expect(() => calls.ioctlBytes(handle, KVM_GET_REGS, bytes, at, memory)).toThrow('no place')
      expect(() => calls.ioctlBytes(handle, KVM_GET_REGS, bytes, 0)).toThrow('without its memory')
      const many = Array.from({ length: 34 }, (_, index) => (index % 2 ? memory : 0))
      expect(() => calls.ioctlBytes(handle, KVM_GET_REGS, bytes, ...many)).toThrow('too many')
      // An address is nobody's business: what stood there for the call is gone afterwards.
      calls.ioctlBytes(handle, KVM_GET_REGS, bytes, 8, memory)
      expect(bytes.every((byte) => byte === 0)).toBe(true)
    })
  })

  test('never give a guest more than was mapped', () => {
    const region = new Uint8Array(32)
    withMemory((memory) => {
      for (const [offset, length] of [
        [0, 65_537],
        [65_536, 4096],
        [4096, 65_536],
      ] as const) {
        expect(() =>
          calls.setSlot(memory, KVM_SET_USER_MEMORY_REGION, region, 24, 0, memory, offset, length),
        ).toThrow('beyond the end')
      }
    })
  })

  test('refuse what is no handle, no request and no argument', () => {
    for (const handle of [-1, 1.5, Number.NaN, 2 ** 53])
      expect(() => calls.ioctlNumber(handle, KVM_RUN, 0n)).toThrow(TypeError)
    for (const request of [-1, 2 ** 32, 0.5])
      expect(() => calls.ioctlNumber(0, request, 0n)).toThrow(TypeError)
    for (const argument of [-1n, 1n << 64n, -1, 0.5])
      expect(() => calls.ioctlNumber(0, KVM_RUN, argument)).toThrow(TypeError)
    const ints = new Int32Array(99) as unknown as Uint8Array
    expect(() => calls.ioctlBytes(0, KVM_GET_REGS, ints)).toThrow(TypeError)
    expect(() => calls.anonymousMemory(-1, 0)).toThrow(TypeError)
  })

  test('answer that a handle is closed, whatever it was, and never let its number mean another', () => {
    const handles = Array.from({ length: 100 }, () => {
      const handle = calls.anonymousMemory(4096, 0)
      expect(calls.close(handle)).toBe(0)
      return handle
    })
    expect(new Set(handles).size).toBe(100)
    for (const handle of [...handles, 0, 1, 2 ** 52 - 1]) {
      expect(calls.close(handle)).toBe(closed)
      expect(calls.ioctlNumber(handle, KVM_RUN, 0)).toBe(closed)
      expect(calls.bytesOf(handle)).toBe(closed)
      expect(calls.run(handle)).toBe(closed)
      expect(calls.kick(handle)).toBe(closed)
      expect(calls.share(handle)).toBe(closed)
      expect(calls.take(handle)).toBe(closed)
      expect(calls.threadRun(handle, 0)).toBe(closed)
    }
  })

  test('close a descriptor that they were to adopt and cannot', () => {
    const file = openSync('/dev/null', 'r')
    expect(calls.adopt(file, 12_345)).toBe(closed)
    expect(() => closeSync(file)).toThrow('EBADF')
  })

  test('map memory that is zeroed and writable, and empty every view of it when it is closed', () => {
    const handle = calls.anonymousMemory(65_536, 0)
    const memory = calls.bytesOf(handle)
    if (typeof memory === 'number') throw new Error(`${memory}`)
    const bytes = new Uint8Array(memory)
    expect(bytes.every((byte) => byte === 0)).toBe(true)
    bytes[65_535] = 1
    expect(calls.forget(memory)).toBe(0)
    expect(bytes.length).toBe(0)
    expect(calls.forget(memory)).toBe(-22) // EINVAL
    const again = calls.bytesOf(handle) as ArrayBuffer
    expect(new Uint8Array(again)[65_535]).toBe(1)
    calls.forget(again)
    calls.close(handle)
    expect(calls.anonymousMemory(0, 0)).toBe(-22) // EINVAL
    expect(() => calls.forget(new ArrayBuffer(8))).toThrow(TypeError)
  })
})
