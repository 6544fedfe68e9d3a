import type { Kvm, Vcpu } from '@spectrum/kvm-ioctl'
import { type LinuxImage, loadLinux } from './boot.js'
import { CLOCK, Clock } from './clock.js'
import { must } from './outcome.js'
import { Ports } from './ports.js'
import { enter, identify } from './processor.js'
import { COM1, SerialPort } from './serial-port.js'

export interface LinuxMachine extends LinuxImage {
  readonly memoryBytes: number
  /** Gets what the guest writes to its serial port, byte by byte. */
  readonly console: (byte: number) => void
  readonly now: () => Date
}

/** How a machine came to its end. A guest without ACPI ends by restarting itself: `reset`. */
export interface MachineEnd {
  readonly kind: 'reset' | 'failed'
  readonly message: string
  /** How often the guest came out of KVM_RUN. */
  readonly exits: number
}

/** Three pages below 4 GiB that nothing else uses, and one: Intel's processors want them for real mode. */
const TSS_AT = 0xfffbd000
const IDENTITY_MAP_AT = 0xfffbc000

/**
 * A PC of one processor: memory; an interrupt controller and a timer, which are the kernel's; a serial port and a
 * clock, which are here. Boots Linux on it and returns when that ends. Synchronous: this thread is the processor.
 */
export function runLinux(kvm: Kvm<'x86_64'>, options: LinuxMachine): MachineEnd {
  using vm = must(kvm.createVm())
  must(vm.setTssAddr(TSS_AT))
  must(vm.setIdentityMapAddr(IDENTITY_MAP_AT))
  must(vm.createIrqchip())
  must(vm.createPit2({}))

  using memory = must(kvm.createMemory(options.memoryBytes))
  const entry = loadLinux(must(memory.bytes), options)
  must(vm.setUserMemoryRegion({ slot: 0, guestAddress: 0n, memory }))

  using vcpu = must(vm.createVcpu(0))
  identify(kvm, vcpu)
  enter(vcpu, entry)

  const ports = new Ports()
  const interrupt = (high: boolean) => must(vm.irqLine({ irq: COM1.irq, level: high ? 1 : 0 }))
  ports.add(COM1, new SerialPort(options.console, interrupt))
  ports.add(CLOCK, new Clock(options.now))
  return runProcessor(vcpu, ports)
}

function runProcessor(vcpu: Vcpu<'x86_64'>, ports: Ports): MachineEnd {
  let next = vcpu.ready
  for (let exits = 1; ; exits += 1) {
    const exit = must(vcpu.run(next))
    switch (exit.kind) {
      case 'io-out':
        ports.write(exit.port, exit.size, exit.data)
        next = exit.resume()
        break
      case 'io-in':
        next = exit.answer(ports.read(exit.port, exit.size, exit.count))
        break
      // Nothing is where no memory is: reads find all ones, writes are lost.
      case 'mmio-read':
        next = exit.answer(new Uint8Array(exit.length).fill(0xff))
        break
      case 'mmio-write':
      case 'kicked':
        next = exit.resume()
        break
      case 'shutdown':
        return { kind: 'reset', message: 'the guest restarted', exits }
      case 'internal-error':
        return { kind: 'failed', message: `KVM gave up (suberror ${exit.suberror})`, exits }
      case 'fail-entry':
        return {
          kind: 'failed',
          message: `refused by the processor: ${exit.hardwareEntryFailureReason}`,
          exits,
        }
      default:
        return { kind: 'failed', message: `an exit that this machine has no use for: ${exit.kind}`, exits }
    }
  }
}
