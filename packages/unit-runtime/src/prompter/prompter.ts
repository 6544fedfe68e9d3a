/** A call that a person has to allow. What a unit wrote stands here as it came: whoever shows it escapes it. */
export interface Question {
  /** Key of the calling unit, known from the channel on which the call came. */
  readonly unit: string
  /** The unit's own name for what it calls. */
  readonly need: string
  /** Name of the service that is called. */
  readonly service: string
  /** Key of the providing unit, or `host:NAME`. */
  readonly provider: string
  /** What the call carries, as its service's schema has it; undefined for a service without one. */
  readonly argument: unknown
  /** Under which conditions the graph lets the call through once it is allowed, in words. */
  readonly conditions: readonly string[]
}

/** What a person said; nobody there is `deny`. */
export type PersonsAnswer = 'allow' | 'deny'

/** Asks a person. */
export interface Prompter {
  /**
   * Never rejects: when the question is given up by `signal`, or nobody is there to answer, the answer is `deny`. Whoever
   * asks bounds how many questions wait, and for how long.
   */
  ask(question: Question, signal: AbortSignal): Promise<PersonsAnswer>
}
