import type { KernelModule } from './modules.js'

/** Architectures for which an agent can be built. */
export type AgentArchitecture = 'x86_64' | 'aarch64' | 'powerpc64le' | 'riscv64'

/** A guest kernel with the modules a unit needs from it, read and checked before anything boots. */
export interface GuestKernel {
  /** Absolute path of the kernel image, for the monitor. */
  readonly image: string
  /** `/…/lib/modules/RELEASE`. */
  readonly modulesDirectory: string
  /** `uname -r` of the kernel: the last part of the modules directory. */
  readonly release: string
  /** Of the image. */
  readonly architecture: AgentArchitecture
  /** What is not built in, in the order in which it must be loaded. Empty for a kernel with all built in. */
  readonly modules: readonly KernelModule[]
}

/** Why a kernel cannot carry a unit, or the initramfs could not be made. */
export type GuestKernelError =
  /** The image or the modules directory is not there or not readable. */
  | {
      readonly kind: 'kernel-missing'
      readonly message: string
      /** Absolute path. */
      readonly path: string
    }
  /** `modules.dep` or `modules.builtin` is absent: `depmod` has not run. */
  | {
      readonly kind: 'module-index-missing'
      readonly message: string
      /** Absolute path. */
      readonly path: string
    }
  /** Neither a module nor built in: `erofs`, `virtio_pmem` … */
  | { readonly kind: 'kernel-lacks'; readonly message: string; readonly feature: string }
  | {
      readonly kind: 'module-compressed'
      readonly message: string
      /** Absolute path. */
      readonly path: string
    }
  /** `modules.dep` or a module file is not what it should be. */
  | {
      readonly kind: 'invalid-modules'
      readonly message: string
      /** Absolute path. */
      readonly path: string
    }
  /** The agent has not been built for this architecture. */
  | {
      readonly kind: 'agent-missing'
      readonly message: string
      /** For which there is none. */
      readonly architecture: string
    }
  | { readonly kind: 'timed-out'; readonly message: string }
  | { readonly kind: 'aborted'; readonly message: string }
  | {
      readonly kind: 'system'
      readonly message: string
      /** The system's name of the error (errno(3)), where it had one. */
      readonly code?: string
      readonly cause?: unknown
    }

const machines: Readonly<Record<number, AgentArchitecture>> = {
  62: 'x86_64',
  183: 'aarch64',
  21: 'powerpc64le',
  243: 'riscv64',
}

/** The architecture of a 64-bit little-endian ELF file, by `e_machine`; `undefined` for anything else. */
export function architectureOfElf(bytes: Uint8Array): AgentArchitecture | undefined {
  const isElf64LittleEndian = [0x7f, 0x45, 0x4c, 0x46, 2, 1].every((byte, at) => bytes[at] === byte)
  if (!isElf64LittleEndian || bytes.length < 20) return undefined
  return machines[(bytes[18] ?? 0) | ((bytes[19] ?? 0) << 8)]
}
