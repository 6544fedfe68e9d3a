import { err, ok, type Result, ResultAsync } from 'neverthrow'
import { type KvmProbe, misbehaves } from './probe-result.js'

/** The clock, as a power. Milliseconds. */
export interface Clock {
  /** A signal that aborts after `ms`; dispose it to stop the timer. */
  deadline(ms: number): { readonly signal: AbortSignal } & Disposable
}

/** How the probing process ended, and what it said: one line per step, then the finding. */
export interface ProbeProcessEnd {
  /** What it wrote, without the ends of the lines. */
  readonly lines: readonly string[]
  /** How it ended, in words. */
  readonly status: string
}

/** What probing needs of the world. */
export interface KvmProbePowers {
  /** Deadlines in milliseconds. */
  readonly clock: Clock
  /** The machine's name of its architecture, as Node gives it: `x64`, `arm64`, `ppc64` … */
  readonly architecture: string
  /**
   * Runs the tiny guest in a process of its own, which `signal` kills. Resolves when the process has ended, or
   * soon after the signal when not even SIGKILL ends it. Rejects when it cannot be started.
   */
  runProbeProcess(signal: AbortSignal): Promise<ProbeProcessEnd>
}

/** Why there is no finding about KVM at all. */
export type KvmProbeError =
  | { readonly kind: 'aborted'; readonly message: string }
  /** The probing process could not start or ended without a finding: this installation is at fault, not KVM. */
  | { readonly kind: 'probe-failed'; readonly message: string; readonly cause?: unknown }

/** How long a probe may take, and who may give it up. */
export interface KvmProbeOptions {
  /** Gives the probe up, as `aborted`. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds until a guest that does not come back counts as one that never will. Default 15,000. */
  readonly deadlineMs?: number | undefined
}

const DEADLINE_MS = 15_000

/**
 * Finds out whether KVM works here, by running something: that /dev/kvm exists proves nothing. The guest runs
 * in a child process, because a KVM_RUN that hangs takes its process with it.
 */
export function probeKvm(
  powers: KvmProbePowers,
  options: KvmProbeOptions = {},
): ResultAsync<KvmProbe, KvmProbeError> {
  return new ResultAsync(probe(powers, options))
}

async function probe(
  powers: KvmProbePowers,
  { signal, deadlineMs = DEADLINE_MS }: KvmProbeOptions,
): Promise<Result<KvmProbe, KvmProbeError>> {
  const { architecture } = powers
  if (architecture !== 'x64') {
    const message = `the probe has no guest for ${architecture} yet: only for x64`
    return ok({ kind: 'unsupported-architecture', architecture, message })
  }
  const aborted = { kind: 'aborted', message: 'the probe was aborted by its caller' } as const
  if (signal?.aborted) return err(aborted)
  using deadline = powers.clock.deadline(deadlineMs)
  const either = signal ? AbortSignal.any([signal, deadline.signal]) : deadline.signal
  let end: ProbeProcessEnd
  try {
    end = await powers.runProbeProcess(either)
  } catch (cause) {
    if (signal?.aborted) return err(aborted)
    return err({ kind: 'probe-failed', message: 'the probing process could not start', cause })
  }
  const { steps, found } = readLines(end.lines)
  if (found) return ok(found)
  if (signal?.aborted) return err(aborted)
  const step = steps.at(-1)
  if (step === undefined) {
    return err({ kind: 'probe-failed', message: `the probing process said nothing (${end.status})` })
  }
  if (deadline.signal.aborted) return ok(misbehaves(step, `does not come back within ${deadlineMs} ms`))
  return ok(misbehaves(step, `took the process with it (${end.status})`))
}

type Line = { readonly step: string } | { readonly found: KvmProbe }

/** The process is our own code, but it met the kernel: what it says is read, not trusted to be whole. */
function readLines(lines: readonly string[]): { steps: string[]; found: KvmProbe | undefined } {
  const steps: string[] = []
  let found: KvmProbe | undefined
  for (const text of lines) {
    let line: Line
    try {
      line = JSON.parse(text) as Line
    } catch {
      continue
    }
    if ('step' in line) steps.push(line.step)
    else found = line.found
  }
  return { steps, found }
}
