import { readdir, stat } from 'node:fs/promises'
import { err, ok, type Result } from 'neverthrow'
import type { HostError } from '../errors.js'
import type { Environment } from './places.js'

/** A kernel for the guests, and `lib/modules/RELEASE` with what it does not have built in. Absolute paths. */
export interface GuestKernelFiles {
  /** Absolute path of the kernel's image. */
  readonly image: string
  /** Absolute path of `lib/modules/RELEASE`. */
  readonly modulesDirectory: string
}

/**
 * The kernel that units boot: the one named, or `SPECTRUM_KERNEL` with `SPECTRUM_KERNEL_MODULES`, or what the
 * set-up keeps in the cache. Whether it can carry a unit is found out by reading it, later.
 *
 * `foreign`: an architecture that is not this machine's own. The set-up keeps a kernel for each beside its own, and the
 * environment names none for it.
 */
export async function findGuestKernel(
  env: Environment,
  cache: string,
  named?: GuestKernelFiles,
  foreign?: string,
): Promise<Result<GuestKernelFiles, HostError>> {
  if (named !== undefined) return present(named, 'the option kernel')
  if (foreign !== undefined) return kept(`${cache}/guest-kernel/${foreign}`, SET_UP, NAME_ONE)
  const image = env['SPECTRUM_KERNEL']
  const modulesDirectory = env['SPECTRUM_KERNEL_MODULES']
  if (image && modulesDirectory) return present({ image, modulesDirectory }, 'SPECTRUM_KERNEL')
  if (image || modulesDirectory) {
    const [set, unset] = image
      ? ['SPECTRUM_KERNEL', 'SPECTRUM_KERNEL_MODULES']
      : ['SPECTRUM_KERNEL_MODULES', 'SPECTRUM_KERNEL']
    return missing(`${set} is set but ${unset} is not; set both, or neither.`)
  }
  return kept(`${cache}/guest-kernel/current`, FETCH_ONE, `${NAME_ONE}, ${NAME_IT_OUTSIDE}`)
}

const FETCH_ONE = 'Fetch one with `spectrum fetch-kernel` (of @spectrum/cli)'
const SET_UP = 'In a clone of the repository run `npm run setup`'
const NAME_ONE = 'name one: openHost({ kernel: { image, modulesDirectory } })'
const NAME_IT_OUTSIDE =
  'or SPECTRUM_KERNEL=/path/vmlinuz with SPECTRUM_KERNEL_MODULES=/path/lib/modules/RELEASE'

async function kept(
  directory: string,
  remedy: string,
  otherwise: string,
): Promise<Result<GuestKernelFiles, HostError>> {
  const releases = await readdir(`${directory}/lib/modules`).catch(() => [])
  for (const release of releases.sort().reverse()) {
    const modulesDirectory = `${directory}/lib/modules/${release}`
    // POWER's kernels are not compressed, and named so.
    for (const name of ['vmlinuz', 'vmlinux']) {
      const image = `${directory}/boot/${name}-${release}`
      if (await exists(image)) return ok({ image, modulesDirectory })
    }
  }
  const message = `There is no guest kernel in ${directory}.`
  return missing(`${message} ${remedy}; or ${otherwise}.`)
}

async function present(files: GuestKernelFiles, where: string): Promise<Result<GuestKernelFiles, HostError>> {
  for (const path of [files.image, files.modulesDirectory]) {
    if (!path.startsWith('/')) return missing(`${where} names ${path}, which is not an absolute path.`)
    if (!(await exists(path)))
      return missing(`${where} names ${path}, which does not exist; correct the path.`)
  }
  return ok(files)
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

function missing(message: string): Result<never, HostError> {
  return err({ kind: 'kernel-missing', message })
}
