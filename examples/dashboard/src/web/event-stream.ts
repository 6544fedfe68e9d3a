import type { ServerResponse } from 'node:http'
import type { Source } from '../board/source.js'
import { aborted, type Clock, pause } from '../clock.js'

export interface StreamLimits {
  /** Milliseconds between two messages: what changes meanwhile is told together. */
  readonly gapMs: number
  /** Milliseconds after which a silent stream says that it lives, so that a dead reader is found. */
  readonly silenceMs: number
  /** Milliseconds in which a message must have left this program. Who reads slower is dropped. */
  readonly stallMs: number
}

/**
 * Tells one page what there is to see, as server-sent events, until it goes away, reads too slowly, or the signal aborts.
 * There is one message under way at a time and the next is made when it has left, so a reader costs no memory by being
 * slow: it misses what was between.
 */
export async function streamEvents(
  source: Source,
  response: ServerResponse,
  {
    clock,
    limits,
    signal,
  }: { readonly clock: Clock; readonly limits: StreamLimits; readonly signal: AbortSignal },
): Promise<void> {
  const { gapMs, silenceMs, stallMs } = limits
  const ending = new AbortController()
  const end = () => ending.abort()
  response.once('close', end)
  signal.addEventListener('abort', end)
  if (signal.aborted) end()
  let change = new AbortController()
  using _watch = source.watch(() => change.abort())
  const seen = new Map<string, number>()
  let revision: number | undefined
  try {
    for (;;) {
      change = new AbortController()
      let text = ''
      if (source.revision !== revision) {
        revision = source.revision
        text += message('state', source.snapshot())
      }
      for (const news of source.linesAfter(seen)) {
        seen.set(news.unit, news.lines.at(-1)?.seq ?? 0)
        text += message('log', news)
      }
      if (text === '' && !ending.signal.aborted) {
        using silence = clock.deadline(silenceMs)
        await aborted(change.signal, silence.signal, ending.signal)
        if (change.signal.aborted && !ending.signal.aborted) continue
        text = ':\n\n'
      }
      if (response.destroyed) return
      if (ending.signal.aborted) break
      if (!(await leaves(text, response, clock, stallMs))) {
        response.destroy()
        return
      }
      await pause(clock, gapMs, ending.signal)
    }
    // Whoever does not take it is cut off with all others.
    response.end(message('end', {}))
  } finally {
    response.off('close', end)
    signal.removeEventListener('abort', end)
  }
}

/** JSON has no line break outside of its strings, and none inside of them. */
const message = (event: string, data: unknown) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`

/** Whether all of it has left this program in time. */
function leaves(text: string, response: ServerResponse, clock: Clock, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const late = clock.deadline(ms)
    const settle = (left: boolean) => {
      late[Symbol.dispose]()
      response.off('close', onClose)
      late.signal.removeEventListener('abort', onClose)
      resolve(left)
    }
    const onClose = () => settle(false)
    response.once('close', onClose)
    late.signal.addEventListener('abort', onClose)
    response.write(text, (error) => settle(error === undefined || error === null))
  })
}
