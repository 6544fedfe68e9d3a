/** A small generator of pseudo-random numbers (mulberry32): the same seed, the same run. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  word(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }

  /** 0 to `limit` - 1. */
  below(limit: number): number {
    return this.word() % limit
  }

  chance(percent: number): boolean {
    return this.below(100) < percent
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length)
    for (let i = 0; i < length; i++) bytes[i] = this.word()
    return bytes
  }

  /** A number of up to 64 bits at an edge of something, or anywhere. */
  number(): bigint {
    const edges = [0n, 1n, 2n ** 16n, 2n ** 31n, 2n ** 32n, 2n ** 52n, 2n ** 53n, 2n ** 63n, 2n ** 64n]
    const edge = this.pick(edges) + BigInt(this.below(5) - 2)
    const anywhere = (BigInt(this.word()) << 32n) | BigInt(this.word())
    return BigInt.asUintN(64, this.chance(70) ? edge : anywhere)
  }

  /** A copy with a few bytes changed, or cut, or with more behind. */
  mutated(bytes: Uint8Array): Buffer {
    const copy = Buffer.from(bytes)
    for (let changes = this.below(4); changes > 0 && copy.length > 0; changes--) {
      copy[this.below(copy.length)] = this.chance(50) ? this.word() : this.pick([0, 1, 0x7f, 0x80, 0xff])
    }
    if (this.chance(10)) return copy.subarray(0, this.below(copy.length + 1))
    return this.chance(5) ? Buffer.concat([copy, this.bytes(this.below(64))]) : copy
  }
}
