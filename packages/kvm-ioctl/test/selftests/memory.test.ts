import { unixFd } from '@spectrum/unix-fd/linux'
import { describe, expect, test } from 'vitest'
import { HLT, needs, runUntil, withGuest, withKvm } from './guest.js'

/** `mov al, X; mov [imm16], al`. */
const store = (at: number, value: number) => [0xb0, value, 0xa2, at & 0xff, at >> 8]

describe('set_memory_region', () => {
  test('a slot can be moved, and the guest finds it where it is now', (context) =>
    withKvm(context, (kvm) => {
      using vm = kvm.createVm()._unsafeUnwrap()
      using memory = kvm.createMemory(8192)._unsafeUnwrap()
      const region = { slot: 0, memory, offset: 0, length: 4096 }
      for (const guestAddress of [0, 0x10_0000, 0x1_0000_0000n])
        expect(vm.setUserMemoryRegion({ ...region, guestAddress }).isOk()).toBe(true)
      // Its size or its memory cannot change under the guest: the slot has to go first.
      expect(
        vm.setUserMemoryRegion({ ...region, guestAddress: 0, length: 8192 })._unsafeUnwrapErr(),
      ).toMatchObject({
        errno: 'EINVAL',
      })
    }))

  test('as many slots as KVM says, and not one more', (context) =>
    withKvm(context, (kvm) => {
      using vm = kvm.createVm()._unsafeUnwrap()
      const most = needs(context, vm, 'KVM_CAP_NR_MEMSLOTS')
      using memory = kvm.createMemory(4096)._unsafeUnwrap()
      const add = (slot: number) =>
        vm.setUserMemoryRegion({ slot, guestAddress: BigInt(slot) * 4096n, memory })
      // Each costs the kernel time; the ends are what can be wrong.
      for (const slot of [0, 1, 511, most - 1]) expect(add(slot).isOk()).toBe(true)
      expect(add(most)._unsafeUnwrapErr()).toMatchObject({ kind: 'refused', errno: 'EINVAL' })
    }))

  test('a guest without memory at its first instruction does not take the program with it', (context) =>
    withKvm(context, (kvm) => {
      using vm = kvm.createVm()._unsafeUnwrap()
      vm.setTssAddr(0xfffb_d000)._unsafeUnwrap()
      using vcpu = vm.createVcpu(0)._unsafeUnwrap()
      const outcome = vcpu.run()
      if (outcome.isErr()) expect(outcome.error.kind).toBe('refused')
      else expect(['mmio-read', 'internal-error', 'shutdown', 'memory-fault']).toContain(outcome.value.kind)
    }))

  test.each(['memfd', 'file sealed by its owner', 'file that its owner vouches for'])(
    'a guest runs from a %s, and what it writes is there',
    (backing) =>
      withKvm({ skip: () => undefined } as never, (kvm) => {
        const descriptors = unixFd()._unsafeUnwrap()
        using memfd = descriptors.createMemfd('guest', { size: 65_536 })._unsafeUnwrap()
        if (backing !== 'file that its owner vouches for') memfd.addSeals('shrink')._unsafeUnwrap()
        const memory =
          backing === 'memfd'
            ? kvm.createMemory(65_536, { kind: 'memfd' })
            : kvm.createMemory(65_536, {
                kind: 'file',
                fd: memfd.fd,
                access: 'write',
                unsealed: backing === 'file that its owner vouches for',
              })
        using owned = memory._unsafeUnwrap()
        using vm = kvm.createVm()._unsafeUnwrap()
        vm.setTssAddr(0xfffb_d000)._unsafeUnwrap()
        owned.write(0x1000, Uint8Array.from([...store(0x2000, 7), HLT]))._unsafeUnwrap()
        vm.setUserMemoryRegion({ slot: 0, guestAddress: 0, memory: owned })._unsafeUnwrap()
        using vcpu = vm.createVcpu(0)._unsafeUnwrap()
        const sregs = vcpu.getSregs()._unsafeUnwrap()
        for (const segment of [sregs.cs, sregs.ds]) {
          segment.base = 0n
          segment.selector = 0
        }
        vcpu.setSregs(sregs)._unsafeUnwrap()
        vcpu.setRegs({ rip: 0x1000n, rflags: 2n })._unsafeUnwrap()
        runUntil(vcpu, 'hlt')
        if (backing === 'memfd') expect(owned.fd.isOk()).toBe(true)
        else {
          using seen = descriptors.map(memfd.fd, { length: 65_536, unsealed: true })._unsafeUnwrap()
          expect(seen.bytes[0x2000]).toBe(7)
        }
      }),
  )

  test('a file that could be truncated, or that ends early, is refused with what to do', (context) =>
    withKvm(context, (kvm) => {
      using memfd = unixFd()._unsafeUnwrap().createMemfd('guest', { size: 4096 })._unsafeUnwrap()
      const file = { kind: 'file', fd: memfd.fd } as const
      expect(kvm.createMemory(4096, file)._unsafeUnwrapErr()).toMatchObject({
        errno: 'EPERM',
        message: expect.stringContaining('seal it with `shrink`'),
      })
      memfd.addSeals('shrink')._unsafeUnwrap()
      expect(
        kvm
          .createMemory(4096, file)
          .map((memory) => memory.close())
          .isOk(),
      ).toBe(true)
      expect(kvm.createMemory(8192, file)._unsafeUnwrapErr()).toMatchObject({ errno: 'ENXIO' })
      using unseen = kvm.createMemory(4096, { ...file, access: 'read' })._unsafeUnwrap()
      expect(unseen.bytes._unsafeUnwrapErr().kind).toBe('invalid-argument')
      for (const length of [0, 1, 4097, -4096, 2 ** 32, Number.NaN])
        expect(kvm.createMemory(length)._unsafeUnwrapErr().kind).toBe('invalid-argument')
    }))
})

