/**
 * What a KVM keeps, the real one and the fake.
 *
 * @packageDocumentation
 */

import type { KvmError } from './errors.js'
import type { Kvm } from './kvm.js'
import { type RealModeOptions, realModeGuest } from './real-mode-guest.js'
import type { X86Exit } from './running/exit.js'

/** The functions of a test library that the suite uses; vitest's fit. */
export interface TestApi {
  /** As vitest's and jest's. */
  describe(name: string, body: () => void): void
  /** As vitest's and jest's. */
  it(name: string, body: () => void | Promise<void>): void
  /** As vitest's and jest's, with the few matchers that are used. */
  expect(actual: unknown): {
    /** The same value. */
    toBe(expected: unknown): void
    /** An equal value, all the way down. */
    toEqual(expected: unknown): void
    /** At least these properties. */
    toMatchObject(expected: object): void
    /** A larger number. */
    toBeGreaterThan(expected: number): void
  }
}

const PORT = 0x3f8
const HLT = 0xf4
/** `mov dx, 0x3f8; mov al, X; out dx, al`. */
const print = (letter: number) => [0xba, PORT & 0xff, PORT >> 8, 0xb0, letter, 0xee]
/** `mov al, [imm16]` and its counterpart: 0x8000 is beyond memory of 32 KiB. */
const load = (at: number) => [0xa0, at & 0xff, at >> 8]
const store = (at: number) => [0xa2, at & 0xff, at >> 8]
const SPIN = [0xeb, 0xfe]
const SMALL = { bytes: 32_768 }
const BEYOND = 0x9000

