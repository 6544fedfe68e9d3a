/** What a guest reaches at I/O ports. Registers count from the device's first port. */
export interface Device {
  read(register: number): number
  write(register: number, value: number): void
}

export interface PortRange {
  readonly port: number
  readonly count: number
}

/** What a bus without a device on it answers. */
const NOTHING = 0xff

/** All of a machine's I/O ports. Devices here have registers of one byte; wider accesses find nothing. */
export class Ports {
  readonly #devices = new Map<number, { readonly device: Device; readonly register: number }>()

  add({ port, count }: PortRange, device: Device): void {
    for (let register = 0; register < count; register += 1) {
      if (this.#devices.has(port + register)) throw new Error(`port ${port + register} is taken`)
      this.#devices.set(port + register, { device, register })
    }
  }

  /** `count` values of `size` bytes, one after the other, as a string instruction reads them. */
  read(port: number, size: number, count: number): Uint8Array {
    const data = new Uint8Array(size * count).fill(NOTHING)
    const found = this.#devices.get(port)
    if (found && size === 1)
      for (let at = 0; at < count; at += 1) data[at] = found.device.read(found.register)
    return data
  }

  write(port: number, size: number, data: Uint8Array): void {
    const found = this.#devices.get(port)
    if (found && size === 1) for (const value of data) found.device.write(found.register, value)
  }
}
