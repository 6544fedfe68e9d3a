import type { Result } from 'neverthrow'

/** The value of a Result; an example has no better plan than to stop and say what is wrong. */
export function must<T>(result: Result<T, { readonly message: string }>): T {
  if (result.isErr()) throw new Error(result.error.message)
  return result.value
}
