import { type GuestArchitecture, isQemuArchitecture, type QemuArchitecture } from '@spectrum/unit-monitor'
import type { HostError } from '../errors.js'
import type { GuestKernelFiles } from './find-guest-kernel.js'

/** By Node's names of architectures. */
const OWN: Readonly<Record<string, QemuArchitecture>> = {
  x64: 'x86_64',
  arm64: 'aarch64',
  ppc64: 'powerpc64le',
}

/** What units are on this machine unless somebody says otherwise. */
export function ownArchitecture(node: string): QemuArchitecture {
  return OWN[node] ?? 'x86_64'
}

/** Of what came from outside the type checker. */
export function faultOfArchitecture(architecture: GuestArchitecture): HostError | undefined {
  if (isQemuArchitecture(architecture)) return undefined
  const message = `The option architecture is "x86_64", "aarch64" or "powerpc64le", not ${JSON.stringify(architecture)}.`
  return { kind: 'invalid-request', message, field: 'architecture' }
}

export function noKvmFor(foreign: string, own: string): HostError {
  const message = `KVM runs guests of this machine's own architecture (${own}); units for ${foreign} need the accelerator "emulation".`
  return { kind: 'invalid-request', message, field: 'accelerator' }
}

export function kernelOfAnother(files: GuestKernelFiles, found: string, wanted: string): HostError {
  const message = `The guest kernel ${files.image} is for ${found}, and the units are for ${wanted}: name a kernel for ${wanted}, or open the host for ${found}.`
  return { kind: 'invalid-request', message, field: 'kernel' }
}
