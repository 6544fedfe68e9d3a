import { basename } from 'node:path/posix'
import { err, ok, type Result } from 'neverthrow'
import { printable } from './escape.js'
import type { GuestKernelError } from './kernel.js'

/** One kernel module, ready to be carried by an initramfs. */
export interface KernelModule {
  /** As `lsmod` prints it: `virtio_pmem`. */
  readonly name: string
  /** The uncompressed ELF object. */
  readonly bytes: Uint8Array
}

/** The two indexes that `depmod` and the kernel's build leave in `/lib/modules/RELEASE`, as text. */
export interface ModuleIndexes {
  /** `modules.dep`. */
  readonly dependencies: string
  /** `modules.builtin`. */
  readonly builtin: string
}

/** A feature that a unit needs, and the module that brings it where it is not built in. */
export interface WantedModule {
  /** As `modules.dep` and `modules.builtin` have it, without directory and `.ko`. */
  readonly name: string
  /** Used when it is there, passed over when it is not. */
  readonly optional?: boolean | undefined
}

/** What a unit's kernel must be able to do. */
export interface UnitNeeds {
  /**
   * How the store's devices reach the unit. `pmem` (default): persistent memory, mapped directly. `block`: disks,
   * for kernels without persistent memory or DAX; nothing is then shared between units.
   */
  readonly transport?: 'pmem' | 'block' | undefined
  /** Whether it mounts a live view (virtio-fs) for what is injected. */
  readonly view?: boolean | undefined
  /** Whether it mounts volumes: ext4 on disks of its own. */
  readonly volumes?: boolean | undefined
  /** Whether its programs reach the host's desktop by contexts of a virtio-gpu. Debian's cloud kernels have none. */
  readonly display?: boolean | undefined
}

/**
 * `libcrc32c` (under erofs) finds its algorithm by name at load time, which `modules.dep` does not say; so the
 * algorithm is named here and loads first.
 */
export function unitModules(needs: UnitNeeds = {}): readonly WantedModule[] {
  return [
    { name: 'virtio_pci' },
    { name: 'virtio_console' },
    ...(needs.transport === 'block' ? [] : [{ name: 'nd_pmem' }, { name: 'virtio_pmem' }]),
    ...(needs.transport === 'block' || needs.volumes === true ? [{ name: 'virtio_blk' }] : []),
    { name: 'crc32c_generic', optional: true },
    { name: 'erofs' },
    ...(needs.view === true ? [{ name: 'virtiofs' }] : []),
    ...(needs.volumes === true ? [{ name: 'ext4' }] : []),
    ...(needs.display === true ? [{ name: 'virtio_gpu' }] : []),
  ]
}

/**
 * What of a kernel says that it has no persistent memory for a unit, although disks may do: the `feature` of
 * `kernel-lacks`, whether it was found in the kernel's files or by a unit that ran.
 */
export function lacksPersistentMemory(feature: string): boolean {
  return ['nd_pmem', 'virtio_pmem', 'dax'].includes(feature)
}

const suffix = /\.ko(\.gz|\.xz|\.zst)?$/

const nameOf = (path: string): string => basename(path).replace(suffix, '').replaceAll('-', '_')

/**
 * Which module files to load, in order, so that each finds what it needs. Paths are relative to the modules
 * directory.
 *
 * Fails with `kernel-lacks` when a wanted module is neither there nor built in, `module-compressed` for a
 * module the agent could not hand to the kernel, `invalid-modules` for an index that contradicts itself.
 * Formats: depmod(8), modules.dep(5), kbuild's modules.builtin.
 */
