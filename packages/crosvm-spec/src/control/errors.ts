/**
 * Everything that a request can end with but its answer. `request` is its name here, such as `adjust-balloon`.
 */
export type ControlError =
  /** crosvm would answer Ok, or fail, without anything having been done: it was not asked. */
  | {
      readonly kind: 'unsupported'
      readonly message: string
      /** Its name here: `adjust-balloon` … */
      readonly request: string
    }
  /**
   * The protocol cannot hold a value, or this machine has no such thing: it was not sent. `argument` is the
   * property.
   */
  | {
      readonly kind: 'invalid-argument'
      readonly message: string
      /** Name of the property. */
      readonly argument: string
    }
  /**
   * crosvm refused. `code` is the kernel's name of the error, such as `ENODEV`; undefined where crosvm gave a text
   * instead, which `message` has.
   */
  | {
      readonly kind: 'refused'
      readonly message: string
      /** Its name here: `adjust-balloon` … */
      readonly request: string
      /** The kernel's name of the error, such as `ENODEV`; undefined where crosvm gave a text. */
      readonly code: string | undefined
    }
  /** No answer within the deadline. The connection was closed: a late answer must not meet another request. */
  | {
      readonly kind: 'no-reply'
      readonly message: string
      /** Its name here: `adjust-balloon` … */
      readonly request: string
    }
  /** The caller's signal aborted. What was sent by then may still be done, and its connection was closed. */
  | {
      readonly kind: 'aborted'
      readonly message: string
      /** Its name here: `adjust-balloon` … */
      readonly request: string
    }
  /**
   * The answer is not understood, or is one to another request: this package and the binary disagree. The
   * connection was closed where the packet itself was cut.
   */
  | {
      readonly kind: 'malformed-reply'
      readonly message: string
      /** Its name here: `adjust-balloon` … */
      readonly request: string
    }
  /** Nobody listens (yet, or any more). */
  | {
      readonly kind: 'not-listening'
      readonly message: string
      /** Its name here: `adjust-balloon` … */
      readonly request: string
    }
  /** crosvm closed the connection: it ended, or was restarted. */
  | {
      readonly kind: 'disconnected'
      readonly message: string
      /** Its name here: `adjust-balloon` … */
      readonly request: string
    }
  /** This client was closed before or meanwhile: open another. */
  | {
      readonly kind: 'closed'
      readonly message: string
      /** Its name here: `adjust-balloon` … */
      readonly request: string
    }
  /** The socket itself failed; `cause` is the error of unix-fd. */
  | {
      readonly kind: 'socket-failed'
      readonly message: string
      /** Its name here: `adjust-balloon` … */
      readonly request: string
      /** The error of unix-fd. */
      readonly cause: unknown
    }
