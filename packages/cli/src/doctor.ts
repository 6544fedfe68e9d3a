import type { KvmProbe } from '@spectrum/kvm-ioctl'
import type { GroupsRoot } from '@spectrum/unit-runtime'
import { checkArchitectures, type ForeignParts, type ForeignUnits } from './doctor/architectures.js'
import { checkKernel } from './doctor/guest-kernel.js'
import { checkBoot, checkKvm } from './doctor/machines.js'
import { checkErofs, checkNix, checkNode, checkQemu } from './doctor/programs.js'
import { checkCgroup, checkDisk, checkMemory } from './doctor/resources.js'
import { table } from './doctor/table.js'
import type { Clock, Sink } from './powers.js'
import type { Architecture } from './words.js'

export type { ForeignParts, ForeignUnits } from './doctor/architectures.js'

/** `ok`: will do. `limited`: units run, with a drawback. `missing`: units cannot run. `unknown`: not found out. */
export type Verdict = 'ok' | 'limited' | 'missing' | 'unknown'

/** One thing that was looked at. */
export interface Finding {
  /** What was looked at, in words: `KVM`, `guest kernel`. For people; `verdict` is for programs. */
  readonly subject: string
  /** Whether it will do. */
  readonly verdict: Verdict
  /** What was found, in words. */
  readonly found: string
  /** What to do about it; absent when all is well. */
  readonly remedy?: string
}

/** What running a tiny guest showed of KVM, or why none could be run. */
export type KvmReport = KvmProbe | { readonly kind: 'not-probed'; readonly message: string }

/** Which monitor really booted the guest kernel. */
export type BootReport =
  /**
   * `monitor`: its kind. `accelerator`: `kvm` or `emulation`. `why`: why this one and none before it, in one
   * sentence.
   */
  | { readonly kind: 'boots'; readonly monitor: string; readonly accelerator: string; readonly why: string }
  /** None did; the message says why, and what to do. */
  | { readonly kind: 'fails'; readonly message: string }

/** What the doctor looks at; it changes nothing. */
export interface DoctorPowers {
  /** Without a `v`: `22.12.0`. */
  readonly nodeVersion: string
  /** What units are on this machine unless somebody says otherwise. */
  readonly architecture: Architecture
  /**
   * Text of the file at this absolute path, at most 4 MiB; `undefined` when it cannot be read. Never rejects.
   */
  read(path: string): Promise<string | undefined>
  /** Whether something is at this absolute path of the host. Never rejects. */
  exists(path: string): Promise<boolean>
  /**
   * The first line that `program argv` prints within 10 s; `undefined` when it cannot be run. A bare name is
   * looked up on the search path and the sbin directories. Never rejects.
   */
  firstLine(program: string, argv: readonly string[], signal: AbortSignal): Promise<string | undefined>
  /** What there is for units of an architecture that is not this machine's own. Never rejects. */
  foreignParts(architecture: Architecture, signal: AbortSignal): Promise<ForeignParts>
  /**
   * Where groups of processes with these controllers (`memory`, `cpu`: cgroups(7)) could be made. Never
   * rejects.
   */
  groupsRoot(controllers: readonly string[]): Promise<GroupsRoot>
  /**
   * Bytes that this user may still write to the file system of `path`, or of its nearest parent that exists;
   * `undefined` when that cannot be asked (statfs(2)). Never rejects.
   */
  freeBytes(path: string): Promise<number | undefined>
  /** Tries KVM by running a guest of a few instructions. Never rejects: what goes wrong is in the report. */
  kvm(signal: AbortSignal): Promise<KvmReport>
  /** Opens a host, which boots the guest kernel, and stops it again. Never rejects. */
  boot(signal: AbortSignal): Promise<BootReport>
  /** Where the guest kernel, the blobs and the host's state are expected: absolute paths of the host. */
  readonly places: {
    /** The file of the guest kernel's image; where there is none, the directory in which it is looked for. */
    readonly kernel: string
    /** The directory of its modules, as `/lib/modules`. */
    readonly modules: string
    /** The directory of blobs and kernels. */
    readonly cache: string
    /** The directory in which each host that runs has one of its own. */
    readonly state: string
  }
}

/** What `spectrum doctor` found out. */
export interface Examination {
  /** Whether units can run here: no finding is `missing`. */
  readonly ok: boolean
  /** In the order of the table. */
  readonly findings: readonly Finding[]
  /** Units of the other architectures. */
  readonly architectures: readonly ForeignUnits[]
}

/** For everything but the trial boot. */
const lookMs = 15_000

/**
 * Looks at everything, the slow trial last; all but that is given up after 15 s. Changes nothing. Aborting
 * `interrupted` ends it sooner. Never rejects but for programmers' mistakes.
 */
export async function examine(
  powers: DoctorPowers,
  clock: Clock,
  interrupted: AbortSignal,
): Promise<Examination> {
  using deadline = clock.deadline(lookMs)
  const signal = AbortSignal.any([deadline.signal, interrupted])
  const others = checkArchitectures(powers, signal)
  const quick = await Promise.all([
    checkNode(powers),
    checkQemu(powers, signal),
    checkNix(powers, signal),
    checkErofs(powers, signal),
    checkKernel(powers),
    checkDisk(powers),
    checkMemory(powers),
    checkCgroup(powers),
  ])
  const kvm = await powers.kvm(signal)
  const boot = await powers.boot(interrupted)
  const foreign = await others
  const findings = [...quick, checkKvm(kvm, boot), checkBoot(boot), ...foreign.map(({ finding }) => finding)]
  return {
    ok: findings.every((finding) => finding.verdict !== 'missing'),
    findings,
    architectures: foreign.map(({ units }) => units),
  }
}

/** Prints the examination. Resolves with the exit status. */
export async function doctor(
  options: { readonly json: boolean },
  powers: {
    readonly stdout: Sink
    readonly clock: Clock
    readonly doctor: DoctorPowers
    readonly interrupted: AbortSignal
  },
): Promise<number> {
  const examination = await examine(powers.doctor, powers.clock, powers.interrupted)
  await powers.stdout.write(options.json ? `${JSON.stringify(examination)}\n` : table(examination))
  return examination.ok ? 0 : 1
}
