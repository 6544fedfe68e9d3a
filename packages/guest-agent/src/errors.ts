import type { AgentClosed, ShutdownStep } from './agent.js'

/**
 * What a request to the agent ends with when it fails, told apart by `kind`. `message` says what to do and is safe to print: what
 * the unit said is escaped and bounded in it. `reached`: how far the unit had come with `shutDown` by then.
 */
export type AgentError =
  /**
   * The deadline has passed. `outcome: 'unknown'`: the unit may have been changed as asked, or be changed later. Otherwise
   * it was not.
   */
  (
    | {
        readonly kind: 'timed-out'
        readonly message: string
        /** Present where the unit may have been changed. */
        readonly outcome?: 'unknown'
      }
    /** The caller's signal has aborted; `outcome` as for `timed-out`. */
    | {
        readonly kind: 'aborted'
        readonly message: string
        /** As for `timed-out`. */
        readonly outcome?: 'unknown'
      }
    /** The channel has ended, before or meanwhile, and why: every request that is open then ends so. */
    | {
        readonly kind: 'unit-lost'
        readonly message: string
        /** Why the channel has ended. */
        readonly closed: AgentClosed
      }
    /** The agent in the initramfs speaks no protocol version of this package; `offered` is its highest. */
    | {
        readonly kind: 'version-mismatch'
        readonly message: string
        /** The highest version that the agent speaks. */
        readonly offered: number
      }
    /** What was asked for cannot be asked: `field` says which part. Nothing was sent. */
    | {
        readonly kind: 'invalid-request'
        readonly message: string
        /** Name of the part of the request. */
        readonly field: string
      }
    /**
     * The unit refused or failed the request; `errno` is Linux's name for it (`ENOENT`), undefined for one that it does not have.
     * `EAGAIN`: too many requests are open already, and this one was not sent.
     */
    | { readonly kind: 'refused'; readonly message: string; readonly errno: string | undefined }
    /** The guest kernel lacks something: `erofs`, `virtio_pmem`, DAX … */
    | {
        readonly kind: 'kernel-lacks'
        readonly message: string
        /** As the kernel names it. */
        readonly feature: string
      }
    /** A file could not be put or got; `errno` where the kernel said it. */
    | {
        readonly kind: 'file-failed'
        readonly message: string
        /** For programs. */
        readonly reason: FileFailure
        /** Linux's name of it (errno(3)), undefined where the kernel did not say it. */
        readonly errno: string | undefined
      }
  ) & { readonly reached?: ShutdownStep }

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
  /** The unit gave it up before its end: it is being shut down, or a program in it ended the transfer. */
  | 'interrupted'
  | 'other'
