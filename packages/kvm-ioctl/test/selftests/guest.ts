import { existsSync } from 'node:fs'
import { expect, type TestContext } from 'vitest'
import type { Kvm, Vcpu, Vm } from '../../src/index.js'
import { openKvm } from '../../src/linux.js'
import { type RealModeGuest, type RealModeOptions, realModeGuest } from '../../src/real-mode-guest.js'

/** Runs `use` with /dev/kvm; skips by name where there is none. */
export async function withKvm(context: TestContext, use: (kvm: Kvm) => void | Promise<void>): Promise<void> {
  if (!existsSync('/dev/kvm')) context.skip('there is no /dev/kvm')
  const opened = openKvm()
  if (opened.isErr()) context.skip(opened.error.message)
  using kvm = opened._unsafeUnwrap()
  await use(kvm)
}

export async function withGuest(
  context: TestContext,
  code: ArrayLike<number>,
  options: RealModeOptions,
  use: (guest: RealModeGuest, kvm: Kvm) => void | Promise<void>,
): Promise<void> {
  await withKvm(context, async (kvm) => {
    using guest = realModeGuest(kvm, code, options)._unsafeUnwrap()
    await use(guest, kvm)
  })
}

type Capability = Parameters<Kvm['checkExtension']>[0]

/** Skips where this machine's KVM lacks something, and says what. */
export function needs(context: TestContext, on: Kvm | Vm, capability: Capability): number {
  const answer = on.checkExtension(capability)._unsafeUnwrap()
  if (answer === 0) context.skip(`this KVM has no ${capability}`)
  return answer
}

/**
 * Skips on a KVM that emulates real mode instruction by instruction in software (a software pagetable VM), where traps do
 * not come from a processor.
 */
export function needsProcessor(context: TestContext, what: string): void {
  if (existsSync('/sys/module/kvm_pvm')) context.skip(`kvm-pvm emulates real mode and ${what}`)
}

/** Skips in the lab, whose processor QEMU emulates: it takes breakpoints for the guest's own, whatever KVM intercepts. */
export function needsBreakpoints(context: TestContext): void {
  if (process.env['SPECTRUM_LAB']) context.skip("QEMU's emulated SVM intercepts no breakpoint")
}

export const HLT = 0xf4

/** The next exit, which has to be of that kind. */
export function runUntil<K extends string>(vcpu: Vcpu, kind: K) {
  const exit = vcpu.run()._unsafeUnwrap()
  expect(exit.kind).toBe(kind)
  return exit as Extract<typeof exit, { kind: K }>
}

/** `mov ecx, INDEX` with a prefix for 32 bits; MSR instructions take it there. */
export const movEcx = (value: number) => [0x66, 0xb9, ...dword(value)]
export const movEax = (value: number) => [0x66, 0xb8, ...dword(value)]
export const movEdx = (value: number) => [0x66, 0xba, ...dword(value)]
export const dword = (value: number) => [...new Uint8Array(Uint32Array.of(value).buffer)]
