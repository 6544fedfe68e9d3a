import { type FakeEnd, type FakePowers, runFakeCrosvm } from '../fake.js'
import type { CrosvmProcess, CrosvmProcesses } from '../spawn/powers.js'

/** Higher than any of Linux (PID_MAX_LIMIT), so that none of these is ever a real process. */
const FIRST_PID = 4_194_304

/** Starts fakes inside this program, for tests of what starts crosvm: no process, but a real control socket. */
export function fakeProcesses(
  powers: Pick<FakePowers, 'sockets' | 'clock' | 'architecture'>,
): CrosvmProcesses {
  let next = FIRST_PID
  return {
    async spawn({ argv }): Promise<CrosvmProcess> {
      const killed = new AbortController()
      const lines = new Lines()
      const print = (text: string) => lines.push(text)
      const end: Promise<FakeEnd> = runFakeCrosvm(
        argv,
        { ...powers, print, log: (line) => lines.push(`${line}\n`) },
        killed.signal,
      ).finally(() => lines.end())
      next += 1
      return {
        pid: next,
        stderr: lines,
        end,
        killGroup: () => killed.abort(),
        groupGone: async () => void (await end),
      }
    },
  }
}

/** What was printed and not yet read. */
class Lines implements AsyncIterable<Uint8Array> {
  #held: string[] = []
  #ended = false
  #wake: () => void = () => {}

  push(text: string): void {
    this.#held.push(text)
    this.#wake()
  }

  end(): void {
    this.#ended = true
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      for (const text of this.#held.splice(0)) yield new TextEncoder().encode(text)
      if (this.#held.length > 0) continue
      if (this.#ended) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
