import { type PciAddress, pciAddress } from '../grammar/network.js'
import { defaulted, optional, record } from '../grammar/record.js'
import { choice, flag, integer, list, u16 } from '../grammar/scalar.js'
import type { Shape } from '../grammar/shape.js'
import { path, text } from '../grammar/text.js'

/** A serial port or console: `--serial`. */
export interface SerialPort {
  /**
   * Where output goes. `unix` is a datagram socket, `unix-stream` one that crosvm connects to; `sink` is nowhere.
   */
  readonly type: 'file' | 'stdout' | 'sink' | 'syslog' | 'unix' | 'unix-stream'
  /** What the guest sees. Default `serial`, an 8250 UART. */
  readonly hardware?: 'serial' | 'virtio-console' | 'debugcon' | undefined
  /** Of a virtio-console port: by which the guest tells it from others. */
  readonly name?: string | undefined
  /** Absolute; a socket's below 108 bytes. Needed by `file`, `unix` and `unix-stream`. */
  readonly path?: string | undefined
  /** A file that input is read from, an absolute path. Not with `stdin`. */
  readonly input?: string | undefined
  /** Input comes from the socket of `unix-stream`. Not with `input`. Default false. */
  readonly inputUnixStream?: boolean | undefined
  /** From 1; a UART's goes to 4. Unique for each hardware. Default 1. */
  readonly num?: number | undefined
  /** The kernel's console: adds `console=ttyS0` or `console=hvc0`, by its number less one. Default false. */
  readonly console?: boolean | undefined
  /** Adds `earlycon=`. Only a UART; one of a machine. Default false. */
  readonly earlycon?: boolean | undefined
  /**
   * Input is crosvm's standard input. One of a machine. A terminal would be put into raw mode. Default false.
   */
  readonly stdin?: boolean | undefined
  /** Each line of output begins with a time. Default false. */
  readonly outTimestamp?: boolean | undefined
  /** The I/O port of a debugcon, of 16 bits. Default 0x402, as of OVMF. */
  readonly debugconPort?: number | undefined
  /** Only virtio-console. Default: the next that is free. */
  readonly pciAddress?: PciAddress | undefined
  /** The most descriptors of receive and transmit queue of a virtio-console: two numbers of 16 bits. */
  readonly maxQueueSizes?: readonly number[] | undefined
}

export const serialPort: Shape<SerialPort> = record<SerialPort>(
  {
    type: defaulted('type', choice(['file', 'stdout', 'sink', 'syslog', 'unix', 'unix-stream']), 'sink'),
    hardware: optional(
      'hardware',
      choice(['serial', 'virtio-console', 'debugcon'], { 'legacy-virtio-console': 'virtio-console' }),
    ),
    name: optional('name', text({ name: 'name' })),
    path: optional('path', path('path')),
    input: optional('input', path('input')),
    inputUnixStream: optional('input-unix-stream', flag),
    num: optional('num', integer(1, 255)),
    console: optional('console', flag),
    earlycon: optional('earlycon', flag),
    stdin: optional('stdin', flag),
    outTimestamp: optional('out-timestamp', flag, 'out_timestamp'),
    debugconPort: optional('debugcon-port', u16, 'debugcon_port'),
    pciAddress: optional('pci-address', pciAddress),
    maxQueueSizes: optional('max-queue-sizes', list(u16, { least: 2, most: 2 })),
  },
  { check: checkSerial },
)

function checkSerial(port: SerialPort): string | undefined {
  const hardware = port.hardware ?? 'serial'
  if (port.stdin && port.input !== undefined) return 'stdin and input exclude each other: drop one'
  if (port.inputUnixStream && port.input !== undefined) {
    return 'inputUnixStream and input exclude each other: drop one'
  }
  if (port.inputUnixStream && port.type !== 'unix-stream') return 'inputUnixStream needs type unix-stream'
  if (hardware === 'serial' && (port.num ?? 1) > 4) return 'num of a UART goes from 1 to 4'
  if (port.pciAddress !== undefined && hardware !== 'virtio-console') {
    return 'pciAddress is for hardware virtio-console only: a UART is on no PCI bus'
  }
  if (port.maxQueueSizes !== undefined && hardware !== 'virtio-console') {
    return 'maxQueueSizes is for hardware virtio-console only'
  }
  if (port.earlycon && hardware !== 'serial') return 'earlycon needs hardware serial'
  const needsPath = port.type === 'file' || port.type === 'unix' || port.type === 'unix-stream'
  if (needsPath && port.path === undefined) return `type ${port.type} needs a path`
  return undefined
}
