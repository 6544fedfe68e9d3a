import type { KvmProbe } from '../powers.js'

/**
 * Asks `@spectrum/kvm-ioctl`: does `/dev/kvm` open, is it version 12, does a guest of a few bytes run. That
 * a tiny guest runs does not say that a kernel boots; it spares the boot where not even that works.
 */
export const linuxKvmProbe: KvmProbe = {
  async probe(signal) {
    try {
      // Loaded when it is asked for: it needs a native addon, and machines that never ask need none.
      const { probeKvm } = await import('@spectrum/kvm-ioctl/linux')
      return await probeKvm({ signal }).match(
        (found) => ({ usable: found.kind === 'runs-code', reason: found.message }),
        (failed) => ({ usable: false, reason: failed.message }),
      )
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      return { usable: false, reason: `the KVM probe could not be loaded: ${why}` }
    }
  },
}
