/** The clock, as a power. Milliseconds. */
export interface Clock {
  /** Monotonic. */
  now(): number
  /** A signal that aborts after `ms`; dispose it to stop the timer. */
  deadline(ms: number): { readonly signal: AbortSignal } & Disposable
}

export const systemClock: Clock = {
  now: () => performance.now(),
  deadline(ms) {
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), ms)
    return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) }
  },
}

/** Resolves when one of the signals aborts. */
export function aborted(...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      for (const signal of signals) signal.removeEventListener('abort', settle)
      resolve()
    }
    for (const signal of signals) signal.addEventListener('abort', settle)
    if (signals.some((signal) => signal.aborted)) settle()
  })
}

/** Resolves after `ms`, or when the signal aborts. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  using over = clock.deadline(ms)
  await aborted(over.signal, signal)
}
