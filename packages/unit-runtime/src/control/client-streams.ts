import { Credit, Incoming } from './flow.js'
import type { StreamNumber } from './frames.js'

/** What flows for one request at the client: credit for its input, and the host's two outputs. */
export class ClientStreams {
  readonly input = new Credit()
  readonly output: readonly [Incoming, Incoming]

  constructor(giveCredit: (stream: StreamNumber, bytes: number) => void) {
    this.output = [
      new Incoming((bytes) => giveCredit(0, bytes)),
      new Incoming((bytes) => giveCredit(1, bytes)),
    ]
  }

  /** What has come can still be read; nothing more comes or goes. */
  close(): void {
    this.input.close()
    for (const output of this.output) output.end()
  }
}
