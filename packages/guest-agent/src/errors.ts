import type { AgentClosed, ShutdownStep } from './agent.js'

/**
 * What a request to the agent ends with when it fails, told apart by `kind`. `reached`: how far the unit had come with
 * `shutDown` by then.
 */
export type AgentError = AgentFailure & { readonly reached?: ShutdownStep }

type AgentFailure =
  /** `outcome: 'unknown'`: the unit may have been changed as asked, or be changed later. Otherwise it was not. */
  | { readonly kind: 'timed-out'; readonly message: string; readonly outcome?: 'unknown' }
  | { readonly kind: 'aborted'; readonly message: string; readonly outcome?: 'unknown' }
  | { readonly kind: 'unit-lost'; readonly message: string; readonly closed: AgentClosed }
  | { readonly kind: 'version-mismatch'; readonly message: string; readonly offered: number }
  | { readonly kind: 'invalid-request'; readonly message: string; readonly field: string }
  /** The unit refused or failed the request; `errno` is Linux's name for it (`ENOENT`). */
  | { readonly kind: 'refused'; readonly message: string; readonly errno: string | undefined }
  /** The guest kernel lacks something: `erofs`, `virtio_pmem`, DAX … */
  | { readonly kind: 'kernel-lacks'; readonly message: string; readonly feature: string }
  /** A file could not be put or got; `errno` where the kernel said it. */
  | {
      readonly kind: 'file-failed'
      readonly message: string
      readonly reason: FileFailure
      readonly errno: string | undefined
    }

/** Why a file could not be put or got. */
export type FileFailure =
  | 'not-found'
  | 'is-directory'
  /** A device, a FIFO, a socket. */
  | 'not-regular'
  /** A link leads out of the directory that was named. */
  | 'outside'
  | 'permission'
  | 'read-only'
  | 'no-space'
  | 'too-large'
  /** It became shorter while it was read, or its content was not of the promised size. */
  | 'wrong-size'
  | 'other'