describe('dirty_log', () => {
  const code = [...store(0x3000, 1), ...store(0x3001, 1), ...store(0x6000, 1), HLT]
  /** Without the page of the code: a KVM may map it for writing when it is first fetched, and count that. */
  const written = <T extends number | bigint>(pages: Iterable<T>) =>
    [...pages].filter((page) => Number(page) !== 1)

  test('with manual protection, a page stays dirty until it is cleared', (context) =>
    withGuest(context, code, {}, ({ vm, vcpu, memory, restart }) => {
      needs(context, vm, 'KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2')
      vm.enableCap({ cap: 'KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2', args: [1] })._unsafeUnwrap()
      vm.setUserMemoryRegion({ slot: 0, guestAddress: 0, memory, logDirtyPages: true })._unsafeUnwrap()
      runUntil(vcpu, 'hlt')
      const seen = vm.getDirtyLog(0)._unsafeUnwrap()
      expect(written(seen)).toEqual([3, 6])
      expect(written(vm.getDirtyLog(0)._unsafeUnwrap())).toEqual([3, 6])
      vm.clearDirtyLog(0, seen)._unsafeUnwrap()
      expect([...vm.getDirtyLog(0)._unsafeUnwrap()]).toEqual([])
      restart()._unsafeUnwrap()
      runUntil(vcpu, 'hlt')
      expect(written(vm.getDirtyLog(0)._unsafeUnwrap())).toEqual([3, 6])
      expect(vm.clearDirtyLog(0, seen, 64)._unsafeUnwrapErr().kind).toBe('invalid-argument')
    }))

  test('of a slot that another thread made anew has a bit for each page that there is now', (context) =>
    withKvm(context, (kvm) => {
      using vm = kvm.createVm()._unsafeUnwrap()
      using other = kvm.adoptVm(vm.share()._unsafeUnwrap())._unsafeUnwrap()
      using memory = kvm.createMemory(64 * 1024 * kvm.pageSize)._unsafeUnwrap()
      const region = { slot: 0, guestAddress: 0, memory, logDirtyPages: true }
      vm.setUserMemoryRegion({ ...region, length: kvm.pageSize })._unsafeUnwrap()
      expect(other.getDirtyLog(0)._unsafeUnwrap().pages).toBe(1)
      other.removeMemoryRegion(0)._unsafeUnwrap()
      expect(vm.getDirtyLog(0)._unsafeUnwrapErr().kind).toBe('invalid-argument')
      other.setUserMemoryRegion(region)._unsafeUnwrap()
      expect(vm.getDirtyLog(0)._unsafeUnwrap().bits.length).toBe(8192)
    }))

  test('the ring says in order what was written, and again once it is reset', (context) =>
    withKvm(context, (kvm) => {
      using vm = kvm.createVm()._unsafeUnwrap()
      needs(context, vm, 'KVM_CAP_DIRTY_LOG_RING')
      const bytes = 65_536
      vm.enableCap({ cap: 'KVM_CAP_DIRTY_LOG_RING', args: [bytes] })._unsafeUnwrap()
      vm.setTssAddr(0xfffb_d000)._unsafeUnwrap()
      using memory = kvm.createMemory(65_536)._unsafeUnwrap()
      memory.write(0x1000, Uint8Array.from(code))._unsafeUnwrap()
      vm.setUserMemoryRegion({ slot: 5, guestAddress: 0, memory, logDirtyPages: true })._unsafeUnwrap()
      using vcpu = vm.createVcpu(0)._unsafeUnwrap()
      const sregs = vcpu.getSregs()._unsafeUnwrap()
      for (const segment of [sregs.cs, sregs.ds]) {
        segment.base = 0n
        segment.selector = 0
      }
      vcpu.setSregs(sregs)._unsafeUnwrap()
      const ring = vcpu.dirtyRing(bytes)._unsafeUnwrap()
      for (let round = 0; round < 3; round += 1) {
        vcpu.setRegs({ rip: 0x1000n, rflags: 2n })._unsafeUnwrap()
        runUntil(vcpu, 'hlt')
        const pages = ring.collect()
        expect(pages.every(({ space, slot }) => space === 0 && slot === 5)).toBe(true)
        expect(written(new Set(pages.map(({ page }) => page)))).toEqual([3n, 6n])
        expect(vm.resetDirtyRings()._unsafeUnwrap()).toBeGreaterThanOrEqual(2)
        expect(ring.collect()).toEqual([])
      }
      expect(vcpu.dirtyRing(100)._unsafeUnwrapErr().kind).toBe('invalid-argument')
      expect(vm.getDirtyLog(5)._unsafeUnwrapErr()).toMatchObject({ kind: 'refused' })
    }))
})

