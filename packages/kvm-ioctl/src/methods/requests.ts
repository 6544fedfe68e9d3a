import type { Architecture } from '../architecture.js'
import type { kvmMethods, kvmMethodsX86 } from './kvm.js'
import type { MethodsOf } from './spec.js'
import type {
  vcpuMethods,
  vcpuMethodsAarch64,
  vcpuMethodsPowerpc64le,
  vcpuMethodsRiscv64,
  vcpuMethodsX86,
} from './vcpu.js'
import type {
  vmMethods,
  vmMethodsAarch64,
  vmMethodsPowerpc64le,
  vmMethodsRiscv64,
  vmMethodsX86,
} from './vm.js'

/**
 * The requests of `/dev/kvm` that take or give one value, and that every architecture has. Source:
 * Documentation/virt/kvm/api.rst, under the name that stands with each.
 */
export interface KvmRequests<A extends Architecture> extends MethodsOf<typeof kvmMethods, A> {}

/** The requests of `/dev/kvm` that x86-64 has beside {@link KvmRequests}. */
export interface X86KvmRequests<A extends Architecture> extends MethodsOf<typeof kvmMethodsX86, A> {}

/** The requests of `/dev/kvm` that one architecture has alone: only x86-64 has any. */
export type KvmRequestsOf<A extends Architecture> = {
  x86_64: X86KvmRequests<A>
  aarch64: object
  powerpc64le: object
  riscv64: object
}[A]

/**
 * The requests of a machine that take or give one value, and that every architecture has. Source:
 * Documentation/virt/kvm/api.rst, under the name that stands with each.
 */
export interface VmRequests<A extends Architecture> extends MethodsOf<typeof vmMethods, A> {}

/** The requests of a machine that x86-64 has beside {@link VmRequests}. */
export interface X86VmRequests<A extends Architecture> extends MethodsOf<typeof vmMethodsX86, A> {}

/** The requests of a machine that aarch64 has beside {@link VmRequests}. */
export interface ArmVmRequests<A extends Architecture> extends MethodsOf<typeof vmMethodsAarch64, A> {}

/** The requests of a machine that POWER has beside {@link VmRequests}. */
export interface PowerVmRequests<A extends Architecture> extends MethodsOf<typeof vmMethodsPowerpc64le, A> {}

/** The requests of a machine that riscv64 has beside {@link VmRequests}. */
export interface RiscvVmRequests<A extends Architecture> extends MethodsOf<typeof vmMethodsRiscv64, A> {}

/** The requests of a machine that one architecture has beside {@link VmRequests}. */
export type VmRequestsOf<A extends Architecture> = {
  x86_64: X86VmRequests<A>
  aarch64: ArmVmRequests<A>
  powerpc64le: PowerVmRequests<A>
  riscv64: RiscvVmRequests<A>
}[A]

/**
 * The requests of a vCPU that take or give one value, and that every architecture has. Source:
 * Documentation/virt/kvm/api.rst, under the name that stands with each.
 */
export interface VcpuRequests<A extends Architecture> extends MethodsOf<typeof vcpuMethods, A> {}

/** The requests of a vCPU that x86-64 has beside {@link VcpuRequests}. */
export interface X86VcpuRequests<A extends Architecture> extends MethodsOf<typeof vcpuMethodsX86, A> {}

/** The requests of a vCPU that aarch64 has beside {@link VcpuRequests}. */
export interface ArmVcpuRequests<A extends Architecture> extends MethodsOf<typeof vcpuMethodsAarch64, A> {}

/** The requests of a vCPU that POWER has beside {@link VcpuRequests}. */
export interface PowerVcpuRequests<A extends Architecture>
  extends MethodsOf<typeof vcpuMethodsPowerpc64le, A> {}

/** The requests of a vCPU that riscv64 has beside {@link VcpuRequests}. */
export interface RiscvVcpuRequests<A extends Architecture> extends MethodsOf<typeof vcpuMethodsRiscv64, A> {}

/** The requests of a vCPU that one architecture has beside {@link VcpuRequests}. */
export type VcpuRequestsOf<A extends Architecture> = {
  x86_64: X86VcpuRequests<A>
  aarch64: ArmVcpuRequests<A>
  powerpc64le: PowerVcpuRequests<A>
  riscv64: RiscvVcpuRequests<A>
}[A]
