import { err, type Result } from 'neverthrow'
import type { Access, Kernel } from '../descriptor.js'
import { invalidArgument, type KvmError } from '../errors.js'
import { bytesOf, overBytes } from '../structures/accessors.js'

/** What a page of XSAVE state has without dynamic features, and room for all that processors have today. */
const PLAIN_XSAVE_BYTES = 4096
const MOST_XSAVE_BYTES = 16_384
/** Two pages of 4 KiB: a VMCS and its shadow, or a VMCB. */
const MOST_NESTED_BYTES = 8192

const NESTED_MEANINGS = {
  EINVAL: 'this vCPU cannot be in that state, or its CPUID has no virtualisation',
  E2BIG: 'the state is larger than it can be',
}

/** KVM_GET_XSAVE2, or KVM_GET_XSAVE; `xsaveBytes`: KVM_CAP_XSAVE2. */
export function getXsave(vcpu: Access, xsaveBytes: number): Result<Uint8Array, KvmError> {
  const bytes = new Uint8Array(Math.max(xsaveBytes, MOST_XSAVE_BYTES))
  const request = xsaveBytes > 0 ? 'KVM_GET_XSAVE2' : 'KVM_GET_XSAVE'
  return vcpu.bytes(request, bytes).map(() => bytes.slice(0, Math.max(xsaveBytes, PLAIN_XSAVE_BYTES)))
}

/** KVM_SET_XSAVE. */
export function setXsave(vcpu: Access, xsaveBytes: number, state: Uint8Array): Result<void, KvmError> {
  const most = Math.max(xsaveBytes, PLAIN_XSAVE_BYTES)
  if (!(state instanceof Uint8Array) || state.length > most) {
    return err(invalidArgument('state', `give a Uint8Array of at most ${most} bytes`))
  }
  // The kernel reads as much as the vCPU's features have, whatever was given.
  const bytes = new Uint8Array(Math.max(most, MOST_XSAVE_BYTES))
  bytes.set(state)
  return vcpu.bytes('KVM_SET_XSAVE', bytes).map(() => undefined)
}

/** KVM_GET_NESTED_STATE. */
export function getNestedState(vcpu: Access): Result<Uint8Array, KvmError> {
  const layout = vcpu.kernel.tables.structures['kvm_nested_state']
  if (layout === undefined) return err(notHere(vcpu.kernel, 'KVM_GET_NESTED_STATE'))
  return vcpu.kernel
    .make('state', 'kvm_nested_state', { size: layout.size + MOST_NESTED_BYTES })
    .andThen((value) => {
      const bytes = new Uint8Array(layout.size + MOST_NESTED_BYTES)
      bytes.set(bytesOf(value))
      return vcpu.bytes('KVM_GET_NESTED_STATE', bytes, NESTED_MEANINGS).map(() => {
        const { size } = overBytes(layout, bytes) as unknown as { size: number }
        return bytes.slice(0, Math.max(layout.size, size))
      })
    })
}

/** KVM_SET_NESTED_STATE. */
export function setNestedState(vcpu: Access, state: Uint8Array): Result<void, KvmError> {
  const layout = vcpu.kernel.tables.structures['kvm_nested_state']
  if (layout === undefined) return err(notHere(vcpu.kernel, 'KVM_SET_NESTED_STATE'))
  const most = layout.size + MOST_NESTED_BYTES
  if (!(state instanceof Uint8Array) || state.length < layout.size || state.length > most) {
    return err(invalidArgument('state', `give a Uint8Array of ${layout.size} to ${most} bytes`))
  }
  const bytes = new Uint8Array(most)
  bytes.set(state)
  // How much the kernel reads is what stands there, so it is what is really there.
  ;(overBytes(layout, bytes) as unknown as { size: number }).size = state.length
  return vcpu.bytes('KVM_SET_NESTED_STATE', bytes, NESTED_MEANINGS).map(() => undefined)
}

function notHere(kernel: Kernel, request: string): KvmError {
  return invalidArgument('request', `${kernel.architecture} has no ${request}`)
}