/** What every /dev/kvm for x86-64 promises that this package opens, as tests. `open` makes one anew for each. */
export function kvmConformance(name: string, open: () => Kvm, { describe, it, expect }: TestApi): void {
  const withGuest = async (
    code: readonly number[],
    options: RealModeOptions,
    use: (guest: ReturnType<typeof guestOf>, kvm: Kvm) => void | Promise<void>,
  ) => {
    using kvm = open()
    using guest = guestOf(kvm, code, options)
    await use(guest, kvm)
  }
  const guestOf = (kvm: Kvm, code: readonly number[], options: RealModeOptions) =>
    realModeGuest(kvm, code, options)._unsafeUnwrap()
  const errorOf = (result: { isErr(): boolean; _unsafeUnwrapErr(): KvmError }) =>
    result.isErr() ? result._unsafeUnwrapErr().kind : 'no error'

  describe(name, () => {
    it('speaks version 12 and knows memory from user space', () => {
      using kvm = open()
      expect(kvm.getApiVersion()._unsafeUnwrap()).toBe(12)
      expect(kvm.checkExtension('KVM_CAP_USER_MEMORY')._unsafeUnwrap()).toBe(1)
      expect(kvm.getVcpuMmapSize()._unsafeUnwrap()).toBeGreaterThan(2352)
    })

    it('runs a guest that prints through a port, byte by byte, and halts', () =>
      withGuest([...print(0x48), ...print(0x69), HLT], {}, ({ vcpu }) => {
        let printed = ''
        let next = vcpu.ready
        for (;;) {
          const exit = vcpu.run(next)._unsafeUnwrap()
          if (exit.kind === 'hlt') break
          if (exit.kind !== 'io-out') throw new Error(exit.kind)
          expect(exit).toMatchObject({ port: PORT, size: 1, count: 1 })
          printed += String.fromCharCode(exit.data[0]!)
          next = exit.resume()
        }
        expect(printed).toBe('Hi')
      }))

    it('gives the guest the answer to its read of a port, and goes on with no other', () =>
      // in al, 0x10; out 0x11, al; hlt
      withGuest([0xe4, 0x10, 0xe6, 0x11, HLT], {}, ({ vcpu }) => {
        const exit = vcpu.run()._unsafeUnwrap() as X86Exit
        if (exit.kind !== 'io-in') throw new Error(exit.kind)
        expect(exit).toMatchObject({ port: 0x10, size: 1, count: 1 })
        expect(vcpu.run()._unsafeUnwrapErr()).toMatchObject({ kind: 'answer-owed', exit: 'io-in' })
        expect(errorOf(vcpu.run(exit.answer(new Uint8Array(2))))).toBe('invalid-argument')
        expect(errorOf(vcpu.run(exit.answer([7] as unknown as Uint8Array)))).toBe('invalid-argument')
        const echoed = vcpu.run(exit.answer(Uint8Array.of(7)))._unsafeUnwrap()
        expect(echoed).toMatchObject({ kind: 'io-out', port: 0x11 })
        if (echoed.kind === 'io-out') expect([...echoed.data]).toEqual([7])
        expect(errorOf(vcpu.run(exit.answer(Uint8Array.of(8))))).toBe('stale')
        expect(vcpu.run()._unsafeUnwrap().kind).toBe('hlt')
      }))

    it('copies what an exit says out of the memory that the next run overwrites', () =>
      withGuest([...print(1), ...print(2), HLT], {}, ({ vcpu }) => {
        const first = vcpu.run()._unsafeUnwrap()
        const second = vcpu.run()._unsafeUnwrap()
        if (first.kind !== 'io-out' || second.kind !== 'io-out') throw new Error('expected two writes')
        expect([first.data[0], second.data[0]]).toEqual([1, 2])
      }))

    it('exits for memory that is not there, and takes the answer to a read of it', () =>
      withGuest([0xb0, 0x2a, ...store(BEYOND), ...load(BEYOND), 0xe6, 0x11, HLT], SMALL, ({ vcpu }) => {
        const write = vcpu.run()._unsafeUnwrap()
        expect(write).toMatchObject({ kind: 'mmio-write', address: BigInt(BEYOND) })
        if (write.kind === 'mmio-write') expect([...write.data]).toEqual([0x2a])
        const read = vcpu.run()._unsafeUnwrap()
        expect(read).toMatchObject({ kind: 'mmio-read', address: BigInt(BEYOND), length: 1 })
        if (read.kind !== 'mmio-read') return
        const out = vcpu.run(read.answer(Uint8Array.of(99)))._unsafeUnwrap()
        if (out.kind !== 'io-out') throw new Error(out.kind)
        expect(out.data[0]).toBe(99)
      }))

    it('lets a guest read a read-only slot, and exits when it writes there', () =>
      withGuest(
        [...load(0x2000), ...store(0x2000), HLT],
        { ...SMALL, readOnly: true },
        ({ vcpu, memory }) => {
          memory.write(0x2000, Uint8Array.of(5))._unsafeUnwrap()
          expect(vcpu.run()._unsafeUnwrap()).toMatchObject({ kind: 'mmio-write', address: 0x2000n })
          expect(vcpu.run()._unsafeUnwrap().kind).toBe('hlt')
          expect([...memory.read(0x2000, 1)._unsafeUnwrap()]).toEqual([5])
        },
      ))

    it('shows the guest what is written to its memory, and the other way round', () =>
      withGuest([...load(0x2000), 0x04, 1, ...store(0x2001), HLT], SMALL, ({ vcpu, memory }) => {
        const bytes = memory.bytes._unsafeUnwrap()
        bytes[0x2000] = 41
        expect(vcpu.run()._unsafeUnwrap().kind).toBe('hlt')
        expect(bytes[0x2001]).toBe(42)
      }))

    it('keeps memory for the guest after it was closed, and takes it from JavaScript', () =>
      withGuest([...load(0x2000), 0xe6, 0x11, HLT], SMALL, ({ vcpu, memory }) => {
        const bytes = memory.bytes._unsafeUnwrap()
        bytes[0x2000] = 77
        memory.close()
        expect(bytes.length).toBe(0)
        expect(errorOf(memory.bytes)).toBe('closed')
        const out = vcpu.run()._unsafeUnwrap()
        if (out.kind !== 'io-out') throw new Error(out.kind)
        expect(out.data[0]).toBe(77)
      }))

    it('refuses slots that overlap, that are not whole pages or that leave their memory', () =>
      withGuest([HLT], SMALL, ({ vm, memory }, kvm) => {
        using other = kvm.createMemory(8192)._unsafeUnwrap()
        const region = { slot: 1, guestAddress: 0x10000, memory: other }
        expect(vm.setUserMemoryRegion({ ...region, guestAddress: 0x1000 })._unsafeUnwrapErr()).toMatchObject({
          kind: 'refused',
          errno: 'EEXIST',
        })
        for (const wrong of [
          { guestAddress: 0x10001 },
          { guestAddress: -4096 },
          { offset: 100 },
          { offset: 12_288 },
          { offset: -4096 },
          { length: 0 },
          { length: 100 },
          { length: 12_288 },
          { offset: 4096, length: 8192 },
          { slot: -1 },
          { slot: 1.5 },
          { slot: 2 ** 32 },
          { memory: undefined as never },
        ]) {
          expect(errorOf(vm.setUserMemoryRegion({ ...region, ...wrong }))).toBe('invalid-argument')
        }
        expect(vm.setUserMemoryRegion({ ...region, offset: 4096 }).isOk()).toBe(true)
        expect(vm.removeMemoryRegion(1).isOk()).toBe(true)
        memory.close()
        expect(errorOf(vm.setUserMemoryRegion({ ...region, memory }))).toBe('closed')
      }))

    it('takes a slot away, and exits where it was', () =>
      withGuest([HLT, ...load(0x2000), HLT], {}, ({ vm, vcpu }, kvm) => {
        using high = kvm.createMemory(4096)._unsafeUnwrap()
        expect(vm.setUserMemoryRegion({ slot: 3, guestAddress: 0x100000, memory: high }).isOk()).toBe(true)
        expect(vm.removeMemoryRegion(3).isOk()).toBe(true)
        expect(vm.removeMemoryRegion(3).isErr()).toBe(true)
        expect(vcpu.run()._unsafeUnwrap().kind).toBe('hlt')
      }))

    it('notes which pages the guest wrote, once', () =>
      withGuest(
        [0xb0, 1, ...store(0x3000), ...store(0x5000), HLT],
        { ...SMALL, logDirtyPages: true },
        ({ vm, vcpu }) => {
          // Without the page of the code: a KVM may map it for writing when it is first fetched, and count that.
          const written = () => [...vm.getDirtyLog(0)._unsafeUnwrap()].filter((page) => page !== 1)
          written()
          vcpu.run()._unsafeUnwrap()
          expect(written()).toEqual([3, 5])
          expect(written()).toEqual([])
          expect(errorOf(vm.getDirtyLog(9))).toBe('invalid-argument')
        },
      ))

    it('gives registers as they were set', () =>
      withGuest([HLT], {}, ({ vcpu }) => {
        const regs = { rax: 0xffff_ffff_ffff_ffffn, rbx: 1n, rip: 0x1000n, rflags: 2n }
        vcpu.setRegs(regs)._unsafeUnwrap()
        const got = vcpu.getRegs()._unsafeUnwrap()
        expect([got.rax, got.rbx, got.rcx, got.rip]).toEqual([regs.rax, 1n, 0n, 0x1000n])
        expect(errorOf(vcpu.setRegs({ rax: 1n << 64n }))).toBe('invalid-argument')
        expect(errorOf(vcpu.setRegs({ rax: -1n }))).toBe('invalid-argument')
        expect(errorOf(vcpu.setRegs({ eax: 1n } as object))).toBe('invalid-argument')
        expect(errorOf(vcpu.setRegs(null as never))).toBe('invalid-argument')
        expect(errorOf(vcpu.setRegs(undefined as never))).toBe('invalid-argument')
      }))

    it('refuses a number that KVM would give back as an error', () =>
      withGuest([HLT], {}, ({ vm, vcpu }) => {
        for (const wrong of [2 ** 31, 2 ** 32 - 4, 2n ** 32n - 4n]) {
          expect(errorOf(vcpu.setTscKhz(wrong))).toBe('invalid-argument')
          expect(errorOf(vm.setTscKhz(wrong))).toBe('invalid-argument')
          expect(errorOf(vm.setNrMmuPages(wrong))).toBe('invalid-argument')
        }
      }))

    it('makes each vCPU once', () =>
      withGuest([HLT], {}, ({ vm }) => {
        expect(vm.createVcpu(0)._unsafeUnwrapErr()).toMatchObject({ kind: 'refused', errno: 'EEXIST' })
        using second = vm.createVcpu(1)._unsafeUnwrap()
        expect(second.id).toBe(1)
        for (const wrong of [-1, 0.5, Number.NaN, 2 ** 32])
          expect(errorOf(vm.createVcpu(wrong))).toBe('invalid-argument')
        expect(errorOf(vm.createVcpu(0xffff_ffff))).toBe('refused')
      }))

    it('loses no kick that comes before the run, and one kick ends one run', () =>
      withGuest([...print(1), HLT], {}, ({ vcpu }) => {
        for (let round = 0; round < 3; round += 1) {
          vcpu.kick()._unsafeUnwrap()
          vcpu.kick()._unsafeUnwrap()
          expect(vcpu.run()._unsafeUnwrap().kind).toBe('kicked')
        }
        expect(vcpu.run()._unsafeUnwrap().kind).toBe('io-out')
        expect(vcpu.run()._unsafeUnwrap().kind).toBe('hlt')
      }))

    it('completes what an exit asked before a kick ends the run', () =>
      withGuest([0xe4, 0x10, HLT], {}, ({ vcpu }) => {
        const exit = vcpu.run()._unsafeUnwrap()
        if (exit.kind !== 'io-in') throw new Error(exit.kind)
        vcpu.kick()._unsafeUnwrap()
        expect(vcpu.run(exit.answer(Uint8Array.of(0x5a)))._unsafeUnwrap().kind).toBe('kicked')
        expect(vcpu.getRegs()._unsafeUnwrap().rax & 0xffn).toBe(0x5an)
        expect(vcpu.run()._unsafeUnwrap().kind).toBe('hlt')
      }))

    it('runs on a thread of its own while this one does other things', () =>
      withGuest([...print(1), ...print(2), 0xe4, 0x10, HLT], {}, async ({ vcpu }) => {
        const kinds: string[] = []
        const ended = await vcpu.loop(async (exit) => {
          kinds.push(exit.kind)
          if (exit.kind === 'hlt') return undefined
          if (exit.kind === 'io-in') return exit.answer(Uint8Array.of(1))
          if (kinds.length === 1) await Promise.resolve()
          return 'resume' in exit ? exit.resume() : undefined
        })
        expect(ended.isOk()).toBe(true)
        expect(kinds).toEqual(['io-out', 'io-out', 'io-in', 'hlt'])
      }))

    it('gives one exit at a time to whoever awaits it', () =>
      withGuest([...print(1), 0xe4, 0x10, HLT], {}, async ({ vcpu }) => {
        const first = (await vcpu.runAsync(vcpu.ready))._unsafeUnwrap()
        if (first.kind !== 'io-out') throw new Error(first.kind)
        const second = (await vcpu.runAsync(first.resume()))._unsafeUnwrap()
        if (second.kind !== 'io-in') throw new Error(second.kind)
        expect(errorOf(await vcpu.runAsync(vcpu.ready))).toBe('answer-owed')
        const third = (await vcpu.runAsync(second.answer(Uint8Array.of(1))))._unsafeUnwrap()
        expect(third.kind).toBe('hlt')
      }))

    it('ends a guest that never exits: by a kick, by a signal, and by closing', () =>
      withGuest(SPIN, {}, async ({ vcpu }) => {
        const kicked = vcpu.runAsync(vcpu.ready)
        vcpu.kick()._unsafeUnwrap()
        expect((await kicked)._unsafeUnwrap().kind).toBe('kicked')
        const controller = new AbortController()
        const aborted = vcpu.loop((exit) => ('resume' in exit ? exit.resume() : undefined), {
          signal: controller.signal,
        })
        controller.abort()
        expect(errorOf(await aborted)).toBe('aborted')
        expect(errorOf(await vcpu.loop(() => undefined, { signal: controller.signal }))).toBe('aborted')
        const closed = vcpu.loop((exit) => ('resume' in exit ? exit.resume() : undefined))
        vcpu.close()
        expect(errorOf(await closed)).toBe('closed')
      }))

    it('answers `running` instead of waiting for a vCPU that runs', () =>
      withGuest(SPIN, {}, async ({ vcpu }) => {
        const run = vcpu.runAsync(vcpu.ready)
        // Its thread may need a moment to be in the guest.
        let refused = 'no error'
        for (let tries = 0; tries < 1_000_000 && refused !== 'running'; tries += 1)
          refused = errorOf(vcpu.getRegs())
        expect(refused).toBe('running')
        expect(errorOf(vcpu.run())).toBe('running')
        expect(errorOf(await vcpu.runAsync(vcpu.ready))).toBe('running')
        vcpu.kick()._unsafeUnwrap()
        expect((await run)._unsafeUnwrap().kind).toBe('kicked')
        expect(vcpu.getRegs().isOk()).toBe(true)
      }))

    it('answers `closed` for everything that is', () =>
      withGuest([HLT], {}, ({ vm, vcpu, memory }, kvm) => {
        for (const one of [vcpu, memory, vm, kvm]) {
          one.close()
          one.close()
          expect(one.closed).toBe(true)
        }
        for (const result of [
          vcpu.run(),
          vcpu.getRegs(),
          vcpu.setRegs({}),
          vcpu.kick(),
          vcpu.share(),
          vcpu.shared,
          vcpu.takeCoalesced(),
          vcpu.ioctl('KVM_NMI'),
          vm.createVcpu(4),
          vm.getDirtyLog(0),
          vm.removeMemoryRegion(0),
          vm.createIrqchip(),
          memory.bytes,
          memory.read(0, 1),
          kvm.createVm(),
          kvm.getApiVersion(),
          kvm.fd,
        ]) {
          expect(errorOf(result)).toBe('closed')
        }
      }))

    it('keeps a machine for the vCPU that is left of it', () =>
      withGuest([...print(9), HLT], {}, ({ vm, vcpu, memory }, kvm) => {
        memory.close()
        vm.close()
        kvm.close()
        expect(vcpu.run()._unsafeUnwrap().kind).toBe('io-out')
        expect(vcpu.run()._unsafeUnwrap().kind).toBe('hlt')
      }))

    it('refuses by name what names memory beyond its structure', () =>
      withGuest([HLT], {}, ({ vm, vcpu }) => {
        expect(errorOf(vm.ioctl('KVM_GET_DIRTY_LOG', new Uint8Array(16)))).toBe('use-the-method')
        expect(errorOf(vcpu.ioctl(0x4010aeab, new Uint8Array(16)))).toBe('use-the-method')
        expect(errorOf(vcpu.ioctl('KVM_ARM_SET_DEVICE_ADDR', new Uint8Array(16)))).toBe('use-the-method')
        expect(errorOf(vcpu.ioctl('KVM_GET_REGS', new Uint8Array(143)))).toBe('invalid-argument')
        expect(errorOf(vcpu.ioctl('KVM_GET_REGS', 0n))).toBe('invalid-argument')
        expect(errorOf(vcpu.ioctl('KVM_NOTHING'))).toBe('invalid-argument')
        expect(errorOf(vcpu.ioctl('KVM_GET_DIRTY_LOG', 1))).toBe('use-the-method')
        expect(vcpu.ioctl('KVM_GET_REGS', new Uint8Array(144)).isOk()).toBe(true)
        expect(vcpu.ioctl(0xae_ff)._unsafeUnwrapErr().kind).toBe('refused')
      }))
  })
}
