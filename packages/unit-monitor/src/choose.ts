import { err, ok, type Result, ResultAsync } from 'neverthrow'
import type { MonitorError } from './errors.js'
import type {
  Accelerator,
  Machine,
  MachineDescription,
  Monitor,
  MonitorCapabilities,
  OperationOptions,
} from './machine.js'
import type { Clock, KvmProbe } from './powers.js'
import { escapeAndCut } from './printable.js'
import { Patience, WaitEnded } from './waiting.js'

/** One monitor that might do, in order of preference. */
export interface MonitorCandidate {
  /** Started only when nothing that was remembered or required rules it out before. */
  readonly monitor: Monitor
  /**
   * Everything a verdict depends on besides the kernel: the path, size and change time of the binary, the
   * host's boot id … Any text, compared whole. Absent: the verdict is not remembered.
   */
  readonly identity?: string | undefined
}

/** A machine that is really booted to find out. */
export interface MonitorTrial {
  /**
   * Makes a description with a fresh directory for each trial; disposed after the machine has ended. Small
   * memory, no pmem. A rejection with a system error ends the choice with `system`.
   */
  machine(candidate: Monitor): Promise<{ readonly description: MachineDescription } & AsyncDisposable>
  /** What verdicts depend on besides the candidate, the hash of kernel and initramfs for example. */
  readonly identity?: string | undefined
  /**
   * Milliseconds from the start of the monitor to the first line on its console. Default 10,000; emulated
   * 30,000.
   */
  readonly firstLineMs?: number | undefined
  /**
   * Milliseconds from the start of the monitor to the guest's first byte on the control channel. Default
   * 60,000.
   */
  readonly firstByteMs?: number | undefined
}

/** Remembers verdicts between runs. A refusal spares a trial only while another candidate works. */
export interface VerdictCache {
  /** What was found out under this key, or undefined. Never rejects. */
  get(key: string): Promise<Verdict | undefined>
  /** Keeps what was found out. Never rejects: what cannot be kept is found out again. */
  put(key: string, verdict: Verdict): Promise<void>
}

/** Whether a monitor boots a guest here, and why one thinks so. */
export interface Verdict {
  /**
   * `works`: its guest has spoken on the control channel. `refused`: it has not, or it lacks what is
   * required.
   */
  readonly verdict: 'works' | 'refused'
  /** A sentence for people; already escaped. */
  readonly reason: string
}

/** A candidate that was looked at. */
export interface Considered extends Verdict {
  /** Its `kind`. */
  readonly monitor: string
  /** What it runs the guest's instructions with. */
  readonly accelerator: Accelerator
}

/** The first candidate that boots a guest here. */
export interface ChosenMonitor {
  /** One of the candidates; no machine of it runs. */
  readonly monitor: Monitor
  /** Why this one and none before it, in one sentence. */
  readonly why: string
  /** Every candidate that was looked at, in order. */
  readonly considered: readonly Considered[]
}

/** How a monitor is chosen, and what is remembered of it. */
export interface ChooseOptions extends OperationOptions {
  /**
   * Asked, for 2 s at most, before a candidate that needs KVM is booted: a broken `/dev/kvm` then costs
   * milliseconds. Absent: the trial alone decides.
   */
  readonly kvm?: KvmProbe | undefined
  /** Absent: every candidate is booted anew. */
  readonly cache?: VerdictCache | undefined
  /** A candidate that lacks one of these is passed over without a trial. */
  readonly requires?: readonly RequiredCapability[] | undefined
}

/**
 * What a caller may not be able to do without. `injection`: software can be added to a running machine, by new devices
 * or by a view.
 */
export type RequiredCapability = 'pmemHotplug' | 'powerButton' | 'view' | 'injection'

const CHOICE_DEADLINE_MS = 120_000
const KVM_PROBE_MS = 2_000
/**
 * A kernel that hangs on a KVM prints nothing at all, and that must cost seconds only. Once it has spoken it
 * gets its time: a host may be busy, or nested, and an emulated machine on a busy host is slow and still sound.
 */
const PATIENCE = {
  kvm: { firstLineMs: 10_000, firstByteMs: 60_000 },
  none: { firstLineMs: 10_000, firstByteMs: 60_000 },
  emulation: { firstLineMs: 30_000, firstByteMs: 60_000 },
} as const

