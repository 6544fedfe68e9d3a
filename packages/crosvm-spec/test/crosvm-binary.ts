/** The real crosvm as an oracle: what it says of an argument vector, without anything being started. */
import { execFile } from 'node:child_process'
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

export type Verdict =
  /** It parsed everything, found the combination sound, and then did not find the kernel or the ramdisk. */
  | 'accepted'
  /** Exit status 1 with a complaint about the combination. */
  | 'refused-combination'
  /** Exit status 35. */
  | 'refused-parse'

export const NO_KERNEL = '/nonexistent/crosvm-spec/kernel'

export function findCrosvm(): string | undefined {
  const named = process.env['CROSVM']
  const candidates = named
    ? [named]
    : (process.env['PATH'] ?? '').split(delimiter).map((dir) => join(dir, 'crosvm'))
  return candidates.find((file) => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

export function judge(
  crosvm: string,
  argv: readonly string[],
): Promise<{ verdict: Verdict; stderr: string }> {
  return new Promise((resolve, reject) => {
    execFile(
      crosvm,
      [...argv],
      { timeout: 20_000, killSignal: 'SIGKILL', maxBuffer: 1 << 22, env: {} },
      (error, _stdout, stderr) => {
        const status = error === null ? 0 : error.code
        if (status === 35) resolve({ verdict: 'refused-parse', stderr })
        else if (status === 1) {
          const accepted = /failed to open (kernel image|initrd|bios) \//.test(stderr)
          resolve({ verdict: accepted ? 'accepted' : 'refused-combination', stderr })
        } else reject(new Error(`crosvm ended with ${String(status)}: ${stderr}`, { cause: error }))
      },
    )
  })
}

/** Runs `work` over the items, four at a time: crosvm takes milliseconds, so this is bound by fork. */
export async function each<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < items.length) {
      const index = next
      next += 1
      await work(items[index] as T, index)
    }
  }
  await Promise.all(Array.from({ length: 4 }, lane))
}

/** Directories with hostile names: crosvm looks whether a shared directory is there while it parses. */
export function hostileDirectories(): { readonly paths: readonly string[] } & Disposable {
  const root = mkdtempSync(join(tmpdir(), 'crosvm-spec-'))
  const paths = ['plain', 'a,b', "q'uote", '[x]', 'a=b', 'ünï 日本', '"'].map((name) => join(root, name))
  for (const path of paths) mkdirSync(path)
  return { paths, [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) }
}

export function runHelp(crosvm: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(crosvm, ['run', '--help'], { timeout: 20_000, env: {} }, (error, stdout) => {
      if (error) reject(error)
      else resolve(stdout)
    })
  })
}
