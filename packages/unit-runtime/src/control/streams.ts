import { Credit, Incoming } from './flow.js'

/** What flows for one request at the host: the client's input, and credit for standard output and error. */
export class Streams {
  readonly input: Incoming
  readonly credit: readonly [Credit, Credit] = [new Credit(), new Credit()]

  constructor(giveCredit: (bytes: number) => void) {
    this.input = new Incoming(giveCredit)
  }

  /** Nothing is sent any more, and nothing is kept of what comes. */
  close(): void {
    for (const credit of this.credit) credit.close()
    this.input.drop()
  }
}
