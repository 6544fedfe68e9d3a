// Builds the addon for this machine: `node native/build.mjs [--sanitize] [--force]`.
//
// Reads CC (default `cc`, arguments allowed) and npm_config_arch (default this machine's), writes
// prebuilds/linux-ARCH/node.napi.node where node-gyp-build looks for it, and does nothing when that file is
// newer than everything it is made from. --sanitize writes build/sanitize/prebuilds/… with AddressSanitizer
// and UndefinedBehaviorSanitizer instead; --force builds in any case.
//
// It is published with the sources and has to build them alone, so each package that has some has this same file.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const native = dirname(fileURLToPath(import.meta.url))
const name = basename(dirname(native))
const flags = new Set(process.argv.slice(2))
const sanitize = flags.has('--sanitize')
const architecture = process.env.npm_config_arch ?? process.arch
const folder = join(
  native,
  '..',
  ...(sanitize ? ['build', 'sanitize'] : []),
  'prebuilds',
  `linux-${architecture}`,
)
const output = join(folder, 'node.napi.node')

const inputs = readdirSync(native).map((name) => join(native, name))
const sources = inputs.filter((path) => path.endsWith('.c')).sort()

const modified = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
const upToDate = !flags.has('--force') && inputs.every((path) => modified(path) < modified(output))

if (!upToDate) {
  const { include_dir: headers } = createRequire(import.meta.url)('node-api-headers')
  const [compiler, ...compilerArguments] = (process.env.CC || 'cc').split(/\s+/).filter(Boolean)
  mkdirSync(folder, { recursive: true })
  // Renamed into place: a program that has the old file mapped keeps it whole.
  const fresh = join(folder, `.building-${process.pid}`)
  const { status, error } = spawnSync(
    compiler,
    [
      ...compilerArguments,
      ...[
        '-std=gnu11',
        '-Wall',
        '-Wextra',
        '-Werror',
        '-fvisibility=hidden',
        '-fPIC',
        '-shared',
        '-DNAPI_VERSION=8',
      ],
      ...(sanitize
        ? [
            '-O1',
            '-g',
            '-fsanitize=address,undefined',
            '-fno-sanitize-recover=undefined',
            '-fno-omit-frame-pointer',
          ]
        : ['-O2', '-D_FORTIFY_SOURCE=2', '-fstack-protector-strong', '-Wl,-z,relro,-z,now']),
      ...['-isystem', headers, '-o', fresh, ...sources],
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  )
  if (error || status !== 0) {
    rmSync(fresh, { force: true })
    console.error(
      error
        ? `${name}: the C compiler '${compiler}' did not start (${error.message}); install gcc or set CC`
        : `${name}: the C compiler failed with status ${status}`,
    )
    process.exit(1)
  }
  renameSync(fresh, output)
}
console.log(output)