/**
 * The first candidate that runs the trial machine.
 *
 * That `/dev/kvm` exists proves nothing: on some hosts a stock kernel hangs or the monitor aborts on it. So
 * each candidate boots the real kernel, and counts only when the guest itself has spoken.
 *
 * The trial machine is gone when it resolves. Default deadline: 120 s for all candidates. Fails with `unsupported` when none will do,
 * with the reason of each in the message, `timed-out`, `aborted`, and `system` when no trial machine could be prepared.
 *
 * @example
 * ```ts
 * import { chooseMonitor, type MonitorTrial, qemuMonitor } from '@spectrum/unit-monitor'
 * import { linuxPowers } from '@spectrum/unit-monitor/linux'
 *
 * export async function choose(trial: MonitorTrial) {
 *   const powers = linuxPowers()
 *   const candidates = (['kvm', 'emulation'] as const).map((accelerator) => ({
 *     monitor: qemuMonitor(powers, { accelerator }),
 *   }))
 *   const chosen = await chooseMonitor(powers, candidates, trial)
 *   if (chosen.isErr()) throw new Error(chosen.error.message)
 *   console.log(chosen.value.why)
 *   return chosen.value.monitor
 * }
 * ```
 */
export function chooseMonitor(
  powers: { readonly clock: Clock },
  candidates: readonly MonitorCandidate[],
  trial: MonitorTrial,
  options: ChooseOptions = {},
): ResultAsync<ChosenMonitor, MonitorError> {
  return new ResultAsync(choose(powers.clock, candidates, trial, options))
}

async function choose(
  clock: Clock,
  candidates: readonly MonitorCandidate[],
  trial: MonitorTrial,
  options: ChooseOptions,
): Promise<Result<ChosenMonitor, MonitorError>> {
  using patience = new Patience(clock, options, CHOICE_DEADLINE_MS)
  const fresh = new Map<MonitorCandidate, Verdict>()
  let considered: Considered[] = []
  try {
    // A host that was busy once must not be refused for ever: what was remembered is tried again in the end.
    for (const cache of [options.cache, undefined]) {
      considered = []
      for (const candidate of candidates) {
        const { kind, accelerator, capabilities } = candidate.monitor
        const { verdict, reason } =
          lacking(capabilities, options.requires) ??
          fresh.get(candidate) ??
          (await remembered(candidate, trial, cache)) ??
          (await judgeAnew(candidate, trial, options.cache, fresh, () =>
            judge(clock, candidate.monitor, trial, options.kvm, patience),
          ))
        considered.push({ monitor: kind, accelerator, verdict, reason })
        if (verdict === 'works')
          return ok({ monitor: candidate.monitor, considered, why: whyThis(considered) })
      }
    }
  } catch (why) {
    if (!(why instanceof WaitEnded)) return err(unprepared(why))
    const message = `choosing a monitor: ${why.why} after ${considered.length} of ${candidates.length} candidates`
    if (why.why === 'aborted') return err({ kind: 'aborted', message })
    return err({ kind: 'timed-out', message, lastLines: [] })
  }
  const reasons = considered.map(told).join('; ')
  return err({
    kind: 'unsupported',
    capability: 'a monitor that boots the guest kernel',
    message: `no monitor works here: ${reasons === '' ? 'there were no candidates' : reasons}`,
  })
}

function lacking(
  capabilities: MonitorCapabilities,
  requires: readonly RequiredCapability[] = [],
): Verdict | undefined {
  const has = (name: RequiredCapability): boolean =>
    name === 'injection' ? capabilities.pmemHotplug || capabilities.view : capabilities[name]
  const lacks = requires.find((name) => !has(name))
  return lacks === undefined
    ? undefined
    : { verdict: 'refused', reason: `it lacks ${lacks}, which is required` }
}

async function remembered(
  candidate: MonitorCandidate,
  trial: MonitorTrial,
  cache: VerdictCache | undefined,
): Promise<Verdict | undefined> {
  const key = keyOf(candidate, trial)
  return key === undefined ? undefined : await cache?.get(key)
}

async function judgeAnew(
  candidate: MonitorCandidate,
  trial: MonitorTrial,
  cache: VerdictCache | undefined,
  fresh: Map<MonitorCandidate, Verdict>,
  judgeNow: () => Promise<Judgement>,
): Promise<Verdict> {
  const { verdict, reason, passing } = await judgeNow()
  fresh.set(candidate, { verdict, reason })
  const key = keyOf(candidate, trial)
  if (key !== undefined && passing !== true) await cache?.put(key, { verdict, reason })
  return { verdict, reason }
}

function keyOf(candidate: MonitorCandidate, trial: MonitorTrial): string | undefined {
  if (candidate.identity === undefined || trial.identity === undefined) return undefined
  const { kind, accelerator } = candidate.monitor
  return JSON.stringify([kind, accelerator, candidate.identity, trial.identity])
}

