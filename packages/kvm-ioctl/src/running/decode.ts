import type { Tables } from '../architecture.js'
import { flatten, type Structure } from '../generated/layout.js'
import { type AnyExit, Exit, putBytes, putInt, putWord, putWords } from './exit.js'
import type { Resumption, Turn } from './resumption.js'

const LITTLE_ENDIAN = true

/** Where the fields of kvm_run lie on this machine, by path: looked up once. */
type Offsets = (path: string) => number

/** Makes the exit that kvm_run describes, with everything copied out of it: the next run overwrites it. */
export type Decoder = (turn: Turn, page: DataView) => AnyExit

type Fields = Readonly<Record<string, unknown>>

/** An exit that asks nothing. Its fields are its own properties, so that it prints and compares as what it is. */
class PlainExit extends Exit {
  readonly kind: string

  constructor(turn: Turn, kind: string, fields: Fields) {
    super(turn)
    this.kind = kind
    Object.assign(this, fields)
  }
}

type Write = (page: DataView, ...answer: never[]) => ReturnType<typeof putBytes>

class AskingExit extends PlainExit {
  readonly #write: Write

  constructor(turn: Turn, kind: string, fields: Fields, write: Write) {
    turn.owed = kind
    super(turn, kind, fields)
    this.#write = write
  }

  answer(...answer: never[]): Resumption {
    return this.put((page) => this.#write(page, ...answer))
  }

  /** Types forbid it; whoever gets around them is told by the next run that the answer is owed. */
  override resume(): Resumption {
    return super.resume()
  }
}

/** The two that a serial port is made of: no object but the exit itself, because they come by the hundred thousand. */
class IoOut extends Exit {
  readonly kind = 'io-out'
  readonly port: number
  readonly size: number
  readonly count: number
  readonly data: Uint8Array

  constructor(turn: Turn, port: number, size: number, count: number, data: Uint8Array) {
    super(turn)
    this.port = port
    this.size = size
    this.count = count
    this.data = data
  }
}

class IoIn extends Exit {
  readonly kind = 'io-in'
  readonly port: number
  readonly size: number
  readonly count: number
  readonly #at: number

  constructor(turn: Turn, port: number, size: number, count: number, at: number) {
    turn.owed = 'io-in'
    super(turn)
    this.port = port
    this.size = size
    this.count = count
    this.#at = at
  }

