/** The battery-backed clock of a PC: an index register and a data register. */
export const CLOCK = { port: 0x70, count: 2 } as const

/** Status A: the divider that a real clock has, and no update in progress. */
const DIVIDER = 0x26
/** Status B: 24 hours, binary-coded decimal, no interrupts. */
const HOURS_24 = 0x02
/** Status D: the battery is good. */
const BATTERY = 0x80

/** An MC146818 that tells the time and cannot be set. Without one Linux waits half a minute for it. */
export class Clock {
  readonly #now: () => Date
  #index = 0

  constructor(now: () => Date) {
    this.#now = now
  }

  read(register: number): number {
    return register === 1 ? this.#value() : 0xff
  }

  write(register: number, value: number): void {
    if (register === 0) this.#index = value & 0x7f // the top bit masks an interrupt that is not here
  }

  #value(): number {
    const now = this.#now()
    switch (this.#index) {
      case 0:
        return decimal(now.getUTCSeconds())
      case 2:
        return decimal(now.getUTCMinutes())
      case 4:
        return decimal(now.getUTCHours())
      case 6:
        return decimal(now.getUTCDay() + 1)
      case 7:
        return decimal(now.getUTCDate())
      case 8:
        return decimal(now.getUTCMonth() + 1)
      case 9:
        return decimal(now.getUTCFullYear() % 100)
      case 0x0a:
        return DIVIDER
      case 0x0b:
        return HOURS_24
      case 0x0d:
        return BATTERY
      case 0x32:
        return decimal(Math.floor(now.getUTCFullYear() / 100))
      default:
        return 0
    }
  }
}

const decimal = (value: number) => (Math.floor(value / 10) << 4) | (value % 10)
