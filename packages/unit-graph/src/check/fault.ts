/** What is wrong with a value, before it is known which graph it is part of. */
export interface ValueFault {
  readonly path: readonly string[]
  /** Completes "… must be": "a whole number from 1 to 10". */
  readonly rule: string
}

export const wrong = (path: readonly string[], rule: string): ValueFault => ({ path, rule })

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export function firstOf<Value>(
  values: readonly Value[],
  check: (value: Value, index: number) => ValueFault | undefined,
): ValueFault | undefined {
  for (const [index, value] of values.entries()) {
    const fault = check(value, index)
    if (fault !== undefined) return fault
  }
  return undefined
}
