import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import type { VerdictCache } from '@spectrum/unit-monitor'

type Verdict = NonNullable<Awaited<ReturnType<VerdictCache['get']>>>

/**
 * Remembers for each monitor, kernel and boot of this machine whether it worked: one small file each. What is
 * being written lies in `unfinished`, which is on the same file system.
 */
export function verdictFiles(directory: string, unfinished: string): VerdictCache {
  const fileOf = (key: string) => `${directory}/${createHash('sha256').update(key).digest('hex')}.json`
  return {
    async get(key) {
      try {
        const value: unknown = JSON.parse(await readFile(fileOf(key), 'utf8'))
        return isVerdict(value) ? value : undefined
      } catch {
        // Absent or damaged: the trial is made again.
        return undefined
      }
    },
    async put(key, { verdict, reason }) {
      const temporary = `${unfinished}/${randomBytes(8).toString('hex')}.json`
      try {
        await mkdir(directory, { recursive: true, mode: 0o700 })
        await writeFile(temporary, `${JSON.stringify({ verdict, reason })}\n`, { mode: 0o600 })
        await rename(temporary, fileOf(key))
      } catch {
        // A verdict that cannot be kept costs one more trial next time, nothing else.
        await rm(temporary, { force: true }).catch(() => {})
      }
    },
  }
}

function isVerdict(value: unknown): value is Verdict {
  const { verdict, reason } = (value ?? {}) as Record<string, unknown>
  return (verdict === 'works' || verdict === 'refused') && typeof reason === 'string'
}
