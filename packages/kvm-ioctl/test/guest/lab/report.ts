import type { Result } from 'neverthrow'

/** What a program found in the lab: the test that started it compares. JSON has no bigint, so those are texts. */
export type Findings = Record<string, unknown>

export function report(findings: Findings): void {
  const text = JSON.stringify(findings, (_, value) =>
    typeof value === 'bigint' ? `0x${value.toString(16)}` : value,
  )
  process.stdout.write(`${text}\n`)
}

/** The value, or the end of the program with what is wrong. */
export function must<T>(result: Result<T, { readonly message: string }>): T {
  if (result.isErr()) throw new Error(JSON.stringify(result.error))
  return result.value
}

/** How a refusal is told: its kind and what the kernel called it. */
export function refusalOf(result: Result<unknown, { readonly kind: string }>): string {
  if (result.isOk()) return 'ok'
  const { kind, errno } = result.error as { kind: string; errno?: string }
  return errno === undefined ? kind : `${kind} ${errno}`
}
