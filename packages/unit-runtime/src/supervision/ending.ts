import type { ExecOutcome } from '@spectrum/guest-agent'
import type { HostError } from '../errors.js'

/** Why a machine ended, or did not come up. */
export interface Ending {
  readonly success: boolean
  readonly why: string
  readonly command?: ExecOutcome
  /** What befell its machine, or its start. */
  readonly failure?: HostError
  /** It never came up. */
  readonly notUp?: true
}

/** What is told of it. */
export function reasonOf(ending: Ending | undefined): {
  readonly why?: string
  readonly failure?: HostError
} {
  if (ending === undefined) return {}
  const { why, failure } = ending
  return failure === undefined ? { why } : { why, failure }
}
