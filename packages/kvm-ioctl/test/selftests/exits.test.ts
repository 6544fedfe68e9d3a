import { unixFd } from '@spectrum/unix-fd/linux'
import { describe, expect, test } from 'vitest'
import { x86_64 } from '../../src/index.js'
import {
  dword,
  HLT,
  movEax,
  movEcx,
  movEdx,
  needs,
  needsBreakpoints,
  needsProcessor,
  runUntil,
  withGuest,
  withKvm,
} from './guest.js'

const { constants } = x86_64

describe('userspace_io', () => {
  test('a string of reads takes its answer in one exit, however long', (context) =>
    // mov di, 0x2000; mov dx, 0x80; mov cx, 1000; cld; rep insb; hlt
    withGuest(
      context,
      [0xbf, 0, 0x20, 0xba, 0x80, 0, 0xb9, 0xe8, 3, 0xfc, 0xf3, 0x6c, HLT],
      {},
      ({ vcpu, memory }) => {
        let taken = 0
        let next = vcpu.ready
        for (;;) {
          const exit = vcpu.run(next)._unsafeUnwrap()
          if (exit.kind === 'hlt') break
          if (exit.kind !== 'io-in') throw new Error(exit.kind)
          const answer = Uint8Array.from({ length: exit.size * exit.count }, (_, index) => taken + index)
          taken += exit.count
          next = exit.answer(answer)
        }
        expect(taken).toBe(1000)
        const got = memory.read(0x2000, 1000)._unsafeUnwrap()
        expect(got.every((byte, index) => byte === (index & 0xff))).toBe(true)
      },
    ))

  test('a string of writes gives all its bytes', (context) =>
    // mov si, 0x2000; mov dx, 0x80; mov cx, 300; cld; rep outsb; hlt
    withGuest(
      context,
      [0xbe, 0, 0x20, 0xba, 0x80, 0, 0xb9, 0x2c, 1, 0xfc, 0xf3, 0x6e, HLT],
      {},
      ({ vcpu, memory }) => {
        memory
          .write(
            0x2000,
            Uint8Array.from({ length: 300 }, (_, index) => index),
          )
          ._unsafeUnwrap()
        const bytes: number[] = []
        for (let exit = vcpu.run()._unsafeUnwrap(); exit.kind === 'io-out'; exit = vcpu.run()._unsafeUnwrap())
          bytes.push(...exit.data)
        expect(bytes).toEqual(Array.from({ length: 300 }, (_, index) => index & 0xff))
      },
    ))

  test.each([
    [1, [0xe4, 0x10], 0x5an],
    [2, [0xe5, 0x10], 0xa55an],
    [4, [0x66, 0xe5, 0x10], 0xdeadbeefn],
  ])('a read of %i bytes fills that much of the register', (size, code, value) =>
    withGuest({ skip: () => undefined } as never, [...code, HLT], {}, ({ vcpu }) => {
      const exit = runUntil(vcpu, 'io-in')
      expect(exit.size).toBe(size)
      const answer = new Uint8Array(BigUint64Array.of(value).buffer).slice(0, size)
      expect(vcpu.run(exit.answer(answer))._unsafeUnwrap().kind).toBe('hlt')
      expect(vcpu.getRegs()._unsafeUnwrap().rax & ((1n << BigInt(size * 8)) - 1n)).toBe(value)
    }),
  )
})

describe('coalesced_io', () => {
  test('writes to a port are kept until somebody takes them, and cost no exit', (context) =>
    // mov al, 1; out 0x80, al; mov al, 2; out 0x80, al; out 0x81, al; hlt
    withGuest(context, [0xb0, 1, 0xe6, 0x80, 0xb0, 2, 0xe6, 0x80, 0xe6, 0x81, HLT], {}, ({ vm, vcpu }) => {
      needs(context, vm, 'KVM_CAP_COALESCED_PIO')
      vm.registerCoalesced(0x80, 1, true)._unsafeUnwrap()
      expect(runUntil(vcpu, 'io-out').port).toBe(0x81)
      const taken = vcpu.takeCoalesced()._unsafeUnwrap()
      expect(taken.map(({ address, data, pio }) => [address, data[0], pio])).toEqual([
        [0x80n, 1, true],
        [0x80n, 2, true],
      ])
      expect(vcpu.takeCoalesced()._unsafeUnwrap()).toEqual([])
      vm.unregisterCoalesced(0x80, 1, true)._unsafeUnwrap()
      runUntil(vcpu, 'hlt')
    }))

  test('a ring that is full lets the guest exit, and none is lost or twice', (context) =>
    // mov cx, 400; mov al, cl; mov [0x9000], al; loop; hlt
    withGuest(
      context,
      [0xb9, 0x90, 1, 0x88, 0xc8, 0xa2, 0, 0x90, 0xe2, 0xf9, HLT],
      { bytes: 32_768 },
      ({ vm, vcpu }) => {
        needs(context, vm, 'KVM_CAP_COALESCED_MMIO')
        vm.registerCoalesced(0x9000, 4096)._unsafeUnwrap()
        const seen: number[] = []
        for (;;) {
          const exit = vcpu.run()._unsafeUnwrap()
          for (const { data } of vcpu.takeCoalesced()._unsafeUnwrap()) seen.push(data[0]!)
          if (exit.kind === 'hlt') break
          if (exit.kind !== 'mmio-write') throw new Error(exit.kind)
          seen.push(exit.data[0]!)
        }
        expect(seen).toEqual(Array.from({ length: 400 }, (_, index) => (400 - index) & 0xff))
      },
    ))
})

