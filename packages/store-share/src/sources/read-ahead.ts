/**
 * Reads up to `maxBytes` ahead of who asks, so that a download goes on while something else is busy. `stop` is called
 * when nobody asks any more; the input must end soon then.
 */
export async function* readAhead(
  input: AsyncIterable<Uint8Array>,
  maxBytes: number,
  stop: () => void,
): AsyncGenerator<Uint8Array> {
  const ready: Uint8Array[] = []
  let bytes = 0
  let state = 'reading' as 'reading' | 'ended' | 'stopped'
  let failure: { readonly cause: unknown } | undefined
  let changed = () => {}
  const change = () =>
    new Promise<void>((resolve) => {
      changed = resolve
    })
  let room = () => {}
  const reading = (async () => {
    try {
      for await (const chunk of input) {
        if (state === 'stopped') return
        ready.push(chunk)
        bytes += chunk.length
        changed()
        while (bytes >= maxBytes && state === 'reading') {
          await new Promise<void>((resolve) => {
            room = resolve
          })
        }
      }
    } catch (cause) {
      failure = { cause }
    } finally {
      if (state === 'reading') state = 'ended'
      changed()
    }
  })()
  try {
    for (;;) {
      const chunk = ready.shift()
      if (chunk !== undefined) {
        bytes -= chunk.length
        room()
        yield chunk
      } else if (state === 'ended') {
        if (failure !== undefined) throw failure.cause
        return
      } else {
        await change()
      }
    }
  } finally {
    if (state === 'reading') {
      state = 'stopped'
      stop()
      room()
    }
    await reading
  }
}