export function resolveModules(
  indexes: ModuleIndexes,
  wanted: readonly WantedModule[] = unitModules(),
): Result<readonly string[], GuestKernelError> {
  const builtin = new Set(lines(indexes.builtin).map(nameOf))
  const parsed = parseDependencies(indexes.dependencies)
  if (parsed.isErr()) return err(parsed.error)
  const { dependencies, pathOf } = parsed.value

  const order: string[] = []
  const state = new Map<string, 'visiting' | 'done'>()
  const visit = (path: string): GuestKernelError | undefined => {
    const seen = state.get(path)
    if (seen === 'done') return undefined
    if (seen === 'visiting') return invalid(path, 'needs itself')
    const needs = dependencies.get(path)
    if (needs === undefined) return invalid(path, 'is named as a dependency but has no line of its own')
    if (!path.endsWith('.ko')) {
      return {
        kind: 'module-compressed',
        path,
        message: `the kernel module ${printable(path)} is compressed, which the agent cannot load: unpack the modules (for example with unxz or unzstd), run depmod, and try again`,
      }
    }
    state.set(path, 'visiting')
    // depmod lists the nearest dependency first; the farthest has to be loaded first.
    for (const need of needs.toReversed()) {
      const failure = visit(need)
      if (failure !== undefined) return failure
    }
    state.set(path, 'done')
    order.push(path)
    return undefined
  }

  for (const { name, optional } of wanted) {
    if (builtin.has(name)) continue
    const path = pathOf.get(name)
    if (path === undefined) {
      if (optional === true) continue
      return err({
        kind: 'kernel-lacks',
        feature: name,
        message: `the guest kernel has no ${name}, neither as a module nor built in: use a kernel that has it (Debian's ${debianKernel(name)} does; in a kernel configuration it is ${configOption(name)})`,
      })
    }
    const failure = visit(path)
    if (failure !== undefined) return err(failure)
  }
  return ok(order)
}

const invalid = (path: string, why: string): GuestKernelError => ({
  kind: 'invalid-modules',
  path,
  message: `modules.dep is not usable: ${printable(path)} ${why}. Run depmod for this kernel again`,
})

const lines = (text: string): string[] => text.split('\n').filter((line) => line.trim() !== '')

function parseDependencies(
  text: string,
): Result<{ dependencies: Map<string, string[]>; pathOf: Map<string, string> }, GuestKernelError> {
  const dependencies = new Map<string, string[]>()
  const pathOf = new Map<string, string>()
  for (const line of lines(text)) {
    const colon = line.indexOf(':')
    const path = colon < 0 ? line : line.slice(0, colon)
    const needs = line
      .slice(colon + 1)
      .split(' ')
      .filter((need) => need !== '')
    if (colon < 0 || ![path, ...needs].every(isRelativeModule)) {
      return err(invalid(path.slice(0, 200), 'is not a line of the form PATH.ko: PATH.ko …'))
    }
    dependencies.set(path, needs)
    pathOf.set(nameOf(path), path)
  }
  return ok({ dependencies, pathOf })
}

// Read below the modules directory later, so nothing may lead out of it.
const isRelativeModule = (path: string): boolean =>
  suffix.test(path) && !path.startsWith('/') && !path.split('/').includes('..')

/** What is made for clouds knows no screens. */
const debianKernel = (name: string): string =>
  name === 'virtio_gpu' ? 'linux-image-amd64' : 'linux-image-cloud-amd64'

const configOption = (name: string): string =>
  ({
    virtio_pci: 'CONFIG_VIRTIO_PCI',
    virtio_console: 'CONFIG_VIRTIO_CONSOLE',
    nd_pmem: 'CONFIG_BLK_DEV_PMEM with CONFIG_FS_DAX',
    virtio_pmem: 'CONFIG_VIRTIO_PMEM',
    virtio_blk: 'CONFIG_VIRTIO_BLK',
    erofs: 'CONFIG_EROFS_FS',
    virtiofs: 'CONFIG_VIRTIO_FS with CONFIG_FUSE_FS',
    ext4: 'CONFIG_EXT4_FS',
    virtio_gpu: 'CONFIG_DRM_VIRTIO_GPU',
  })[name] ?? `the option that builds ${name}.ko`
