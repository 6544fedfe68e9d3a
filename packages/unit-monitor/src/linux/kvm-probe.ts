import type { KvmProbe as Found } from '@spectrum/kvm-ioctl'
import type { KvmProbe } from '../powers.js'

type Verdict = Awaited<ReturnType<KvmProbe['probe']>>['verdict']

const verdicts: Readonly<Record<Found['kind'], Verdict>> = {
  'runs-code': 'usable',
  absent: 'unusable',
  'no-permission': 'unusable',
  unusable: 'unusable',
  'unsupported-architecture': 'unknown',
}

/**
 * Asks `@spectrum/kvm-ioctl`: does `/dev/kvm` open, is it version 12, does a guest of a few bytes run. That
 * a tiny guest runs does not say that a kernel boots; it spares the boot where not even that works.
 */
export const linuxKvmProbe: KvmProbe = {
  async probe(signal) {
    try {
      // Loaded when it is asked for: it needs a native addon, and machines that never ask need none.
      const { probeKvm } = await import('@spectrum/kvm-ioctl/linux')
      return await probeKvm({ signal }).match<Awaited<ReturnType<KvmProbe['probe']>>>(
        (found) => ({ verdict: verdicts[found.kind], reason: found.message }),
        (failed) => ({ verdict: 'unknown', reason: failed.message }),
      )
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      return { verdict: 'unknown', reason: `the KVM probe could not be loaded: ${why}` }
    }
  },
}
