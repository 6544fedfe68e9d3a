import type { UnixSocket } from '@spectrum/unix-fd'
import { createAnswerers } from './answers/answerers.js'
import { stopTransfers } from './clipboard/transfer.js'
import { Capture } from './diagnostics/capture.js'
import { type Counters, Recorder } from './diagnostics/recorder.js'
import { discardPictures } from './frame/supply.js'
import { policyHooks } from './policy/hooks.js'
import type { Policy } from './policy/policy.js'
import type { Warning } from './policy/warnings.js'
import type { CompiledInterface } from './protocol/compile.js'
import type { ProtocolTable } from './protocol/table.js'
import { extendedTable } from './protocol/table.js'
import type { UnitCensus } from './relay/census.js'
import type { Ending } from './relay/endings.js'
import { type Answerer, registryHooks } from './relay/globals.js'
import { Pace } from './relay/pace.js'
import { compileRoutes, type Routes } from './relay/routes.js'
import { Session } from './relay/session.js'
import type { Question, RelayPowers, UnitContext } from './relay/unit-context.js'
import { type Carry, carryAnything } from './transport/cross-domain.js'

/** What a proxy holds its clients to, and whom it tells. */
export interface ProxyOptions {
  /** The policy at first; `setPolicy` replaces it while clients are connected. */
  readonly policy: Policy
  /** The interfaces whose messages are known: all others are denied. Default: the standard table. */
  readonly table?: ProtocolTable
  /** Each kind of warning about the same thing comes once. */
  readonly onWarning?: (warning: Warning) => void
  /** Asks the user about what the policy leaves to them. Default: nobody is there to ask, so no. */
  readonly ask?: (question: Question) => Promise<boolean>
  /** What the way to the unit can carry. Default: everything, as a socket does. */
  readonly carry?: Carry
  /** Each message as a line, without secrets. Costs: every message is read twice. */
  readonly trace?: (line: string) => void
  /**
   * All that reaches the proxy, line by line, without secrets: `parseCapture` reads it, and tests let it happen
   * again. Costs more than a trace.
   */
  readonly capture?: (line: string) => void
  /**
   * A client and its connection to the compositor are over. `session`: its number, from 1; each comes once.
   */
  readonly onEnd?: (session: number, ending: Ending) => void
}

const MOST_REMEMBERED_WARNINGS = 1_000

/**
 * The proxy of one unit: its clients share limits, clipboard and policy, and nothing else. It owns the sockets that
 * it is given.
 *
 * @example
 * ```ts
 * import { acceptClients, DEFAULT_POLICY, WaylandProxy } from '@spectrum/wayland-proxy'
 * import { linuxRelayPowers } from '@spectrum/wayland-proxy/linux'
 * import { unixFd } from '@spectrum/unix-fd/linux'
 *
 * const powers = linuxRelayPowers()._unsafeUnwrap()
 * const sockets = unixFd()._unsafeUnwrap()
 * using proxy = new WaylandProxy(powers, {
 *   policy: DEFAULT_POLICY,
 *   onWarning: ({ code, message }) => console.warn(code, message),
 * })
 * using listener = sockets.listen('/run/units/mail', 'stream', { lock: true })._unsafeUnwrap()
 * const connect = () => sockets.connect('/run/user/1000/wayland-1', 'stream')
 * await acceptClients({ proxy, powers, listener, connect }, AbortSignal.timeout(60_000))
 * ```
 */
export class WaylandProxy implements Disposable {
  readonly #context: UnitContext & { policy: Policy }
  readonly #sessions = new Set<Session>()
  readonly #onEnd: (session: number, ending: Ending) => void
  readonly #warned = new Set<string>()
  readonly #waiting: (() => void)[] = []
  readonly #leaving: (() => void)[] = []
  #nextNumber = 1

