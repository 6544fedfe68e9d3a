import { open } from 'node:fs/promises'
import type { FramePowers } from '../sharing/frames.js'

const ENTRY_BYTES = 8

export const linuxFrames: FramePowers = {
  pagemap: (pid, page, count) => entriesOf(`/proc/${pid}/pagemap`, page, count),
  mapCounts: (frame, count) => entriesOf('/proc/kpagecount', frame, count),
}

async function entriesOf(table: string, first: number, count: number): Promise<BigUint64Array> {
  const file = await open(table, 'r')
  try {
    const entries = new BigUint64Array(count)
    const bytes = new Uint8Array(entries.buffer)
    let filled = 0
    while (filled < bytes.length) {
      const { bytesRead } = await file.read(
        bytes,
        filled,
        bytes.length - filled,
        first * ENTRY_BYTES + filled,
      )
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return entries.subarray(0, Math.floor(filled / ENTRY_BYTES))
  } finally {
    await file.close()
  }
}
