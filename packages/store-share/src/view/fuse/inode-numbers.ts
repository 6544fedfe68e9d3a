const ROUNDS = 4

/** Fills the array with random words: a power, because nobody may foresee them. */
export type FillRandom = (words: Uint32Array) => void

/**
 * Turns the host's inode numbers into those that the guest sees: different ones stay different (each round of a
 * Feistel network can be undone), equal ones equal, and what they say about the host (how old a file is, which
 * were made together) is gone. The key is one view's own.
 */
export class InodeNumbers {
  low = 0
  high = 0
  readonly #key = new Uint32Array(ROUNDS)

  constructor(fillRandom: FillRandom) {
    fillRandom(this.#key)
  }

  /** Sets `low` and `high`. Never 0, which programs take for "none", and never 1, which is the root's. */
  translate(deviceLow: number, inodeLow: number, inodeHigh: number): void {
    let left = inodeLow >>> 0
    let right = inodeHigh >>> 0
    for (let round = 0; round < ROUNDS; round++) {
      const mixed = (left ^ scatter(right ^ deviceLow ^ this.#key[round]!)) >>> 0
      left = right
      right = mixed
    }
    this.low = left
    this.high = right
    if (right === 0 && left <= 1) this.low = 2
  }
}

/** Every bit of the result depends on every bit of the word (the finaliser of MurmurHash3). */
function scatter(word: number): number {
  let mixed = word
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}
