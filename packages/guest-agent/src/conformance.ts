import type { Agent } from './agent.js'

/** A connected agent, and a program inside its unit that does what the checks ask of it. */
export interface ConformanceSubject extends AsyncDisposable {
  readonly agent: Agent
  /** `argv` that runs the probe program; the checks append its arguments. */
  readonly probe: readonly string[]
}

/** One promise of the protocol, as a check that throws when it does not hold. */
export interface ConformanceCheck {
  readonly name: string
  run(open: () => Promise<ConformanceSubject>): Promise<void>
}

export const agentConformance: readonly ConformanceCheck[] = []
