import * as aarch64 from './generated/aarch64.js'
import type { Structure } from './generated/layout.js'
import * as powerpc64le from './generated/powerpc64le.js'
import * as riscv64 from './generated/riscv64.js'
import * as x86_64 from './generated/x86_64.js'

/** What the generated tables say, for each architecture. Names are the kernel's: `uname -m`, with its endianness. */
export interface TablesByArchitecture {
  /** Of 64-bit x86. */
  readonly x86_64: typeof x86_64
  /** Of 64-bit Arm. */
  readonly aarch64: typeof aarch64
  /** Of 64-bit little-endian POWER. */
  readonly powerpc64le: typeof powerpc64le
  /** Of 64-bit RISC-V. */
  readonly riscv64: typeof riscv64
}

/** Architectures with tables, by the names of the kernel's and the compilers' targets. */
export type Architecture = keyof TablesByArchitecture

/** The same, without saying which architecture it is. */
export interface Tables {
  /** Numbers of requests, by the kernel's names: `KVM_RUN` … */
  readonly ioctls: Readonly<Record<string, number>>
  /** The structure that a request takes, by the request's name; `none` where it takes none. */
  readonly ioctlArguments: Readonly<Record<string, string>>
  /** Numbers of `KVM_CAP_…`. */
  readonly capabilities: Readonly<Record<string, number>>
  /** Numbers of `KVM_EXIT_…`. */
  readonly exitReasons: Readonly<Record<string, number>>
  /** The constants of linux/kvm.h, by name. */
  readonly constants: Readonly<Record<string, number | bigint>>
  /** Layouts, by the name behind `struct`. */
  readonly structures: Readonly<Record<string, Structure>>
}

const byArchitecture: TablesByArchitecture = { x86_64, aarch64, powerpc64le, riscv64 }

/** The tables of that architecture, as generated from the kernel's header. */
export function tablesOf(architecture: Architecture): Tables {
  return byArchitecture[architecture] as unknown as Tables
}

/** Whether there are tables for it. */
export function isArchitecture(name: string): name is Architecture {
  return Object.hasOwn(byArchitecture, name)
}

/** The layout of `struct NAME` where it is `A`'s. Where `A` has none it is `never`. */
export type LayoutOf<
  A extends Architecture,
  N extends string,
> = N extends keyof TablesByArchitecture[A]['structures']
  ? TablesByArchitecture[A]['structures'][N] extends Structure
    ? TablesByArchitecture[A]['structures'][N]
    : never
  : never

/** The names of `A`'s requests, as in linux/kvm.h. */
export type RequestName<A extends Architecture> = keyof TablesByArchitecture[A]['ioctls'] & string
/** `KVM_CAP_…` of that architecture's header. */
export type CapabilityName<A extends Architecture> = keyof TablesByArchitecture[A]['capabilities'] & string
