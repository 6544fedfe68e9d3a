import type { UnitDefinition } from '@spectrum/unit-graph'
import type { HostError, Unit, UnitState } from '@spectrum/unit-runtime'
import { manualClock } from '@spectrum/unit-runtime/fake'
import { errAsync, okAsync, ResultAsync } from 'neverthrow'
import { Disposables } from '../../src/disposable/disposables.js'
import type { PoolLimits } from '../../src/disposable/pool.js'
import type { DisposablePowers, PausableUnit } from '../../src/disposable/powers.js'

const failed = (unit: string, what: string): HostError => ({
  kind: 'unit-not-running',
  message: `${unit} does not ${what}`,
  unit,
  state: 'scripted',
})

/** A unit that is nothing but its states. */
export class StubUnit {
  state: UnitState | 'paused' = 'running'
  /** What was asked of it, in order. */
  readonly asked: string[] = []
  readonly ended: Promise<void>
  #end: () => void = () => {}

  constructor(
    readonly name: string,
    private readonly refuses: (what: string) => boolean,
  ) {
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  pause = () => this.#become('pause', 'paused')
  resume = () => this.#become('resume', 'running')
  lastLines = () => []

  exec(argv: readonly string[]): ResultAsync<unknown, HostError> {
    const what = argv[0] === '/proc/self/exe' ? 'exec' : `exec ${argv.join(' ')}`
    this.asked.push(what)
    if (this.refuses('exec')) return errAsync(failed(this.name, 'exec'))
    const outcome = this.refuses(what)
      ? { kind: 'not-started', reason: 'not-found' }
      : { kind: 'exited', code: 1 }
    return okAsync({ outcome })
  }

  stop(): ResultAsync<unknown, HostError> {
    if (this.refuses('stop')) return errAsync(failed(this.name, 'stop'))
    this.asked.push('stop')
    this.die()
    return okAsync({})
  }

  die(): void {
    this.state = 'stopped'
    this.#end()
  }

  #become(what: string, state: 'paused' | 'running'): ResultAsync<void, HostError> {
    this.asked.push(what)
    if (this.refuses(what) || this.state === 'stopped') return errAsync(failed(this.name, what))
    this.state = state
    return okAsync(undefined)
  }
}

export interface Script {
  readonly limits?: Partial<PoolLimits>
  /** Whether this unit refuses to start, run a command, pause, resume or stop. */
  readonly refuses?: (what: string, unit: string) => boolean
  readonly canPause?: boolean
  readonly definitions?: Readonly<Record<string, UnitDefinition>>
  readonly taken?: readonly string[]
  /** Starts wait for `go`. */
  readonly slow?: boolean
}

/** A host as disposables see it, which remembers every unit that it has started. */
export class StubHost {
  readonly clock = manualClock()
  readonly closing = new AbortController()
  readonly units: StubUnit[] = []
  readonly disposables: Disposables
  readonly forgotten: string[] = []
  readonly #script: Script
  #gates: (() => void)[] = []

  constructor(script: Script = {}) {
    this.#script = script
    this.disposables = new Disposables(this.#powers(), script.limits)
  }

  get alive(): readonly StubUnit[] {
    return this.units.filter(({ state }) => state !== 'stopped')
  }

  get waiting(): readonly string[] {
    return this.units.filter(({ state }) => state === 'paused').map(({ name }) => name)
  }

  /** Lets the starts under way come to their end. */
  go(): void {
    for (const gate of this.#gates.splice(0)) gate()
  }

  #powers(): DisposablePowers {
    const { refuses = () => false, definitions = {}, taken = [] } = this.#script
    return {
      clock: this.clock,
      forget: async (name) => void this.forgotten.push(name),
      awaken: () => okAsync(undefined),
      canPause: this.#script.canPause ?? true,
      closing: this.closing.signal,
      definitionOf: (name) => definitions[name],
      isTaken: (name) => taken.includes(name),
      memoryOf: ({ memoryBytes }) => memoryBytes ?? 256 * 1024 * 1024,
      start: (graph, _wired, { signal } = {}) => {
        const [name] = Object.keys(graph.units) as [string]
        const begin = async (): Promise<PausableUnit> => {
          if (this.#script.slow) await new Promise<void>((resolve) => this.#gates.push(resolve))
          if (signal?.aborted) throw { kind: 'aborted', message: 'aborted', unit: name } satisfies HostError
          if (refuses('start', name)) throw failed(name, 'start')
          const unit = new StubUnit(name, (what) => refuses(what, name))
          this.units.push(unit)
          return unit as unknown as PausableUnit
        }
        return ResultAsync.fromPromise(begin(), (error) => error as HostError)
      },
    }
  }
}

export const nameOf = (unit: Unit): string => unit.name
