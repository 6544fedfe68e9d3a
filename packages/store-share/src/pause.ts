import type { Clock } from './powers.js'

/** Waits, or not so long when the signal aborts. Never rejects. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const deadline = clock.deadline(ms)
  let end = () => {}
  try {
    await new Promise<void>((resolve) => {
      end = resolve
      if (signal.aborted) resolve()
      deadline.signal.addEventListener('abort', end, { once: true })
      signal.addEventListener('abort', end, { once: true })
    })
  } finally {
    signal.removeEventListener('abort', end)
    deadline[Symbol.dispose]()
  }
}
