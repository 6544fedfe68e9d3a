import { Buffer } from 'node:buffer'
import { type CpioEntry, writeCpio } from './cpio.js'
import type { KernelModule } from './modules.js'

/** What goes into the initramfs of a unit. */
export interface InitramfsParts {
  /** The static agent binary; becomes `/init`. */
  readonly agent: Uint8Array
  /** In the order in which the agent is to load them. */
  readonly modules: readonly KernelModule[]
}

/**
 * A unit's whole root: the agent, the modules it loads, and empty directories to mount on. The same parts give
 * the same bytes. Uncompressed, because a unit must start fast and the archive is small.
 *
 * Format: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst ("newc").
 * Throws for module names that cannot be file names, which are programmers' mistakes.
 */
export function buildInitramfs(parts: InitramfsParts): Uint8Array {
  const files = parts.modules.map((module, index) => {
    if (!/^[A-Za-z0-9_]{1,64}$/.test(module.name)) throw new TypeError(`not a module name: ${module.name}`)
    return { path: `modules/${String(index).padStart(2, '0')}-${module.name}.ko`, bytes: module.bytes }
  })
  const entries: CpioEntry[] = [
    ...directories.map((path) => ({ kind: 'directory' as const, path, mode: 0o755 })),
    { kind: 'file', path: 'init', mode: 0o555, bytes: parts.agent },
    { kind: 'file', path: 'modules/load', mode: 0o444, bytes: loadList(files.map((file) => file.path)) },
    ...files.map((file) => ({ kind: 'file' as const, path: file.path, mode: 0o444, bytes: file.bytes })),
  ]
  return writeCpio(entries)
}

const directories = ['dev', 'home', 'modules', 'nix', 'nix/store', 'proc', 'run', 'sys', 'tmp']

const loadList = (paths: readonly string[]): Uint8Array =>
  Buffer.from(paths.map((path) => `/${path}\n`).join(''))