describe('eventfds', () => {
  test('an ioeventfd takes the writes that match, and leaves the others to exit', (context) =>
    // mov al, 1; out 0x80; mov al, 2; out 0x80; hlt
    withGuest(context, [0xb0, 1, 0xe6, 0x80, 0xb0, 2, 0xe6, 0x80, HLT], {}, async ({ vm, vcpu }) => {
      needs(context, vm, 'KVM_CAP_IOEVENTFD')
      using event = unixFd()._unsafeUnwrap().createEventFd()._unsafeUnwrap()
      const connection = { fd: event.fd, address: 0x80, length: 1, datamatch: 1n, pio: true } as const
      vm.assignIoeventfd(connection)._unsafeUnwrap()
      expect(vm.assignIoeventfd(connection)._unsafeUnwrapErr()).toMatchObject({ errno: 'EEXIST' })
      expect([...runUntil(vcpu, 'io-out').data]).toEqual([2])
      expect((await event.take(AbortSignal.timeout(20_000)))._unsafeUnwrap()).toBe(1n)
      vm.deassignIoeventfd(connection)._unsafeUnwrap()
      expect(vm.deassignIoeventfd(connection)._unsafeUnwrapErr()).toMatchObject({ errno: 'ENOENT' })
      runUntil(vcpu, 'hlt')
    }))

  test('an irqfd raises an interrupt of a controller in the kernel, and wakes a halted vCPU', (context) =>
    withKvm(context, async (kvm) => {
      using vm = kvm.createVm()._unsafeUnwrap()
      needs(context, vm, 'KVM_CAP_IRQFD')
      vm.setTssAddr(0xfffb_d000)._unsafeUnwrap()
      vm.createIrqchip()._unsafeUnwrap()
      using event = unixFd()._unsafeUnwrap().createEventFd()._unsafeUnwrap()
      vm.assignIrqfd({ fd: event.fd, gsi: 4 })._unsafeUnwrap()
      expect(vm.assignIrqfd({ fd: event.fd, gsi: 4 })._unsafeUnwrapErr()).toMatchObject({ errno: 'EBUSY' })
      event.add(1n)._unsafeUnwrap()
      // The master's request register has line 4.
      const raised = () => {
        const chip = vm.getIrqchip({ chip_id: constants.KVM_IRQCHIP_PIC_MASTER })._unsafeUnwrap()
        return chip.chip.pic.irr & 0x10
      }
      await expect.poll(raised).toBe(0x10)
      vm.deassignIrqfd({ fd: event.fd, gsi: 4 })._unsafeUnwrap()
      using bad = unixFd()._unsafeUnwrap().createMemfd('no eventfd')._unsafeUnwrap()
      expect(vm.assignIrqfd({ fd: bad.fd, gsi: 4 })._unsafeUnwrapErr()).toMatchObject({ errno: 'EINVAL' })
    }))
})

describe('userspace_msr_exit', () => {
  const MSR = 0x4b56_4dff
  const deny = { base: MSR, count: 1, bitmap: new Uint8Array(8) }

  test('reads and writes of an unknown MSR come here, with their value, and get the answer', (context) =>
    withGuest(
      context,
      // wrmsr of 0x0000000200000001, then rdmsr, then its low half to a port
      [...movEcx(MSR), ...movEax(1), ...movEdx(2), 0x0f, 0x30, 0x0f, 0x32, 0x66, 0xe7, 0x80, HLT],
      {},
      ({ vm, vcpu }) => {
        needs(context, vm, 'KVM_CAP_X86_USER_SPACE_MSR')
        vm.enableCap({ cap: 'KVM_CAP_X86_USER_SPACE_MSR', args: [7] })._unsafeUnwrap()
        vm.setMsrFilter([deny])._unsafeUnwrap()
        const write = runUntil(vcpu, 'x86-wrmsr')
        expect(write).toMatchObject({ index: MSR, data: 0x2_0000_0001n })
        const read = vcpu.run(write.answer(true))._unsafeUnwrap()
        if (read.kind !== 'x86-rdmsr') throw new Error(read.kind)
        expect(read.index).toBe(MSR)
        const out = vcpu.run(read.answer(0x1234_5678_9abc_def0n))._unsafeUnwrap()
        if (out.kind !== 'io-out') throw new Error(out.kind)
        expect(new DataView(out.data.buffer).getUint32(0, true)).toBe(0x9abc_def0)
      },
    ))

  test('a refused read is a fault of the guest', (context) =>
    withGuest(context, [...movEcx(MSR), 0x0f, 0x32, HLT], {}, ({ vm, vcpu, memory }) => {
      needs(context, vm, 'KVM_CAP_X86_USER_SPACE_MSR')
      vm.enableCap({ cap: 'KVM_CAP_X86_USER_SPACE_MSR', args: [7] })._unsafeUnwrap()
      vm.setMsrFilter([deny])._unsafeUnwrap()
      // Vector 13 of the real-mode table: to `mov al, 13; out 0x80, al; hlt` at 0x3000.
      memory.write(13 * 4, Uint8Array.of(0, 0x30, 0, 0))._unsafeUnwrap()
      memory.write(0x3000, Uint8Array.of(0xb0, 13, 0xe6, 0x80, HLT))._unsafeUnwrap()
      const read = runUntil(vcpu, 'x86-rdmsr')
      const out = vcpu.run(read.answer(undefined))._unsafeUnwrap()
      if (out.kind !== 'io-out') throw new Error(out.kind)
      expect([...out.data]).toEqual([13])
    }))

  test('filters are refused before the kernel could read beyond them', (context) =>
    withGuest(context, [HLT], {}, ({ vm }) => {
      for (const wrong of [{ count: 0x3001 }, { count: -1 }, { bitmap: undefined as never }])
        expect(vm.setMsrFilter([{ ...deny, ...wrong }])._unsafeUnwrapErr().kind).toBe('invalid-argument')
      expect(vm.setMsrFilter(Array.from({ length: 17 }, () => deny))._unsafeUnwrapErr().kind).toBe(
        'invalid-argument',
      )
    }))
})