  answer(data: Uint8Array): Resumption {
    return this.put((page) => putBytes(page, this.#at, this.size * this.count, data))
  }
}

/** An array of a few bytes has no memory of its own to be made and collected: that would cost more than all the rest. */
function copyOf(page: DataView, from: number, length: number): Uint8Array {
  const copy = new Uint8Array(length)
  if (length > 64) copy.set(new Uint8Array(page.buffer, page.byteOffset + from, length))
  else for (let index = 0; index < length; index += 1) copy[index] = page.getUint8(from + index)
  return copy
}

export function decoderFor(tables: Tables): Decoder {
  const flat = flatten({ run: tables.structures['kvm_run'] as Structure }).run.fields
  const at: Offsets = (path) => {
    const field = (flat as Readonly<Record<string, { offset: number }>>)[path]
    if (field === undefined) throw new Error(`kvm_run has no ${path}`)
    return field.offset
  }
  const reason = at('exit_reason')
  const io = {
    direction: at('io.direction'),
    size: at('io.size'),
    port: at('io.port'),
    count: at('io.count'),
    data: at('io.data_offset'),
  }
  const { KVM_EXIT_IO } = tables.exitReasons
  const { KVM_EXIT_IO_OUT } = tables.constants
  const readers = readersFor(tables, at)
  return (turn, page) => {
    turn.number += 1
    const number = page.getUint32(reason, LITTLE_ENDIAN)
    if (number === KVM_EXIT_IO) {
      const size = page.getUint8(io.size)
      const count = page.getUint32(io.count, LITTLE_ENDIAN)
      const port = page.getUint16(io.port, LITTLE_ENDIAN)
      // Within what was mapped, by the kernel's word; a 64-bit number that is below 2^32.
      const from = page.getUint32(io.data, LITTLE_ENDIAN)
      if (page.getUint8(io.direction) !== KVM_EXIT_IO_OUT) {
        return new IoIn(turn, port, size, count, from) as AnyExit
      }
      return new IoOut(turn, port, size, count, copyOf(page, from, size * count)) as AnyExit
    }
    const read = readers.get(number)
    if (read === undefined) return new PlainExit(turn, 'other', { reason: number }) as unknown as AnyExit
    return read(turn, page) as unknown as AnyExit
  }
}

type Reader = (turn: Turn, page: DataView) => Exit

function readersFor(tables: Tables, at: Offsets): ReadonlyMap<number, Reader> {
  const u32 = (page: DataView, path: string) => page.getUint32(at(path), LITTLE_ENDIAN)
  const u64 = (page: DataView, path: string) => page.getBigUint64(at(path), LITTLE_ENDIAN)
  const words = (page: DataView, path: string, count: number) =>
    Array.from({ length: count }, (_, index) => page.getBigUint64(at(path) + 8 * index, LITTLE_ENDIAN))
  const bytes = (page: DataView, path: string, count: number) => copyOf(page, at(path), count)

  const plain =
    (kind: string, read: (page: DataView) => Fields = () => ({})): Reader =>
    (turn, page) =>
      new PlainExit(turn, kind, read(page))
  const asking =
    (kind: string, read: (page: DataView) => Fields, write: Write): Reader =>
    (turn, page) =>
      new AskingExit(turn, kind, read(page), write)
  /** The answer is one number of 64 bits at `path`. */
  const wordAt =
    (path: string, name: string): Write =>
    (page, value: unknown) =>
      putWord(page, at(path), value, name)

  const debugFields = Object.entries((tables.structures['kvm_debug_exit_arch'] as Structure).fields)
  const mmio = (kind: string): Reader => {
    return (turn, page) => {
      const length = Math.min(u32(page, 'mmio.len'), 8)
      const address = u64(page, 'mmio.phys_addr')
      if (page.getUint8(at('mmio.is_write')) !== 0) {
        return new PlainExit(turn, `${kind}-write`, { address, data: bytes(page, 'mmio.data', length) })
      }
      return new AskingExit(turn, `${kind}-read`, { address, length }, (there, data: unknown) =>
        putBytes(there, at('mmio.data'), length, data),
      )
    }
  }
  const hyperv = (turn: Turn, page: DataView): Exit => {
    const type = u32(page, 'hyperv.type')
    if (type === tables.constants['KVM_EXIT_HYPERV_HCALL']) {
      return asking(
        'hyperv-hcall',
        (there) => ({
          input: u64(there, 'hyperv.u.hcall.input'),
          params: words(there, 'hyperv.u.hcall.params', 2),
        }),
        wordAt('hyperv.u.hcall.result', 'result'),
      )(turn, page)
    }
    if (type === tables.constants['KVM_EXIT_HYPERV_SYNDBG']) {
      return asking(
        'hyperv-syndbg',
        (there) => ({
          msr: u32(there, 'hyperv.u.syndbg.msr'),
          control: u64(there, 'hyperv.u.syndbg.control'),
          sendPage: u64(there, 'hyperv.u.syndbg.send_page'),
          recvPage: u64(there, 'hyperv.u.syndbg.recv_page'),
          pendingPage: u64(there, 'hyperv.u.syndbg.pending_page'),
        }),
        wordAt('hyperv.u.syndbg.status', 'status'),
      )(turn, page)
    }
    return plain('hyperv-synic', (there) => ({
      msr: u32(there, 'hyperv.u.synic.msr'),
      control: u64(there, 'hyperv.u.synic.control'),
      eventPage: u64(there, 'hyperv.u.synic.evt_page'),
      messagePage: u64(there, 'hyperv.u.synic.msg_page'),
    }))(turn, page)
  }
  const dcr = (turn: Turn, page: DataView): Exit => {
    const dcrn = u32(page, 'dcr.dcrn')
    if (page.getUint8(at('dcr.is_write')) !== 0)
      return new PlainExit(turn, 'dcr-write', { dcrn, data: u32(page, 'dcr.data') })
    return new AskingExit(turn, 'dcr-read', { dcrn }, (there, data: unknown) =>
      putInt(there, at('dcr.data'), data, 'data'),
    )
  }
  const msr = (page: DataView) => ({ reason: u32(page, 'msr.reason'), index: u32(page, 'msr.index') })
  const nisv = (page: DataView) => ({
    esrIss: u64(page, 'arm_nisv.esr_iss'),
    faultIpa: u64(page, 'arm_nisv.fault_ipa'),
  })

  const byName: Readonly<Record<string, Reader>> = {
    KVM_EXIT_UNKNOWN: plain('unknown', (page) => ({
      hardwareExitReason: u64(page, 'hw.hardware_exit_reason'),
    })),
    KVM_EXIT_EXCEPTION: plain('exception', (page) => ({
      exception: u32(page, 'ex.exception'),
      errorCode: u32(page, 'ex.error_code'),
    })),
    KVM_EXIT_HYPERCALL: asking(
      'hypercall',
      (page) => ({
        nr: u64(page, 'hypercall.nr'),
        args: words(page, 'hypercall.args', 6),
        flags: u64(page, 'hypercall.flags'),
      }),
      wordAt('hypercall.ret', 'ret'),
    ),
    KVM_EXIT_DEBUG: plain('debug', (page) => ({
      arch: Object.fromEntries(
        debugFields
          .filter(([, field]) => field.type === 'u32' || field.type === 'u64')
          .map(([name, field]) => [
            name,
            field.type === 'u64' ? u64(page, `debug.arch.${name}`) : u32(page, `debug.arch.${name}`),
          ]),
      ),
    })),
    KVM_EXIT_HLT: plain('hlt'),
    KVM_EXIT_MMIO: mmio('mmio'),
    KVM_EXIT_IRQ_WINDOW_OPEN: plain('irq-window-open'),
    KVM_EXIT_SHUTDOWN: plain('shutdown'),
    KVM_EXIT_FAIL_ENTRY: plain('fail-entry', (page) => ({
      hardwareEntryFailureReason: u64(page, 'fail_entry.hardware_entry_failure_reason'),
      cpu: u32(page, 'fail_entry.cpu'),
    })),
    KVM_EXIT_INTR: plain('intr'),
    KVM_EXIT_SET_TPR: plain('set-tpr'),
    KVM_EXIT_TPR_ACCESS: plain('tpr-access', (page) => ({
      rip: u64(page, 'tpr_access.rip'),
      isWrite: u32(page, 'tpr_access.is_write') !== 0,
    })),
    KVM_EXIT_S390_SIEIC: plain('s390-sieic'),
    KVM_EXIT_S390_RESET: plain('s390-reset'),
    KVM_EXIT_DCR: dcr,
    KVM_EXIT_NMI: plain('nmi'),
    KVM_EXIT_INTERNAL_ERROR: plain('internal-error', (page) => ({
      suberror: u32(page, 'internal.suberror'),
      data: words(page, 'internal.data', Math.min(u32(page, 'internal.ndata'), 16)),
    })),
    KVM_EXIT_OSI: asking(
      'osi',
      (page) => ({ gprs: words(page, 'osi.gprs', 32) }),
      (page, gprs: unknown) => putWords(page, at('osi.gprs'), 32, gprs, 'gprs'),
    ),
    KVM_EXIT_PAPR_HCALL: asking(
      'papr-hcall',
      (page) => ({ nr: u64(page, 'papr_hcall.nr'), args: words(page, 'papr_hcall.args', 9) }),
      (page, ret: unknown, args: unknown = []) =>
        putWords(page, at('papr_hcall.args'), 9, args, 'args') ??
        putWord(page, at('papr_hcall.ret'), ret, 'ret'),
    ),
    KVM_EXIT_S390_UCONTROL: plain('s390-ucontrol'),
    KVM_EXIT_WATCHDOG: plain('watchdog'),
    KVM_EXIT_S390_TSCH: plain('s390-tsch'),
    KVM_EXIT_EPR: asking(
      'epr',
      () => ({}),
      (page, epr: unknown) => putInt(page, at('epr.epr'), epr, 'epr'),
    ),
    KVM_EXIT_SYSTEM_EVENT: plain('system-event', (page) => ({
      type: u32(page, 'system_event.type'),
      data: words(page, 'system_event.data', Math.min(u32(page, 'system_event.ndata'), 16)),
    })),
    KVM_EXIT_S390_STSI: plain('s390-stsi'),
    KVM_EXIT_IOAPIC_EOI: plain('ioapic-eoi', (page) => ({ vector: page.getUint8(at('eoi.vector')) })),
    KVM_EXIT_HYPERV: hyperv,
    KVM_EXIT_ARM_NISV: plain('arm-nisv', nisv),
    KVM_EXIT_X86_RDMSR: asking('x86-rdmsr', msr, (page, value: unknown) => {
      page.setUint8(at('msr.error'), value === undefined ? 1 : 0)
      return value === undefined ? undefined : putWord(page, at('msr.data'), value, 'value')
    }),
    KVM_EXIT_X86_WRMSR: asking(
      'x86-wrmsr',
      (page) => ({ ...msr(page), data: u64(page, 'msr.data') }),
      (page, taken: unknown) => {
        page.setUint8(at('msr.error'), taken === true ? 0 : 1)
        return undefined
      },
    ),
    KVM_EXIT_DIRTY_RING_FULL: plain('dirty-ring-full'),
    KVM_EXIT_AP_RESET_HOLD: plain('ap-reset-hold'),
    KVM_EXIT_X86_BUS_LOCK: plain('x86-bus-lock'),
    KVM_EXIT_XEN: asking(
      'xen-hcall',
      (page) => ({
        longMode: u32(page, 'xen.u.hcall.longmode') !== 0,
        cpl: u32(page, 'xen.u.hcall.cpl'),
        input: u64(page, 'xen.u.hcall.input'),
        params: words(page, 'xen.u.hcall.params', 6),
      }),
      wordAt('xen.u.hcall.result', 'result'),
    ),
    KVM_EXIT_RISCV_SBI: asking(
      'riscv-sbi',
      (page) => ({
        extensionId: u64(page, 'riscv_sbi.extension_id'),
        functionId: u64(page, 'riscv_sbi.function_id'),
        args: words(page, 'riscv_sbi.args', 6),
      }),
      (page, error: unknown, value: unknown) => putWords(page, at('riscv_sbi.ret'), 2, [error, value], 'ret'),
    ),
    KVM_EXIT_RISCV_CSR: asking(
      'riscv-csr',
      (page) => ({
        csr: u64(page, 'riscv_csr.csr_num'),
        newValue: u64(page, 'riscv_csr.new_value'),
        writeMask: u64(page, 'riscv_csr.write_mask'),
      }),
      wordAt('riscv_csr.ret_value', 'value'),
    ),
    KVM_EXIT_NOTIFY: plain('notify', (page) => ({ flags: u32(page, 'notify.flags') })),
    KVM_EXIT_LOONGARCH_IOCSR: plain('loongarch-iocsr'),
    KVM_EXIT_MEMORY_FAULT: plain('memory-fault', (page) => ({
      flags: u64(page, 'memory_fault.flags'),
      address: u64(page, 'memory_fault.gpa'),
      size: u64(page, 'memory_fault.size'),
    })),
    KVM_EXIT_TDX: asking(
      'tdx',
      (page) => ({
        flags: u64(page, 'tdx.flags'),
        nr: u64(page, 'tdx.nr'),
        data: words(page, 'tdx.unknown.data', 5),
      }),
      wordAt('tdx.unknown.ret', 'ret'),
    ),
    KVM_EXIT_ARM_SEA: plain('arm-sea', (page) => ({
      flags: u64(page, 'arm_sea.flags'),
      esr: u64(page, 'arm_sea.esr'),
      gva: u64(page, 'arm_sea.gva'),
      gpa: u64(page, 'arm_sea.gpa'),
    })),
    KVM_EXIT_ARM_LDST64B: plain('arm-ldst64b', nisv),
    KVM_EXIT_SNP_REQ_CERTS: asking(
      'snp-req-certs',
      (page) => ({ address: u64(page, 'snp_req_certs.gpa'), npages: u64(page, 'snp_req_certs.npages') }),
      (page, ret: unknown, npages?: unknown) =>
        (npages === undefined ? undefined : putWord(page, at('snp_req_certs.npages'), npages, 'npages')) ??
        putWord(page, at('snp_req_certs.ret'), ret, 'ret'),
    ),
  }
  return new Map(
    Object.entries(byName).flatMap(([name, reader]) => {
      const number = tables.exitReasons[name]
      return number === undefined ? [] : [[number, reader] as const]
    }),
  )
}

/** The names of the exit reasons that have a reader of their own, for the test that none is forgotten. */
export function decodedReasons(tables: Tables): ReadonlySet<number> {
  const flat = flatten({ run: tables.structures['kvm_run'] as Structure }).run.fields
  const readers = readersFor(
    tables,
    (path) => (flat as Readonly<Record<string, { offset: number }>>)[path]!.offset,
  )
  return new Set([...readers.keys(), tables.exitReasons['KVM_EXIT_IO']!])
}

/** The exits that are not the kernel's words. */
export const kickedExit = (turn: Turn): AnyExit => new PlainExit(turn, 'kicked', {}) as unknown as AnyExit

/** KVM_RUN failed with an errno and still described a memory fault. */
export function withErrno(exit: AnyExit, errno: string): AnyExit {
  return Object.assign(exit, { errno })
}
