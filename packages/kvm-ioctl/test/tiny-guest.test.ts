import { describe, expect, test } from 'vitest'
import { x86_64 } from '../src/index.js'
import type { KvmCalls } from '../src/kvm-calls.js'
import { writeField } from '../src/structure.js'
import { runTinyGuest } from '../src/tiny-guest.js'

const { capabilities, exitReasons, ioctls, layouts } = x86_64
const EINVAL = -22
const EINTR = -4
const nameOf = (request: number) => Object.entries(ioctls).find(([, number]) => number === request)![0]

interface Behaviour {
  /** What a step answers instead of what a healthy KVM would. */
  readonly answers?: Readonly<Record<string, number>>
  readonly exits?: readonly number[]
  readonly port?: number
  readonly interruptions?: number
}

/** A /dev/kvm in memory, healthy unless told otherwise. */
function fakeKvm({ answers = {}, exits, port = 0x3f8, interruptions = 0 }: Behaviour = {}) {
  const open = new Set<number>()
  const steps: string[] = []
  const run = new ArrayBuffer(8192)
  const toCome = [...(exits ?? [exitReasons.KVM_EXIT_IO, exitReasons.KVM_EXIT_HLT])]
  let interrupt = interruptions
  const descriptor = () => {
    const fd = 10 + open.size
    open.add(fd)
    return fd
  }
  const healthy = (name: string, argument: bigint): number => {
    switch (name) {
      case 'KVM_GET_API_VERSION':
        return 12
      case 'KVM_CREATE_VM':
      case 'KVM_CREATE_VCPU':
        return descriptor()
      case 'KVM_GET_VCPU_MMAP_SIZE':
        return run.byteLength
      case 'KVM_CHECK_EXTENSION':
        return [capabilities.KVM_CAP_SET_TSS_ADDR, capabilities.KVM_CAP_HLT].some(
          (cap) => BigInt(cap) === argument,
        )
          ? 1
          : 0
      default:
        return 0
    }
  }
  const runOnce = () => {
    if (interrupt > 0) {
      interrupt -= 1
      return EINTR
    }
    const { fields } = layouts.kvm_run
    const bytes = new Uint8Array(run)
    writeField(bytes, fields.exit_reason, BigInt(toCome.shift() ?? 0))
    const io = {
      'io.direction': 1n,
      'io.size': 1n,
      'io.port': BigInt(port),
      'io.count': 1n,
      'io.data_offset': 4096n,
    }
    for (const [name, value] of Object.entries(io))
      writeField(bytes, fields[name as keyof typeof fields], value)
    bytes[4096] = 0x53
    return 0
  }
  const mapping = (step: string, buffer: ArrayBuffer) => answers[step] ?? buffer
  const calls: Partial<KvmCalls> = {
    open: () => answers['open'] ?? descriptor(),
    adopt: (fd) => fd,
    close: (handle) => {
      expect(open.delete(handle)).toBe(true)
      return 0
    },
    ioctlNumber: (_fd, request, argument) =>
      answers[nameOf(request)] ?? healthy(nameOf(request), BigInt(argument)),
    ioctlBytes: (_fd, request) => answers[nameOf(request)] ?? 0,
    setSlot: (_vm, request) => answers[nameOf(request)] ?? 0,
    run: () => answers['KVM_RUN'] ?? runOnce(),
    mapRun: () => mapping('mmap of kvm_run', run),
    anonymousMemory: () => answers['mmap of guest memory'] ?? descriptor(),
    bytesOf: () => new ArrayBuffer(65_536),
  }
  const probe = runTinyGuest(calls as KvmCalls, (step) => steps.push(step))
  return { probe, steps, leftOpen: [...open] }
}

describe('the tiny guest', () => {
  test('on a healthy KVM runs code, names the capabilities it found and closes everything', () => {
    const { probe, leftOpen } = fakeKvm()
    expect(probe).toMatchObject({
      kind: 'runs-code',
      apiVersion: 12,
      capabilities: { KVM_CAP_SET_TSS_ADDR: 1, KVM_CAP_HLT: 1 },
    })
    expect(leftOpen).toEqual([])
  })

  const failing = fakeKvm().steps.filter((step) => step !== 'open' && step !== 'KVM_CHECK_EXTENSION')

  test.each([...new Set(failing)])('says that %s fails when it does, and closes everything', (step) => {
    const { probe, leftOpen } = fakeKvm({ answers: { [step]: EINVAL } })
    expect(probe).toMatchObject({ kind: 'unusable', step, errno: 'EINVAL' })
    expect(leftOpen).toEqual([])
  })

  test.each([
    ['ENOENT', -2, 'absent'],
    ['ENODEV', -19, 'absent'],
    ['ENXIO', -6, 'absent'],
    ['EACCES', -13, 'no-permission'],
    ['EPERM', -1, 'no-permission'],
    ['EBUSY', -16, 'unusable'],
  ])('reads %s from opening the device as what it means', (name, errno, kind) => {
    const { probe } = fakeKvm({ answers: { open: errno } })
    expect(probe.kind).toBe(kind)
    expect(probe.message).toContain(name)
  })

  test('does not take an API that is not version 12', () => {
    expect(fakeKvm({ answers: { KVM_GET_API_VERSION: 11 } }).probe).toMatchObject({
      step: 'KVM_GET_API_VERSION',
    })
  })

  test('does not take a guest that stops for another reason, or writes elsewhere', () => {
    const { KVM_EXIT_IO, KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_FAIL_ENTRY } = exitReasons
    for (const exits of [[KVM_EXIT_INTERNAL_ERROR], [KVM_EXIT_FAIL_ENTRY], [KVM_EXIT_IO, KVM_EXIT_IO]]) {
      expect(fakeKvm({ exits }).probe).toMatchObject({ kind: 'unusable', step: 'KVM_RUN' })
    }
    expect(fakeKvm({ port: 0x3f9 }).probe).toMatchObject({ kind: 'unusable', step: 'KVM_RUN' })
  })

  test('takes a few interruptions, not any number', () => {
    expect(fakeKvm({ interruptions: 16 }).probe.kind).toBe('runs-code')
    expect(fakeKvm({ interruptions: 1_000 }).probe).toMatchObject({ step: 'KVM_RUN', errno: 'EINTR' })
  })

  test('does not map less than kvm_run', () => {
    const { probe } = fakeKvm({ answers: { KVM_GET_VCPU_MMAP_SIZE: layouts.kvm_run.size - 1 } })
    expect(probe).toMatchObject({ kind: 'unusable', step: 'KVM_GET_VCPU_MMAP_SIZE' })
  })
})
