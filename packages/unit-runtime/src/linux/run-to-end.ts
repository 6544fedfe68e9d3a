import { execFile } from 'node:child_process'

/** Runs a short administrative command by argument vector; at most 10 s. */
export function runToEnd(
  file: string,
  argv: readonly string[],
): Promise<{ readonly code: number; readonly stderr: string }> {
  return new Promise((resolve) => {
    execFile(file, [...argv], { timeout: 10_000, encoding: 'utf8' }, (error, _stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, stderr: stderr.trim() || (error?.message ?? '') })
    })
  })
}