/** A trial needs a directory and its sockets; what the system refuses there is no verdict about a monitor. */
function unprepared(cause: unknown): MonitorError {
  const code: unknown = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (!(cause instanceof Error) || typeof code !== 'string') throw cause
  const message = `no trial machine could be prepared: ${escapeAndCut(cause.message, 300)}`
  return { kind: 'system', code, cause, message }
}

interface Judgement extends Verdict {
  /** The next trial may well find otherwise. */
  readonly passing?: true
}

async function judge(
  clock: Clock,
  monitor: Monitor,
  trial: MonitorTrial,
  kvm: KvmProbe | undefined,
  patience: Patience,
): Promise<Judgement> {
  if (patience.signal.aborted) throw patience.signal.reason
  if (monitor.accelerator === 'kvm' && kvm !== undefined) {
    using brief = new Patience(clock, { signal: patience.signal }, KVM_PROBE_MS)
    const probed = await brief.race(kvm.probe(brief.signal)).catch((why: unknown) => {
      if (patience.signal.aborted || !(why instanceof WaitEnded)) throw patience.signal.reason ?? why
      // The probe was late: that is a busy host as likely as a broken KVM. The trial will tell.
      return { verdict: 'unknown', reason: '' } as const
    })
    if (probed.verdict === 'unusable') return refused(probed.reason)
  }
  await using prepared = await trial.machine(monitor)
  const { description } = prepared
  const limits = {
    firstLineMs: trial.firstLineMs ?? PATIENCE[monitor.accelerator].firstLineMs,
    firstByteMs: trial.firstByteMs ?? PATIENCE[monitor.accelerator].firstByteMs,
  }
  const started = clock.now()
  const result = await monitor.start(description, { signal: patience.signal, deadlineMs: limits.firstLineMs })
  if (result.isErr()) {
    if (patience.signal.aborted) throw patience.signal.reason
    const { kind, message } = result.error
    return kind === 'system' || kind === 'monitor-missing'
      ? { ...refused(message), passing: true }
      : refused(message)
  }
  const machine = result.value
  try {
    return await listen(clock, machine, limits, started, patience)
  } finally {
    // What SIGKILL cannot end is stuck in the kernel. That is a verdict too, not a reason to fail the choice.
    await machine.kill()
  }
}

/** Hears the guest's first line and first byte, or says what was missing. */
async function listen(
  clock: Clock,
  machine: Machine,
  limits: { readonly firstLineMs: number; readonly firstByteMs: number },
  started: number,
  patience: Patience,
): Promise<Verdict> {
  const left = (ms: number) => Math.max(0, started + ms - clock.now())
  const died = machine.exit.then((exit) => ({ exit }))
  const byte = firstByte(machine)
  const line = new Promise<'spoke'>((resolve) => {
    const heard = (said: { readonly source: string }) => said.source === 'console' && resolve('spoke')
    machine.events.on('log', heard)
  })
  for (const [what, limit, sign] of [
    ['printed nothing on its console', limits.firstLineMs, Promise.race([line, byte])],
    ['sent nothing on its control channel', limits.firstByteMs, byte],
  ] as const) {
    using brief = new Patience(clock, { signal: patience.signal }, left(limit))
    const heard = await brief.race(Promise.race([sign, died])).catch((why: unknown) => {
      if (patience.signal.aborted || !(why instanceof WaitEnded)) throw patience.signal.reason ?? why
      return 'silence' as const
    })
    if (heard === 'silence') return refused(`the guest ${what} within ${limit} ms${lastWords(machine)}`)
    if (typeof heard === 'object')
      return refused(`the machine ended (${heard.exit.kind}) before its guest answered${lastWords(machine)}`)
  }
  return { verdict: 'works', reason: `its guest answered after ${Math.round(clock.now() - started)} ms` }
}

async function firstByte(machine: Machine): Promise<'answered'> {
  for await (const bytes of machine.control.incoming) if (bytes.length > 0) return 'answered'
  // The channel ended: the machine's exit says why.
  return await new Promise<never>(() => {})
}

function lastWords(machine: Machine): string {
  const last = machine.lastLines().at(-1)
  return last === undefined ? '' : `; its last line: ${last}`
}

function refused(reason: string): Verdict {
  return { verdict: 'refused', reason: escapeAndCut(reason, 500) }
}

function whyThis(considered: readonly Considered[]): string {
  const chosen = considered.at(-1)
  if (chosen === undefined) throw new TypeError('nothing was considered')
  const before = considered.slice(0, -1).map(told)
  const { monitor, accelerator, reason } = chosen
  return `${monitor} with ${accelerator} works (${reason})${before.length === 0 ? '' : `; ${before.join('; ')}`}`
}

function told(candidate: Considered): string {
  return `${candidate.monitor} with ${candidate.accelerator} was ${candidate.verdict}: ${candidate.reason}`
}
