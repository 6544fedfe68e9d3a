import type { ArgumentSchema } from '@spectrum/unit-graph'

const LINE_FEED = 0x0a

/** What came before the first line feed, and an iterator that goes on after it. */
export interface FirstLine {
  readonly line: Uint8Array
  readonly rest: AsyncIterable<Uint8Array>
}

/** Undefined: the stream ended before, or the line is longer than `maxBytes`. */
export async function readFirstLine(
  stream: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<FirstLine | undefined> {
  const chunks = stream[Symbol.asyncIterator]()
  const line = new Uint8Array(maxBytes)
  let size = 0
  for (;;) {
    const next = await chunks.next()
    if (next.done === true) return undefined
    const chunk = next.value
    const at = chunk.indexOf(LINE_FEED)
    const part = at < 0 ? chunk : chunk.subarray(0, at)
    if (size + part.length > maxBytes) return undefined
    line.set(part, size)
    size += part.length
    if (at >= 0) return { line: line.subarray(0, size), rest: goOn(chunk.subarray(at + 1), chunks) }
  }
}

async function* goOn(
  first: Uint8Array,
  chunks: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    if (first.length > 0) yield first
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value
  } finally {
    await chunks.return?.()
  }
}

/** Whether a call of such a service begins with a line of JSON. */
export const hasArgument = (schema: ArgumentSchema): boolean => schema.kind !== 'none'

/** The value in the line; the graph's engine checks it against the schema. Undefined: it is no JSON. */
export function parseArgument(line: Uint8Array): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line)) as unknown }
  } catch {
    return undefined
  }
}
