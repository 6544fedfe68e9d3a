import type { DoctorPowers, Finding } from '../doctor.js'
import type { Architecture } from '../words.js'
import { qemuVersion } from './programs.js'

/** What units of an architecture that is not this machine's own boot. Messages say what to do. */
export interface ForeignParts {
  /** The kernel that they boot; `what`: its release, as `uname -r` says it. */
  readonly kernel: ForeignPart
  /** The program that answers in them; `what`: the absolute path of its file. */
  readonly agent: ForeignPart
}

/** Found, or not; then the message says what to do. */
export type ForeignPart =
  | { readonly kind: 'there'; readonly what: string }
  | { readonly kind: 'lacking'; readonly message: string }

/** Whether units of an architecture that is not this machine's own run here, by software emulation. */
export interface ForeignUnits {
  /** Of the units. */
  readonly architecture: Architecture
  /** Whether nothing is lacking. */
  readonly runs: boolean
  /** What units of it cannot run without; empty when they run. */
  readonly lacks: readonly {
    /** QEMU for it, its kernel, or its agent. */
    readonly part: 'qemu' | 'kernel' | 'agent'
    /** What to install. */
    readonly remedy: string
  }[]
}

const NAMES: Readonly<Record<Architecture, string>> = {
  x86_64: 'x86-64',
  aarch64: 'aarch64',
  powerpc64le: 'POWER9',
}

/** One finding for each architecture that is not this machine's own, and the same for programs. */
export async function checkArchitectures(
  powers: DoctorPowers,
  signal: AbortSignal,
): Promise<readonly { readonly finding: Finding; readonly units: ForeignUnits }[]> {
  const others = (Object.keys(NAMES) as Architecture[]).filter((each) => each !== powers.architecture)
  return Promise.all(others.map((architecture) => check(powers, architecture, signal)))
}

async function check(powers: DoctorPowers, architecture: Architecture, signal: AbortSignal) {
  const [qemu, { kernel, agent }] = await Promise.all([
    qemuVersion(powers, architecture, signal),
    powers.foreignParts(architecture, signal),
  ])
  const lacks = [
    ...(qemu.version === undefined
      ? [{ part: 'qemu' as const, name: qemu.program, remedy: `apt-get install ${qemu.package}` }]
      : []),
    ...(kernel.kind === 'lacking'
      ? [{ part: 'kernel' as const, name: 'guest kernel', remedy: kernel.message }]
      : []),
    ...(agent.kind === 'lacking' ? [{ part: 'agent' as const, name: 'agent', remedy: agent.message }] : []),
  ]
  const units: ForeignUnits = {
    architecture,
    runs: lacks.length === 0,
    lacks: lacks.map(({ part, remedy }) => ({ part, remedy })),
  }
  const subject = `${NAMES[architecture]} units`
  if (kernel.kind === 'there' && units.runs) {
    const found = `${qemu.program} ${qemu.version} (software emulation), kernel ${kernel.what}, agent`
    return { units, finding: { subject, verdict: 'ok', found } satisfies Finding }
  }
  const found = `none can run here: no usable ${lacks.map(({ name }) => name).join(', no usable ')}`
  const remedy = lacks.map((each) => each.remedy.replace(/\.$/, '')).join('; ')
  return { units, finding: { subject, verdict: 'limited', found, remedy } satisfies Finding }
}