  constructor(powers: RelayPowers, options: ProxyOptions) {
    const table = options.table ?? extendedTable()._unsafeUnwrap()
    const census: UnitCensus = { objects: 0, pools: 0, poolBytes: 0 }
    const sessions = this.#sessions
    const routes: readonly Routes[] = compileRoutes(table, [registryHooks, ...policyHooks])
    const onWarning = options.onWarning
    this.#onEnd = options.onEnd ?? (() => undefined)
    this.#context = {
      table,
      routes,
      powers,
      census,
      sessions,
      recorder: new Recorder(),
      pace: new Pace(sessions),
      carry: options.carry ?? carryAnything,
      trace: options.trace,
      capture: options.capture && new Capture(options.capture, options.policy, (fd) => powers.inspect(fd)),
      policy: options.policy,
      answerers: new Map<string, Answerer>(),
      interfaceNamed: (name): CompiledInterface => {
        const found = table.find(name)
        if (found === undefined) throw new Error(`the table lacks ${name}, which every Wayland has`)
        return found
      },
      mayHoldDescriptors: () => this.descriptors <= this.policy.limits.descriptorsPerUnit,
      mayQueue: () => this.unreadBytes <= this.policy.limits.clientQueueBytesPerUnit,
      ask: (question, answer) => {
        const { ask } = options
        if (ask === undefined) answer(false)
        else ask(question).then(answer, () => answer(false))
      },
      warn: (warning) => {
        const key = `${warning.code} ${warning.message}`
        if (onWarning === undefined || this.#warned.has(key)) return
        if (this.#warned.size >= MOST_REMEMBERED_WARNINGS) this.#warned.clear()
        this.#warned.add(key)
        onWarning(warning)
      },
    }
    const answerers = this.#context.answerers as Map<string, Answerer>
    for (const answerer of createAnswerers(this.#context)) answerers.set(answerer.interface, answerer)
  }

  /** What holds now: the policy of the options, or the last of `setPolicy`. */
  get policy(): Policy {
    return this.#context.policy
  }

  /** How many clients are connected. `serve` takes more than the limit: wait for `room` first. */
  get connections(): number {
    return this.#sessions.size
  }

  /** What was carried so far; a copy. */
  get counters(): Counters {
    return { ...this.#context.recorder.counters }
  }

  /** Descriptors on their way: clients sent them and the compositor has not got them yet, or the other way round. */
  get descriptors(): number {
    let count = 0
    for (const { pump } of this.#sessions) {
      count += pump.client.input.fds.length + pump.compositor.output.pendingDescriptors
      count += pump.client.output.pendingDescriptors
    }
    return count
  }

  /** Bytes that clients leave unread, besides what the kernel holds for them. */
  get unreadBytes(): number {
    let count = 0
    for (const { pump } of this.#sessions) count += pump.client.output.pending
    return count
  }

  /**
   * The last 512 messages of the unit, oldest first, without what they carried. One is
   * `#2 -> wl_surface@5.commit, 8 bytes`; ids of events are the compositor's.
   */
  recentMessages(): string[] {
    return this.#context.recorder.lines()
  }

  /** Resolves when the unit may have one more client, by `limits.connections`. Never rejects. */
  async room(): Promise<void> {
    while (this.#sessions.size >= this.policy.limits.connections)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** Resolves when the unit has no client. */
  async empty(): Promise<void> {
    while (this.#sessions.size > 0) await new Promise<void>((resolve) => this.#leaving.push(resolve))
  }

  /** Tells a warning to whoever the proxy was made for. */
  warn(warning: Warning): void {
    this.#context.warn(warning)
  }

  /** Serves a client over a connection to the compositor made for it. Both belong to the proxy from now on. */
  serve(client: UnixSocket, compositor: UnixSocket): void {
    const number = this.#nextNumber++
    const session: Session = new Session(this.#context, number, client, compositor, (ending) => {
      this.#sessions.delete(session)
      this.#roomMayBe()
      for (const left of this.#leaving.splice(0)) left()
      this.#onEnd(number, ending)
    })
    this.#sessions.add(session)
    session.pump.start()
  }

  /** From now on this policy holds. What clients hold already stays; what they may not bind any more is withdrawn. */
  setPolicy(policy: Policy): void {
    this.#context.policy = policy
    for (const session of [...this.#sessions]) session.globals.policyChanged()
    this.#roomMayBe()
  }

  /** Each looks for itself: some may have given up meanwhile. */
  #roomMayBe(): void {
    for (const look of this.#waiting.splice(0)) look()
  }

  /** Cuts every client off. Idempotent. */
  close(): void {
    stopTransfers(this.#context)
    discardPictures(this.#context)
    for (const session of [...this.#sessions]) {
      session.end({ kind: 'stopped', message: 'the proxy was stopped' })
    }
  }

  /** Ends every client, here and at the compositor. */
  [Symbol.dispose](): void {
    this.close()
  }
}
