import { escapeLines } from './escape.js'
import type { Sink } from './powers.js'

/** Tells the person what went wrong. Nobody may be there to see it. */
export async function complain(stderr: Sink, message: string): Promise<void> {
  await stderr.write(`spectrum: ${escapeLines(message)}\n`).catch(() => {})
}