describe('guest_memfd', () => {
  test('makes memory of whole pages, and nothing of a wrong size or with unknown flags', (context) =>
    withKvm(context, (kvm) => {
      using vm = kvm.createVm()._unsafeUnwrap()
      needs(context, vm, 'KVM_CAP_GUEST_MEMFD')
      using file = vm.createGuestMemfd(65_536)._unsafeUnwrap()
      expect(file.length).toBe(65_536)
      for (const length of [0, 100, -4096])
        expect(vm.createGuestMemfd(length)._unsafeUnwrapErr().kind).toBe('invalid-argument')
      expect(vm.createGuestMemfd(4096, 1n << 63n)._unsafeUnwrapErr()).toMatchObject({ errno: 'EINVAL' })
      expect(file.read(16).isErr()).toBe(true)
    }))

  test('is what a slot of the second kind takes, where the machine can be made for it', (context) =>
    withKvm(context, (kvm) => {
      using plain = kvm.createVm()._unsafeUnwrap()
      const flags = plain.checkExtension('KVM_CAP_GUEST_MEMFD_FLAGS')._unsafeUnwrap()
      if ((flags & 3) !== 3) context.skip('this KVM has no guest_memfd that a plain machine can share')
      using file = plain.createGuestMemfd(65_536, 3)._unsafeUnwrap()
      using memory = kvm.createMemory(65_536)._unsafeUnwrap()
      const region = { slot: 0, guestAddress: 0, memory, guestMemfd: { file, offset: 0 } }
      expect(plain.setUserMemoryRegion(region).isOk()).toBe(true)
      expect(
        plain
          .setUserMemoryRegion({
            ...region,
            slot: 1,
            guestAddress: 0x10_0000,
            guestMemfd: { file, offset: 1 },
          })
          ._unsafeUnwrapErr(),
      ).toMatchObject({ errno: 'EINVAL' })
    }))
})
