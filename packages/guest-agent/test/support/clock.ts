import type { Clock } from '@spectrum/guest-agent'

/** The real clock, for tests. */
export const clock: Clock = {
  now: () => performance.now(),
  deadline(ms) {
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), Math.min(ms, 2 ** 31 - 1))
    return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) }
  },
}
