import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const [compiler = 'cc', ...compilerArguments] = (process.env['CC'] || 'cc').split(/\s+/).filter(Boolean)

export const exercise = here('exercise.mjs')
/** The loader that lets a program of its own run TypeScript. */
export const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href

export interface Ended {
  readonly status: number | null
  readonly output: string
}

/** Less than a test may take: while a program is waited for like this, nothing else could end it. */
const DEADLINE_MS = 100_000

export function run(
  argv: readonly string[],
  environment: Record<string, string> = {},
  deadlineMs = DEADLINE_MS,
): Ended {
  const [file = '', ...rest] = argv
  const env = { PATH: process.env['PATH'] ?? '', ...environment }
  const { status, stdout, stderr, error } = spawnSync(file, rest, {
    env,
    timeout: deadlineMs,
    killSignal: 'SIGKILL',
  })
  if (error) throw error
  return { status, output: `${stdout}${stderr}` }
}

/** Builds the addon like `node native/build.mjs` does, and gives its path. */
export function buildAddon(...flags: readonly string[]): string {
  const { status, output } = run([process.execPath, here('../../native/build.mjs'), ...flags], {
    CC: [compiler, ...compilerArguments].join(' '),
  })
  if (status !== 0) throw new Error(output)
  return output.trim().split('\n').at(-1)!
}

/** What makes the package load that addon instead of its own: node-gyp-build's variable. */
export const insteadOfItsOwn = (addon: string): Record<string, string> => ({
  '@SPECTRUM/KVM_IOCTL_PREBUILD': dirname(dirname(dirname(addon))),
})

/** Under AddressSanitizer. Leaks are valgrind's part: Node itself leaves too much for LeakSanitizer to be of use. */
export const sanitized = (): Record<string, string> => ({
  LD_PRELOAD: run([compiler, ...compilerArguments, '-print-file-name=libasan.so']).output.trim(),
  ASAN_OPTIONS: 'detect_leaks=0',
})
