import { type DoctorPowers, examine, type Finding, spectrum } from '@spectrum/cli'
import { describe, expect, it } from 'vitest'
import { HeldClock, type KeptSink, powersWith, soundMachine } from './fakes.js'

const never = new AbortController().signal
const look = (over: Partial<DoctorPowers> = {}) => examine(soundMachine(over), new HeldClock(), never)

async function finding(subject: string, over: Partial<DoctorPowers>): Promise<Finding> {
  const { findings } = await look(over)
  const found = findings.find((each) => each.subject === subject)
  if (found === undefined) throw new Error(`nothing about ${subject}`)
  return found
}

async function reads(over: Readonly<Record<string, string | undefined>>): Promise<Partial<DoctorPowers>> {
  const sound = soundMachine()
  return { read: async (path) => (path in over ? over[path] : sound.read(path)) }
}

describe('spectrum doctor', () => {
  it('finds that units can run, slowly, where only emulation works', async () => {
    const { ok, findings } = await look()
    expect(ok).toBe(true)
    expect(findings.map((each) => [each.subject, each.verdict])).toEqual([
      ['Node', 'ok'],
      ['QEMU', 'ok'],
      ['Nix store', 'ok'],
      ['erofs-utils', 'ok'],
      ['guest kernel', 'ok'],
      ['free disk', 'ok'],
      ['memory', 'ok'],
      ['cgroup', 'ok'],
      ['KVM', 'limited'],
      ['boots the guest kernel', 'limited'],
      ['aarch64 units', 'ok'],
      ['POWER9 units', 'ok'],
    ])
  })

  it('gives a remedy for everything that is not well', async () => {
    const { ok, findings } = await look({
      nodeVersion: '18.1.0',
      read: async () => undefined,
      exists: async () => false,
      firstLine: async () => undefined,
      foreignParts: async () => ({
        kernel: { kind: 'lacking', message: 'fetch one' },
        agent: { kind: 'lacking', message: 'compile it' },
      }),
      groupsRoot: async () => ({ kind: 'absent', why: 'start it in a group of its own' }),
      freeBytes: async () => 0,
      kvm: async () => ({ kind: 'unusable', step: 'KVM_RUN', message: 'it hung' }),
      boot: async () => ({ kind: 'fails', message: 'no monitor works here' }),
    })
    expect(ok).toBe(false)
    for (const each of findings) {
      expect(each.verdict, each.subject).not.toBe('ok')
      expect(each.remedy, each.subject).toBeTruthy()
    }
  })

  it.each([
    ['20.18.9', 'missing'],
    ['20.19.0', 'ok'],
    ['21.7.3', 'missing'],
    ['22.11.0', 'missing'],
    ['22.12.0', 'ok'],
    ['23.1.0', 'missing'],
    ['24.0.0', 'ok'],
  ])('judges Node %s to be %s', async (nodeVersion, verdict) => {
    expect((await finding('Node', { nodeVersion })).verdict).toBe(verdict)
  })

  it('does not believe in a KVM on which nothing runs', async () => {
    const kvm = async () =>
      ({ kind: 'unusable', step: 'KVM_RUN', message: 'KVM_RUN did not come back' }) as const
    expect(await finding('KVM', { kvm })).toMatchObject({
      verdict: 'limited',
      found: expect.stringContaining('KVM_RUN did not come back; units run with software emulation'),
    })
  })

  it('does not praise a KVM that runs code but not the guest kernel', async () => {
    const kvm = async () =>
      ({ kind: 'runs-code', message: 'KVM runs code', apiVersion: 12, capabilities: {} }) as const
    expect((await finding('KVM', { kvm })).verdict).toBe('limited')
    const boot = async () => ({ kind: 'boots', monitor: 'qemu', accelerator: 'kvm', why: 'fast' }) as const
    expect((await finding('KVM', { kvm, boot })).verdict).toBe('ok')
  })

  it('names the features that a guest kernel lacks, built in or not', async () => {
    const lacking = await reads({
      '/k/modules/6.1/modules.builtin': '',
      '/k/modules/6.1/modules.dep': 'a/nd_pmem.ko:',
    })
    expect(await finding('guest kernel', lacking)).toMatchObject({
      verdict: 'missing',
      found: '6.1 lacks virtio_pci, virtio_console, virtio_pmem, erofs',
    })
  })

  it('tells a kernel that is absent from one whose modules were never indexed', async () => {
    expect((await finding('guest kernel', { exists: async () => false })).found).toContain(
      'none at /k/vmlinuz',
    )
    const unindexed = await reads({ '/k/modules/6.1/modules.dep': undefined })
    expect((await finding('guest kernel', unindexed)).remedy).toContain('depmod')
  })

  it('says what to do where the limits of units cannot be kept, for which it wants every controller', async () => {
    const groupsRoot: DoctorPowers['groupsRoot'] = async (controllers) => ({
      kind: 'absent',
      why: `no ${controllers.join(', ')}`,
    })
    expect(await finding('cgroup', { groupsRoot })).toMatchObject({
      verdict: 'limited',
      remedy: 'no cpu, io, memory, pids',
    })
  })

  it('says which units of other architectures can run, and on what', async () => {
    expect(await finding('POWER9 units', {})).toEqual({
      subject: 'POWER9 units',
      verdict: 'ok',
      found: 'qemu-system-ppc64 7.2.17 (software emulation), kernel 6.1-powerpc64le, agent',
    })
    expect((await look()).architectures).toEqual([
      { architecture: 'aarch64', runs: true, lacks: [] },
      { architecture: 'powerpc64le', runs: true, lacks: [] },
    ])
  })

  it('says what to install for an architecture, and that units run here all the same', async () => {
    const sound = soundMachine()
    const { ok, findings, architectures } = await look({
      firstLine: async (program, ...rest) =>
        program === 'qemu-system-aarch64' ? undefined : sound.firstLine(program, ...rest),
      foreignParts: async (architecture, signal) => ({
        ...(await sound.foreignParts(architecture, signal)),
        ...(architecture === 'aarch64' ? { agent: { kind: 'lacking', message: 'Compile it.' } } : {}),
      }),
    })
    expect(ok).toBe(true)
    expect(findings.at(-2)).toEqual({
      subject: 'aarch64 units',
      verdict: 'limited',
      found: 'none can run here: no usable qemu-system-aarch64, no usable agent',
      remedy: 'apt-get install qemu-system-arm; Compile it',
    })
    expect(architectures.map(({ runs }) => runs)).toEqual([false, true])
    expect(architectures[0]!.lacks).toEqual([
      { part: 'qemu', remedy: 'apt-get install qemu-system-arm' },
      { part: 'agent', remedy: 'Compile it.' },
    ])
  })

  it('counts as other what the machine itself is not', async () => {
    const { findings, architectures } = await look({ architecture: 'aarch64' })
    expect(findings.find(({ subject }) => subject === 'QEMU')?.found).toBe('qemu-system-aarch64 7.2.17')
    expect(architectures.map(({ architecture }) => architecture)).toEqual(['x86_64', 'powerpc64le'])
  })

  it('prints one row for each finding, remedies below, and escapes what it found', async () => {
    const { powers } = powersWith({
      doctor: soundMachine({ boot: async () => ({ kind: 'fails', message: 'panic\x1b[2J\nat boot' }) }),
    })
    expect(await spectrum(['doctor'], powers)).toBe(1)
    const { text } = powers.stdout as KeptSink
    expect(text).not.toContain('\x1b')
    expect(text).toMatch(/^Node +ok +20\.19\.0$/m)
    expect(text).toMatch(/^boots the guest kernel +MISSING +panic\\x1b\[2J ⏎ at boot$/m)
    expect(text).toMatch(/^ +→ see to what is marked above/m)
    expect(text.trimEnd().split('\n').at(-1)).toBe('Units cannot run on this machine yet.')
  })

  it('prints one JSON object on request', async () => {
    const { powers } = powersWith()
    expect(await spectrum(['doctor', '--json'], powers)).toBe(0)
    const parsed = JSON.parse((powers.stdout as KeptSink).text)
    expect(parsed).toEqual(await look())
  })
})
