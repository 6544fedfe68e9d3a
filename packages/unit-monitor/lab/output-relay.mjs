import { once } from 'node:events'

const exitStatusOfBrokenPipe = 141

/** Carries the output of the command to this program's own, and reads how the command ended. */
export class OutputRelay {
  #machine
  #passedOn = { stdout: 0, stderr: 0 }
  #announced
  #settle
  #ended
  #markReady

  /** Resolves when the lab is up and the command starts: the machine needs none of its files any more. */
  ready

  /** @param {import('./machine.mjs').LabMachine} machine */
  constructor(machine) {
    this.#machine = machine
    this.#ended = new Promise((settle) => {
      this.#settle = settle
    })
    this.ready = new Promise((markReady) => {
      this.#markReady = markReady
    })
    for (const name of ['stdout', 'stderr']) {
      process[name].on('error', (cause) => this.#cannotWrite(name, cause))
      this.#passOn(name)
    }
    this.#readStatus()
  }

  /**
   * Resolves when the command has ended and every byte it wrote has been passed on, or when that cannot be.
   *
   * @param {AbortSignal} signal
   * @returns {Promise<{ kind: 'ended', status: number } | { kind: 'failed', message: string } | { kind: 'cancelled' }>}
   */
  async finish(signal) {
    if (signal.aborted) return { kind: 'cancelled' }
    signal.addEventListener('abort', () => this.#settle({ kind: 'cancelled' }))
    this.#machine.gone.then(() => this.#settle(failed('the machine ended before the command did')))
    return this.#ended
  }

  async #passOn(name) {
    const ours = process[name]
    try {
      for await (const bytes of this.#machine[name]) {
        if (!ours.write(bytes)) await once(ours, 'drain')
        this.#passedOn[name] += bytes.length
        this.#settleWhenComplete()
      }
    } catch (cause) {
      this.#cannotWrite(name, cause)
    }
  }

  /** Whoever read our output has gone, as in `npm run lab … | head`: there is nobody to tell. */
  #cannotWrite(name, cause) {
    if (cause.code === 'EPIPE') this.#settle({ kind: 'ended', status: exitStatusOfBrokenPipe })
    else this.#settle(failed(`cannot pass ${name} on: ${cause.message}`))
  }

  #readStatus() {
    let text = ''
    this.#machine.status.on('data', (bytes) => {
      text += bytes.toString('utf8')
      if (text.length > 4096) this.#settle(failed('the init of the lab sent nonsense'))
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        this.#statusLine(text.slice(0, end))
        text = text.slice(end + 1)
      }
    })
  }

  /** The lines are described in init.c. */
  #statusLine(line) {
    const end = /^(exited|signalled) (\d{1,3}) (\d{1,15}) (\d{1,15})$/.exec(line)
    if (end) {
      const status = end[1] === 'exited' ? Number(end[2]) : 128 + Number(end[2])
      this.#announced = { status, stdout: Number(end[3]), stderr: Number(end[4]) }
      this.#settleWhenComplete()
    } else if (line === 'ready') this.#markReady()
    else this.#settle(failed(line.replace(/^failed /, '')))
  }

  #settleWhenComplete() {
    if (!this.#announced) return
    const { status, stdout, stderr } = this.#announced
    if (this.#passedOn.stdout === stdout && this.#passedOn.stderr === stderr)
      this.#settle({ kind: 'ended', status })
  }
}

const failed = (message) => ({ kind: 'failed', message })
