import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { bundle, outputOf, programFolder } from './lab/run-in-lab.js'

// Here the same tests run as fast tests on whatever /dev/kvm is, and say which of them that cannot.
describe('KVM on an x86-64 processor, in its lab', () => {
  let outcomes: Record<string, string>
  const named = (kind: string) => Object.keys(outcomes).filter((name) => outcomes[name]!.startsWith(kind))

  beforeAll(async () => {
    const folder = programFolder()
    try {
      const program = fileURLToPath(new URL('./lab/x86-program.ts', import.meta.url))
      outcomes = JSON.parse(await outputOf('x86_64', ['node', await bundle(program, folder)]))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }, 300_000)

  test('keeps every promise of the conformance suite', () => {
    const promises = named('').filter((name) => name.startsWith('conformance > '))
    expect(promises.length).toBeGreaterThan(20)
    expect(promises.filter((name) => outcomes[name] !== 'passed')).toEqual([])
  })

  test('behaves as KVM’s selftests want it, as far as its kernel and QEMU’s SVM go', () => {
    expect(Object.fromEntries(named('failed').map((name) => [name, outcomes[name]]))).toEqual({})
    expect(named('passed').length).toBeGreaterThan(55)
    expect(Object.fromEntries(named('skipped').map((name) => [name, outcomes[name]]))).toEqual({
      'debug_regs > a hardware breakpoint stops before its instruction, with the bit that names it':
        "skipped: QEMU's emulated SVM intercepts no breakpoint",
      'debug_regs > a software breakpoint stops at its own instruction':
        "skipped: QEMU's emulated SVM intercepts no breakpoint",
      'guest_memfd > makes memory of whole pages, and nothing of a wrong size or with unknown flags':
        'skipped: this KVM has no KVM_CAP_GUEST_MEMFD',
      'guest_memfd > is what a slot of the second kind takes, where the machine can be made for it':
        'skipped: this KVM has no guest_memfd that a plain machine can share',
    })
  })

  test('shuts a guest down whose faults have nowhere to go, which a software pagetable VM does not', () => {
    expect(outcomes['triple_fault > a guest whose faults have nowhere to go shuts down']).toBe('passed')
  })
})
