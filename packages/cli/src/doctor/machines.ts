import type { BootReport, Finding, KvmReport } from '../doctor.js'

/** KVM that exists is not KVM that works: the finding says what ran. */
export function checkKvm(report: KvmReport, boot: BootReport): Finding {
  const subject = 'KVM'
  switch (report.kind) {
    case 'runs-code':
      if (boot.kind === 'boots' && boot.accelerator !== 'kvm') {
        const found = `${report.message}, but the guest kernel does not boot on it: see below`
        return { subject, verdict: 'limited', found, remedy: remedies.unusable }
      }
      return { subject, verdict: 'ok', found: report.message }
    case 'not-probed':
      return { subject, verdict: 'unknown', found: report.message, remedy: 'the trial below decides' }
    default:
      return {
        subject,
        verdict: 'limited',
        found: `${report.message}; units run with software emulation`,
        remedy: remedies[report.kind],
      }
  }
}

const remedies: Readonly<Record<Exclude<KvmReport['kind'], 'runs-code' | 'not-probed'>, string>> = {
  absent: 'enable virtualisation in the firmware, or nesting on the outer host, and load the kvm module',
  'no-permission': 'join the group that owns /dev/kvm, usually kvm, and log in again',
  unusable: 'use a host whose KVM is hardware virtualisation, or nested on one that passes it on whole',
  'unsupported-architecture': 'use an x86-64 host',
}

/** The question that matters: does a machine with the guest kernel really come up? */
export function checkBoot(report: BootReport): Finding {
  const subject = 'boots the guest kernel'
  if (report.kind === 'fails') {
    return {
      subject,
      verdict: 'missing',
      found: report.message,
      remedy: 'see to what is marked above first, then run this again',
    }
  }
  const found = report.why
  if (report.accelerator === 'kvm') return { subject, verdict: 'ok', found }
  return {
    subject,
    verdict: 'limited',
    found,
    remedy: 'units run, slowly; KVM that works would make them fast',
  }
}
