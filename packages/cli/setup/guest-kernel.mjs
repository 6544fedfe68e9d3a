import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statfsSync,
  symlinkSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { findProgram, lastLines, Problem, remedyFor, run } from './commands.mjs'
import { updateLists } from './debian.mjs'
import { abandoned, cache, temporaryName } from './places.mjs'

const metapackage = process.arch === 'arm64' ? 'linux-image-cloud-arm64' : 'linux-image-cloud-amd64'
const neededBytes = 400 * 1024 * 1024

/** `guest-kernel/<release>/{boot/vmlinuz-<release>, lib/modules/<release>}` and `current` → `<release>`. */
export const kernels = join(cache, 'guest-kernel')

export const guestKernel = {
  name: 'guest kernel',

  missing() {
    const named = process.env.SPECTRUM_KERNEL
    if (named) return checkNamed(named, process.env.SPECTRUM_KERNEL_MODULES)
    const release = currentRelease()
    if (release !== undefined && isWhole(join(kernels, release), release)) return []
    return [
      { what: metapackage, why: `the kernel that units boot, unpacked into ${kernels} (not installed)` },
    ]
  },

  async install(_missing, { signal, say }) {
    mkdirSync(kernels, { recursive: true })
    for (const name of abandoned(kernels)) rmSync(join(kernels, name), { recursive: true, force: true })
    checkSpace()
    const building = join(kernels, temporaryName())
    mkdirSync(building)
    try {
      const release = await unpack(building, { signal, say })
      const place = join(kernels, release)
      // A directory cannot be renamed over a full one; an incomplete one is worth nothing.
      if (existsSync(place)) renameSync(place, join(building, 'replaced'))
      renameSync(join(building, 'kernel'), place)
      pointCurrentAt(release)
      say(`  ${release}`)
    } catch (error) {
      if (error.code === 'ENOSPC')
        throw new Problem('The disk is full', `free some space under ${cache}, then run this again`)
      throw error
    } finally {
      rmSync(building, { recursive: true, force: true })
    }
  },
}

function checkNamed(kernel, modules) {
  const remedy =
    'name both SPECTRUM_KERNEL=/path/to/vmlinuz and SPECTRUM_KERNEL_MODULES=/path/to/lib/modules/RELEASE, or neither'
  if (!existsSync(kernel)) throw new Problem(`SPECTRUM_KERNEL names ${kernel}, which does not exist`, remedy)
  if (!modules) throw new Problem('SPECTRUM_KERNEL is set, but SPECTRUM_KERNEL_MODULES is not', remedy)
  if (!existsSync(join(modules, 'modules.dep')))
    throw new Problem(
      `SPECTRUM_KERNEL_MODULES names ${modules}, which has no modules.dep`,
      `${remedy}; depmod makes modules.dep`,
    )
  return []
}

function currentRelease() {
  try {
    return readlinkSync(join(kernels, 'current'))
  } catch {
    return undefined
  }
}

const isWhole = (place, release) =>
  existsSync(join(place, 'boot', `vmlinuz-${release}`)) &&
  existsSync(join(place, 'lib', 'modules', release, 'modules.dep'))

function checkSpace() {
  const { bavail, bsize } = statfsSync(kernels)
  if (bavail * bsize < neededBytes)
    throw new Problem(
      `${kernels} has ${Math.floor((bavail * bsize) / 1048576)} MiB free; unpacking a kernel needs ${neededBytes / 1048576} MiB`,
      'free some space, or point XDG_CACHE_HOME at a larger disk',
    )
}

/** What unpacks a kernel, and the packages that bring it; a set-up of a checkout has installed them before. */
const unpackers = { depmod: 'kmod', xz: 'xz-utils' }

