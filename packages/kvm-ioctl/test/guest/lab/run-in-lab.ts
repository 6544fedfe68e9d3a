import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'
import * as aarch64 from '../../../src/generated/aarch64.js'
import type { StructureField } from '../../../src/generated/layout.js'
import * as powerpc64le from '../../../src/generated/powerpc64le.js'
import * as riscv64 from '../../../src/generated/riscv64.js'
import type { Findings } from './report.js'

const checkout = fileURLToPath(new URL('../../../../../', import.meta.url))
const packages = join(checkout, 'packages')
const ours = join(packages, 'kvm-ioctl')

/** What the lab's architecture is called elsewhere. */
const NAMES = {
  aarch64: { node: 'arm64', triplet: 'aarch64-linux-gnu', architecture: 'aarch64', tables: aarch64 },
  ppc64le: {
    node: 'ppc64',
    triplet: 'powerpc64le-linux-gnu',
    architecture: 'powerpc64le',
    tables: powerpc64le,
  },
  riscv64: { node: 'riscv64', triplet: 'riscv64-linux-gnu', architecture: 'riscv64', tables: riscv64 },
} as const
type Foreign = keyof typeof NAMES
/** Those that `npm run lab` has. */
export type Lab = Exclude<Foreign, 'riscv64'>

/** While a program is waited for synchronously, nothing else could end it. */
const BOUNDED = { timeout: 100_000, killSignal: 'SIGKILL' } as const

/** The addon for an architecture that is not this machine's; gives its path. */
export function crossBuildAddon(node: string, compiler: string): string {
  const env = { ...process.env, CC: compiler, npm_config_arch: node }
  const options = { encoding: 'utf8', env, ...BOUNDED } as const
  return execFileSync(process.execPath, [join(ours, 'native/build.mjs')], options).trim()
}

/** A source finds its addon from where it lies itself: in a bundle, too. */
const inPlace: Plugin = {
  name: 'sources know their place',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/packages\/[^/]+\/(src|test)\/.*\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replaceAll(
        'import.meta.url',
        JSON.stringify(pathToFileURL(path).href),
      ),
      loader: 'ts',
    })),
}

/** The project's packages by their sources, as everywhere in the tests. */
const fromSources: Plugin = {
  name: 'packages by their sources',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^@spectrum\// }, ({ path }) => {
      const [, name = '', part = 'index'] = path.split('/')
      return { path: join(packages, name, 'src', `${part}.ts`) }
    }),
}

/** A program as one file of JavaScript. */
export async function bundle(entry: string, into: string): Promise<string> {
  const outfile = join(into, 'program.mjs')
  await build({
    ...{ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'esm', target: 'node20' },
    alias: { vitest: join(ours, 'test/guest/lab/small-runner.ts') },
    plugins: [fromSources, inPlace],
    // For dependencies that are CommonJS.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url)",
    },
    // The tests are imported for their effects.
    ignoreAnnotations: true,
    logLevel: 'silent',
  })
  return outfile
}

/** A folder in which a bundled program finds the package; the caller removes it. */
export function programFolder(): string {
  mkdirSync(join(ours, 'build'), { recursive: true })
  return mkdtempSync(join(ours, 'build/lab-'))
}

/** Runs a program of this folder with the real addon in a lab, and gives what it reports. */
export async function runInLab(lab: Lab, program: string): Promise<Findings> {
  return withProgram(lab, program, (script, layouts) => outputOf(lab, ['node', script, layouts]))
}

/**
 * Builds a program of this folder and the addon for another architecture, and gives what the program reports where `run`
 * runs it. A second program, compiled with the compiler's own idea of the header, says what its layouts are.
 */
export async function withProgram(
  machine: Foreign,
  program: string,
  run: (script: string, layouts: string, addon: string) => Promise<string>,
): Promise<Findings> {
  const { node, triplet, architecture, tables } = NAMES[machine]
  const addon = crossBuildAddon(node, `${triplet}-gcc`)
  const folder = programFolder()
  try {
    const script = await bundle(fileURLToPath(new URL(program, import.meta.url)), folder)
    const layouts = join(folder, 'layouts')
    execFileSync(process.execPath, [join(ours, 'generate/native-layouts.mjs'), architecture, layouts], {
      input: JSON.stringify(tables.layouts),
      ...BOUNDED,
    })
    return JSON.parse(await run(script, layouts, addon)) as Findings
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What a command in the lab prints; it is an error if that ends otherwise than well. */
export async function outputOf(
  lab: Lab | 'x86_64',
  command: readonly string[],
  { memoryMib = 1024, vcpus = 1 } = {},
): Promise<string> {
  const size = ['--memory', String(memoryMib), '--vcpus', String(vcpus)]
  const argv = [join(packages, 'unit-monitor/lab/lab.mjs'), lab, ...size, '--', ...command]
  const child = spawn(process.execPath, argv, { cwd: checkout, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
    })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`the lab ended with ${code}:\n${output.stderr}`)
  return output.stdout
}

/** What the program that `native-layouts.mjs` makes should print. */
export function expectedLayouts(lab: Foreign): Record<string, [offset: number, size: number]> {
  const layouts = Object.entries<{ size: number; fields: Record<string, StructureField> }>(
    NAMES[lab].tables.layouts,
  )
  return Object.fromEntries(
    layouts.flatMap(([name, { size, fields }]) => [
      [name, [0, size]],
      ...Object.entries(fields)
        .filter(([, { type }]) => type !== 'bits')
        .map(([path, field]) => [`${name} ${path}`, [field.offset, field.size]]),
    ]),
  )
}
