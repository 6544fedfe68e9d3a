import type { Clock } from './powers.js'

/** Passes chunks on, so many bytes a second: beyond that it does not read, and the writer has to wait. */
export async function* paced(
  bytes: AsyncIterable<Uint8Array>,
  clock: Clock,
  bytesPerSecond: number,
): AsyncGenerator<Uint8Array, void, void> {
  let windowStart = clock.now()
  let windowBytes = 0
  for await (const chunk of bytes) {
    yield chunk
    windowBytes += chunk.length
    const elapsed = clock.now() - windowStart
    const exhausted = windowBytes > bytesPerSecond
    if (exhausted) await sleep(clock, 1000 - elapsed)
    if (elapsed >= 1000 || exhausted) {
      windowStart = clock.now()
      windowBytes = 0
    }
  }
}

async function sleep(clock: Clock, ms: number): Promise<void> {
  if (ms <= 0) return
  using pause = clock.deadline(ms)
  await new Promise<void>((resolve) => {
    if (pause.signal.aborted) resolve()
    else pause.signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