async function unpack(building, { signal, say }) {
  if (!findProgram('apt-get') || !findProgram('dpkg-deb'))
    throw new Problem(
      'The guest kernel comes from Debian, and this system has no apt',
      'name a kernel of your own with SPECTRUM_KERNEL and SPECTRUM_KERNEL_MODULES',
    )
  const absent = Object.keys(unpackers).filter((program) => !findProgram(program))
  if (absent.length > 0)
    throw new Problem(
      `Unpacking a kernel needs ${absent.join(' and ')}`,
      `apt-get install --no-install-recommends ${absent.map((program) => unpackers[program]).join(' ')}, then run this again`,
    )
  let name = await kernelPackage(signal)
  if (name === undefined) {
    await updateLists(say, signal, `${metapackage} not in apt's lists yet`)
    name = await kernelPackage(signal)
  }
  if (name === undefined)
    throw new Problem(
      `apt knows no ${metapackage}`,
      "check that apt's sources have Debian's main section, or name a kernel with SPECTRUM_KERNEL and SPECTRUM_KERNEL_MODULES",
    )

  const debs = join(building, 'debs')
  mkdirSync(debs)
  // As root, apt would warn that its sandbox user cannot write here.
  const sandbox = process.getuid() === 0 ? ['-o', 'APT::Sandbox::User=root'] : []
  const download = () =>
    run('apt-get', ['download', ...sandbox, name], { cwd: debs, signal, env: { LC_ALL: 'C' } })
  let outcome = await download()
  if (outcome.code !== 0) {
    await updateLists(say, signal, 'apt has lists that the mirror has moved on from')
    outcome = await download()
  }
  const deb = readdirSync(debs).find((file) => file.endsWith('.deb'))
  if (outcome.code !== 0 || deb === undefined)
    throw new Problem(
      `apt-get could not download ${name}`,
      remedyFor(outcome.both, 'check the network and apt, then run this again'),
      lastLines(outcome.both),
    )

  const release = name.replace(/^linux-image-/, '')
  await unpackKernel(join(debs, deb), { release, image: `vmlinuz-${release}`, building, signal })
  return release
}

/**
 * Unpacks Debian's package of a kernel into `building`/kernel: boot/`image` and lib/modules/`release`, indexed.
 * An index of modules is the same wherever it is made, so the kernel may be that of any architecture.
 */
export async function unpackKernel(deb, { release, image, building, signal }) {
  const unpacked = join(building, 'unpacked')
  await must('dpkg-deb', ['-x', deb, unpacked], signal)
  const kernel = join(building, 'kernel')
  mkdirSync(join(kernel, 'boot'), { recursive: true })
  mkdirSync(join(kernel, 'lib'))
  renameSync(join(unpacked, 'boot', image), join(kernel, 'boot', image))
  const modules = ['lib/modules', 'usr/lib/modules'].map((path) => join(unpacked, path)).find(existsSync)
  if (modules === undefined)
    throw new Problem(
      `${basename(deb)} holds no kernel modules`,
      'name a kernel with SPECTRUM_KERNEL and SPECTRUM_KERNEL_MODULES',
    )
  renameSync(modules, join(kernel, 'lib', 'modules'))
  await decompress(join(kernel, 'lib', 'modules'), signal)
  await must(findProgram('depmod') ?? 'depmod', ['-b', kernel, release], signal)
}

/** Where the modules are that a unit may need. */
const unitModules = /\/kernel\/(arch|crypto|fs|lib|drivers\/(block|char|dax|nvdimm|virtio))\/.*\.ko\.xz$/

/** Newer kernels of Debian bring their modules compressed, which an agent could not load. */
async function decompress(modules, signal) {
  const names = readdirSync(modules, { recursive: true }).filter((name) => unitModules.test(name))
  // One command line holds so many names with ease.
  for (let from = 0; from < names.length; from += 500) {
    const some = names.slice(from, from + 500).map((name) => join(modules, name))
    await must('xz', ['--decompress', '--', ...some], signal)
  }
}

/** The package with the kernel itself: what the metapackage depends on. */
async function kernelPackage(signal) {
  const { stdout } = await run('apt-cache', ['depends', '--important', metapackage], {
    signal,
    env: { LC_ALL: 'C' },
  })
  return /Depends: (linux-image-[0-9][\w.+-]*)/.exec(stdout)?.[1]
}

async function must(program, argv, signal) {
  const outcome = await run(program, argv, { signal })
  if (outcome.code !== 0)
    throw new Problem(
      `${program} failed while unpacking the guest kernel`,
      remedyFor(outcome.both, 'run this again; if it fails again, the download may be damaged'),
      lastLines(outcome.both),
    )
}

function pointCurrentAt(release) {
  const directory = mkdtempSync(join(kernels, '.link-'))
  try {
    symlinkSync(release, join(directory, 'current'))
    const current = join(kernels, 'current')
    if (lstatSync(current, { throwIfNoEntry: false })?.isDirectory())
      throw new Problem(`${current} is a directory`, 'remove it, then run this again')
    renameSync(join(directory, 'current'), current)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
