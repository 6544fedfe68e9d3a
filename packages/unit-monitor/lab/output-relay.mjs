import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** Carries the output of the command to this program's own, and reads how the command ended. */
export class OutputRelay {
  #machine
  #received = { stdout: 0, stderr: 0 }
  #expected
  #settle
  #ended

  /** @param {import('./machine.mjs').LabMachine} machine */
  constructor(machine) {
    this.#machine = machine
    this.#ended = new Promise((settle) => {
      this.#settle = settle
    })
    this.#relay('stdout')
    this.#relay('stderr')
    this.#readStatus()
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<{ kind: 'ended', status: number } | { kind: 'failed', message: string } | { kind: 'cancelled' }>}
   */
  async finish(signal) {
    if (signal.aborted) return { kind: 'cancelled' }
    signal.addEventListener('abort', () => this.#settle({ kind: 'cancelled' }))
    this.#machine.gone.then(() =>
      this.#settle({ kind: 'failed', message: 'the machine ended before the command did' }),
    )
    return this.#ended
  }

  #relay(name) {
    const count = new Transform({
      transform: (bytes, _, done) => {
        this.#received[name] += bytes.length
        done(null, bytes)
      },
    })
    pipeline(this.#machine[name], count, process[name], { end: false }).catch((cause) =>
      this.#settle({ kind: 'failed', message: `cannot pass ${name} on: ${cause.message}` }),
    )
    count.on('data', () => setImmediate(() => this.#settleWhenComplete()))
  }

  #readStatus() {
    let text = ''
    this.#machine.status.on('data', (bytes) => {
      text += bytes.toString('utf8')
      if (text.length > 4096) this.#settle({ kind: 'failed', message: 'the init sent nonsense' })
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        this.#statusLine(text.slice(0, end))
        text = text.slice(end + 1)
      }
    })
  }

  #statusLine(line) {
    const end = /^(exited|signalled) (\d{1,3}) (\d{1,15}) (\d{1,15})$/.exec(line)
    if (end) {
      const status = end[1] === 'exited' ? Number(end[2]) : 128 + Number(end[2])
      this.#expected = { status, stdout: Number(end[3]), stderr: Number(end[4]) }
      this.#settleWhenComplete()
    } else if (line.startsWith('failed ')) this.#settle({ kind: 'failed', message: line.slice(7) })
  }

  #settleWhenComplete() {
    const { stdout, stderr, status } = this.#expected ?? {}
    if (status !== undefined && this.#received.stdout === stdout && this.#received.stderr === stderr)
      this.#settle({ kind: 'ended', status })
  }
}
