import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { architectures, isNative } from './architectures.mjs'
import { LabFailure } from './failure.mjs'

const cacheOf = (environment) =>
  join(environment.XDG_CACHE_HOME || join(environment.HOME || '/root', '.cache'), 'spectrum')

/**
 * Finds the kernel of a lab: for this machine's own architecture `SPECTRUM_KERNEL` with `SPECTRUM_KERNEL_MODULES`
 * (the directory `lib/modules/RELEASE`); else what `npm run setup` keeps in the cache.
 *
 * @param {Record<string, string | undefined>} environment
 * @param {string} [architecture]
 * @returns {{ image: string, modules: string }}
 */
export function findKernel(environment, architecture = 'x86_64') {
  const { SPECTRUM_KERNEL: image, SPECTRUM_KERNEL_MODULES: modules } = environment
  if (isNative(architecture) && (image || modules)) {
    if (!image || !modules)
      throw new LabFailure('set both SPECTRUM_KERNEL and SPECTRUM_KERNEL_MODULES, or neither')
    return check({ image, modules })
  }
  const place = isNative(architecture) ? 'guest-kernel/current' : `lab-kernel/${architecture}`
  const current = join(cacheOf(environment), place)
  const releases = existsSync(join(current, 'lib/modules')) ? readdirSync(join(current, 'lib/modules')) : []
  if (releases.length !== 1)
    throw new LabFailure(
      `no guest kernel in ${current}: run "npm run setup", or set SPECTRUM_KERNEL and SPECTRUM_KERNEL_MODULES`,
    )
  return check({
    image: join(current, 'boot', architectures[architecture].kernelImage + releases[0]),
    modules: join(current, 'lib/modules', releases[0]),
  })
}

/**
 * The directory of a Node for a lab of another architecture, as `npm run setup` keeps it in the cache.
 *
 * @param {Record<string, string | undefined>} environment
 * @param {string} architecture
 */
export function findNode(environment, architecture) {
  const { node } = architectures[architecture]
  const directory = join(
    cacheOf(environment),
    'lab-node',
    architecture,
    `node_modules/node-linux-${npmName(node)}/bin`,
  )
  if (!existsSync(join(directory, 'node')))
    throw new LabFailure(`no Node for ${architecture} in ${directory}: run "npm run setup"`)
  return directory
}

/** npm's packages of Node tell the two byte orders of POWER apart, Node itself does not. */
const npmName = (node) => (node === 'ppc64' ? 'ppc64le' : node)

function check(kernel) {
  if (!existsSync(kernel.image)) throw new LabFailure(`the guest kernel ${kernel.image} does not exist`)
  if (!existsSync(join(kernel.modules, 'modules.dep')))
    throw new LabFailure(`${kernel.modules} has no modules.dep: run depmod on it ("npm run setup" does)`)
  return kernel
}

/**
 * The files of `wanted` and of all they depend on, each after what it needs. Modules that are built into the
 * kernel need no file.
 *
 * @param {string} directory `lib/modules/RELEASE`
 * @param {readonly string[]} wanted module names
 * @returns {string[]} paths below `directory`
 */
export function modulesInLoadOrder(directory, wanted) {
  const needs = new Map()
  for (const line of readFileSync(join(directory, 'modules.dep'), 'utf8').split('\n')) {
    const colon = line.indexOf(':')
    if (colon > 0)
      needs.set(
        line.slice(0, colon),
        line
          .slice(colon + 1)
          .trim()
          .split(/\s+/)
          .filter(Boolean),
      )
  }
  const byName = new Map([...needs.keys()].map((path) => [moduleName(path), path]))
  const builtIn = new Set(
    readFileSync(join(directory, 'modules.builtin'), 'utf8').split('\n').map(moduleName),
  )
  const ordered = new Set()
  const add = (path) => {
    if (ordered.has(path)) return
    // modules.dep lists all that a module needs, the deepest last.
    for (const need of [...(needs.get(path) ?? [])].reverse()) ordered.add(need)
    ordered.add(path)
  }
  for (const name of wanted) {
    const path = byName.get(moduleName(name))
    if (path) add(path)
    else if (!builtIn.has(moduleName(name)))
      throw new LabFailure(
        `the guest kernel has no module ${name} (looked in ${directory}): use Debian's cloud kernel`,
      )
  }
  const compressed = [...ordered].find((path) => !path.endsWith('.ko'))
  if (compressed) throw new LabFailure(`${compressed} is compressed, and the lab loads plain .ko files only`)
  return [...ordered]
}

const moduleName = (path) =>
  basename(path)
    .replace(/\.ko(\.[a-z0-9]+)?$/, '')
    .replaceAll('-', '_')
