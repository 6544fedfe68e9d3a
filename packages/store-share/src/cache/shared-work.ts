import { throwIfAborted } from '../failure.js'

interface Running<T> {
  readonly result: Promise<T>
  readonly controller: AbortController
  waiters: number
}

/**
 * Runs one piece of work per key at a time and gives every caller its result. The work is aborted when the
 * last caller has lost interest; that caller then waits until the work has cleaned up after itself.
 */
export class SharedWork<T> {
  readonly #running = new Map<string, Running<T>>()

  async run(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    throwIfAborted(signal)
    let running = this.#running.get(key)
    while (running?.controller.signal.aborted) {
      // What is being abandoned cannot be joined; it ends soon.
      await running.result.catch(() => {})
      throwIfAborted(signal)
      running = this.#running.get(key)
    }
    running ??= this.#start(key, work)
    return this.#wait(running, signal)
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<T>): Running<T> {
    const controller = new AbortController()
    const result = work(controller.signal).finally(() => this.#running.delete(key))
    result.catch(() => {})
    const running = { result, controller, waiters: 0 }
    this.#running.set(key, running)
    return running
  }

  async #wait(running: Running<T>, signal: AbortSignal): Promise<T> {
    running.waiters++
    let leave = () => {}
    const left = new Promise<'left'>((resolve) => {
      leave = () => resolve('left')
    })
    signal.addEventListener('abort', leave, { once: true })
    try {
      const first = await Promise.race([running.result, left])
      if (first !== 'left') return first
      if (running.waiters === 1) {
        running.controller.abort()
        await running.result.catch(() => {})
      }
      throwIfAborted(signal)
      throw new TypeError('left without an abort')
    } finally {
      signal.removeEventListener('abort', leave)
      running.waiters--
    }
  }
}
