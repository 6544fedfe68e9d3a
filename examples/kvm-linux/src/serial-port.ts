/** The first serial port of a PC: eight ports, one line to the interrupt controller. */
export const COM1 = { port: 0x3f8, count: 8, irq: 4 } as const

/** Bits of the registers, by the names of the data sheet (National Semiconductor PC16550D). */
const IER_THRE = 0x02
const IIR_NONE = 0x01
const IIR_THRE = 0x02
const IIR_FIFO = 0xc0
const FCR_ENABLE = 0x01
const LCR_DLAB = 0x80
const LSR_EMPTY = 0x60 // nothing to send: neither in the holding register nor in the shift register
const MCR_LOOP = 0x10
const MSR_READY = 0xb0 // carrier, data set ready, clear to send

/**
 * A 16550 that sends at once and never receives: enough for a console that is only read.
 *
 * `send` gets each byte that the guest writes, `interrupt` the level of the line.
 */
export class SerialPort {
  readonly #send: (byte: number) => void
  readonly #interrupt: (high: boolean) => void
  #interruptEnable = 0
  #fifo = 0
  #lineControl = 0
  #modemControl = 0
  #scratch = 0
  #divisor = 1
  /** "The holding register is empty": set when it becomes so, gone when the guest has read that. */
  #emptied = false
  #line = false

  constructor(send: (byte: number) => void, interrupt: (high: boolean) => void) {
    this.#send = send
    this.#interrupt = interrupt
  }

  read(register: number): number {
    const divisor = (this.#lineControl & LCR_DLAB) !== 0
    switch (register) {
      case 0:
        return divisor ? this.#divisor & 0xff : 0
      case 1:
        return divisor ? this.#divisor >> 8 : this.#interruptEnable
      case 2:
        return this.#identify()
      case 3:
        return this.#lineControl
      case 4:
        return this.#modemControl
      case 5:
        return LSR_EMPTY
      case 6:
        return this.#modemStatus()
      case 7:
        return this.#scratch
      default:
        throw new RangeError(`a serial port has no register ${register}`)
    }
  }

  write(register: number, value: number): void {
    const divisor = (this.#lineControl & LCR_DLAB) !== 0
    switch (register) {
      case 0:
        if (divisor) this.#divisor = (this.#divisor & 0xff00) | value
        else this.#transmit(value)
        return
      case 1:
        if (divisor) this.#divisor = (this.#divisor & 0xff) | (value << 8)
        else this.#enable(value)
        return
      case 2:
        this.#fifo = value & FCR_ENABLE ? IIR_FIFO : 0
        return
      case 3:
        this.#lineControl = value
        return
      case 4:
        this.#modemControl = value & 0x1f
        return
      case 5:
      case 6:
        return // read-only
      case 7:
        this.#scratch = value
        return
      default:
        throw new RangeError(`a serial port has no register ${register}`)
    }
  }

  #transmit(byte: number): void {
    // In the loop the byte would come back as received; drivers look at the modem's lines there, not at bytes.
    if (!(this.#modemControl & MCR_LOOP)) this.#send(byte)
    this.#emptied = false
    this.#update()
    this.#emptied = true
    this.#update()
  }

  #enable(value: number): void {
    const before = this.#interruptEnable
    this.#interruptEnable = value & 0x0f
    // Asking for it is enough to be told: the register has been empty all along.
    if (this.#interruptEnable & ~before & IER_THRE) this.#emptied = true
    this.#update()
  }

  #identify(): number {
    if (!this.#pending) return this.#fifo | IIR_NONE
    this.#emptied = false
    this.#update()
    return this.#fifo | IIR_THRE
  }

  /** In the loop, what the port says to the modem is what it hears from it. Drivers tell a real port by that. */
  #modemStatus(): number {
    if (!(this.#modemControl & MCR_LOOP)) return MSR_READY
    const said = this.#modemControl
    return ((said & 1) << 5) | ((said & 2) << 3) | ((said & 4) << 4) | ((said & 8) << 4)
  }

  get #pending(): boolean {
    return this.#emptied && (this.#interruptEnable & IER_THRE) !== 0
  }

  /** The line is edge-triggered on a PC: it is told about changes only. */
  #update(): void {
    if (this.#pending === this.#line) return
    this.#line = this.#pending
    this.#interrupt(this.#line)
  }
}
