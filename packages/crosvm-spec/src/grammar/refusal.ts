/**
 * Why a value cannot be printed or a text cannot be read. Thrown inside this package only: every public
 * function turns it into a Result. `offset` counts UTF-16 units from the start of the text that was read.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly offset: number | undefined

  constructor(message: string, offset?: number) {
    super(message)
    this.offset = offset
  }
}

/**
 * What crosvm's own parser takes and a machine does not hold, because crosvm then fails to start or does something
 * else than it says: an empty path, a block size of 3.
 */
export class Unsound extends Refusal {}

export function unsound(message: string, offset?: number): never {
  throw new Unsound(message, offset)
}

export function refuse(message: string, offset?: number): never {
  throw new Refusal(message, offset)
}
