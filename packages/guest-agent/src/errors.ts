import type { AgentClosed } from './agent.js'

/** What a request to the agent ends with when it fails, told apart by `kind`. */
export type AgentError =
  /** `outcome: 'unknown'`: the store of the unit may have been changed as asked, or be changed later. Otherwise it was not. */
  | { readonly kind: 'timed-out'; readonly message: string; readonly outcome?: 'unknown' }
  | { readonly kind: 'aborted'; readonly message: string; readonly outcome?: 'unknown' }
  | { readonly kind: 'unit-lost'; readonly message: string; readonly closed: AgentClosed }
  | { readonly kind: 'version-mismatch'; readonly message: string; readonly offered: number }
  | { readonly kind: 'invalid-request'; readonly message: string; readonly field: string }
  /** The unit refused or failed the request; `errno` is Linux's name for it (`ENOENT`). */
  | { readonly kind: 'refused'; readonly message: string; readonly errno: string | undefined }
  /** The guest kernel lacks something: `erofs`, `virtio_pmem`, DAX … */
  | { readonly kind: 'kernel-lacks'; readonly message: string; readonly feature: string }