describe('debug_regs', () => {
  const { KVM_GUESTDBG_ENABLE, KVM_GUESTDBG_SINGLESTEP, KVM_GUESTDBG_USE_HW_BP, KVM_GUESTDBG_USE_SW_BP } =
    constants

  test('single steps stop behind each instruction', (context) =>
    withGuest(context, [0x90, 0x90, 0xb0, 1, HLT], {}, ({ vcpu }) => {
      vcpu.setGuestDebug({ control: KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP })._unsafeUnwrap()
      const at = [0, 1, 2].map(() => runUntil(vcpu, 'debug').arch['pc'])
      expect(at).toEqual([0x1001n, 0x1002n, 0x1004n])
      vcpu.setGuestDebug({ control: 0 })._unsafeUnwrap()
      runUntil(vcpu, 'hlt')
    }))

  test('a hardware breakpoint stops before its instruction, with the bit that names it', (context) =>
    withGuest(context, [0x90, 0x90, 0x90, HLT], {}, ({ vcpu }) => {
      needsBreakpoints(context)
      const debugreg = [0x1002n, 0n, 0n, 0n, 0n, 0n, 0n, 0x402n]
      vcpu
        .setGuestDebug({ control: KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP, arch: { debugreg } })
        ._unsafeUnwrap()
      const { arch } = runUntil(vcpu, 'debug')
      expect(arch['pc']).toBe(0x1002n)
      expect(BigInt(arch['dr6'] ?? 0) & 1n).toBe(1n)
    }))

  test('a software breakpoint stops at its own instruction', (context) =>
    withGuest(context, [0x90, 0xcc, HLT], {}, ({ vcpu }) => {
      needsProcessor(context, 'gives the guest its own int3')
      needsBreakpoints(context)
      vcpu.setGuestDebug({ control: KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP })._unsafeUnwrap()
      expect(runUntil(vcpu, 'debug').arch).toMatchObject({ pc: 0x1001n, exception: 3 })
    }))
})

describe('triple_fault', () => {
  test('a guest whose faults have nowhere to go shuts down', (context) =>
    // lidt [0x2000] with a limit of 0; int 3
    withGuest(context, [0x0f, 0x01, 0x1e, 0, 0x20, 0xcc, HLT], {}, ({ vcpu }) => {
      needsProcessor(context, 'reports an internal error instead of a triple fault')
      runUntil(vcpu, 'shutdown')
    }))

  test('is seen pending, and can be taken back, where KVM tells of it', (context) =>
    withGuest(context, [0x90, 0xe6, 0x80, HLT], {}, ({ vm, vcpu }) => {
      needs(context, vm, 'KVM_CAP_X86_TRIPLE_FAULT_EVENT')
      vm.enableCap({ cap: 'KVM_CAP_X86_TRIPLE_FAULT_EVENT', args: [1] })._unsafeUnwrap()
      const events = vcpu.getVcpuEvents()._unsafeUnwrap()
      expect(events.flags & constants.KVM_VCPUEVENT_VALID_TRIPLE_FAULT).not.toBe(0)
      expect(events.triple_fault.pending).toBe(0)
      events.triple_fault.pending = 1
      vcpu.setVcpuEvents(events)._unsafeUnwrap()
      runUntil(vcpu, 'shutdown')
    }))
})

test('the little assembler of these tests writes little-endian', () => {
  expect(dword(0x01020304)).toEqual([4, 3, 2, 1])
})
