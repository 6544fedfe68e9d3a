import { getSystemErrorName } from 'node:util'

/**
 * What this machine's KVM turned out to be. `message` is a sentence for people.
 *
 * `runs-code` says that a few instructions in real mode ran and came back, not that a whole operating system
 * will: some nested KVM runs this guest and still cannot boot a stock kernel.
 */
export type KvmProbe =
  /** There is no /dev/kvm, or nothing behind it. */
  | { readonly kind: 'absent'; readonly message: string }
  | { readonly kind: 'no-permission'; readonly message: string }
  /** There is one, and a step failed. `errno` is the kernel's name, such as EINVAL, when there was one. */
  | {
      readonly kind: 'unusable'
      readonly message: string
      /** The step of the probe that failed: `open` … */
      readonly step: string
      /** The kernel's name of the error. */
      readonly errno?: string
    }
  | { readonly kind: 'unsupported-architecture'; readonly message: string; readonly architecture: string }
  | {
      readonly kind: 'runs-code'
      readonly message: string
      /** KVM_GET_API_VERSION: 12 since Linux 2.6.22. */
      readonly apiVersion: number
      /** What KVM_CHECK_EXTENSION answered, by name; those that answered 0 are left out. */
      readonly capabilities: Readonly<Record<string, number>>
    }

export function errnoName(result: number): string {
  return getSystemErrorName(result)
}

export function unusable(step: string, result: number): KvmProbe {
  const errno = errnoName(result)
  return { kind: 'unusable', step, errno, message: `/dev/kvm opens but ${step} fails with ${errno}` }
}

export function misbehaves(step: string, what: string): KvmProbe {
  return { kind: 'unusable', step, message: `/dev/kvm opens but ${step} ${what}` }
}

/** What a failure to open /dev/kvm means, and what to do about it. */
export function notOpened(result: number): KvmProbe {
  const errno = errnoName(result)
  if (errno === 'ENOENT' || errno === 'ENODEV' || errno === 'ENXIO') {
    const message = `no /dev/kvm (${errno}): enable virtualisation in the firmware and load the kvm module`
    return { kind: 'absent', message }
  }
  if (errno === 'EACCES' || errno === 'EPERM') {
    const message = `/dev/kvm may not be opened (${errno}): join the group that owns it, usually kvm`
    return { kind: 'no-permission', message }
  }
  return { kind: 'unusable', step: 'open', errno, message: `/dev/kvm does not open: ${errno}` }
}
