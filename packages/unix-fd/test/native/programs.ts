import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const [compiler = 'cc', ...compilerArguments] = (process.env['CC'] || 'cc').split(/\s+/).filter(Boolean)

export const exercise = here('exercise.mjs')

export interface Ended {
  readonly status: number | null
  readonly signal: string | null
  readonly output: string
}

export function run(argv: readonly string[], environment: Record<string, string> = {}): Ended {
  const [file = '', ...rest] = argv
  const env = { PATH: process.env['PATH'] ?? '', ...environment }
  const { status, signal, stdout, stderr, error } = spawnSync(file, rest, {
    env,
    timeout: 100_000,
    killSignal: 'SIGKILL',
  })
  if (error) throw error
  return { status, signal, output: `${stdout}${stderr}` }
}

/** Builds the addon like `node native/build.mjs` does, and gives its path. */
export function buildAddon(...flags: readonly string[]): string {
  const { status, output } = run([process.execPath, here('../../native/build.mjs'), ...flags], {
    CC: [compiler, ...compilerArguments].join(' '),
  })
  if (status !== 0) throw new Error(output)
  return output.trim().split('\n').at(-1)!
}

/** Builds the addon that is wrong on purpose. */
export function buildFaults(path: string, ...flags: readonly string[]): string {
  const { include_dir: headers } = createRequire(import.meta.url)('node-api-headers') as {
    include_dir: string
  }
  const options = ['-shared', '-fPIC', '-g', '-DNAPI_VERSION=8', '-isystem', headers, ...flags]
  const { status, output } = run([compiler, ...compilerArguments, ...options, '-o', path, here('faults.c')])
  if (status !== 0) throw new Error(output)
  return path
}

/** Where the compiler keeps the library that has to load before everything else. */
export function sanitizerLibrary(): string {
  return run([compiler, ...compilerArguments, '-print-file-name=libasan.so']).output.trim()
}
