/** Everything that a request can end with but its answer. */
export type ControlError =
  /** crosvm would answer Ok, or fail, without anything having been done: it was not asked. */
  | { readonly kind: 'unsupported'; readonly message: string; readonly request: string }
  | { readonly kind: 'invalid-argument'; readonly message: string; readonly argument: string }
  /** crosvm refused. `code` is the kernel's name of the error, such as `ENODEV`. */
  | {
      readonly kind: 'refused'
      readonly message: string
      readonly request: string
      readonly code: string | undefined
    }
  /** No answer within the deadline. The connection was closed: a late answer must not meet another request. */
  | { readonly kind: 'no-reply'; readonly message: string; readonly request: string }
  | { readonly kind: 'aborted'; readonly message: string; readonly request: string }
  | { readonly kind: 'malformed-reply'; readonly message: string; readonly request: string }
  /** Nobody listens (yet, or any more). */
  | { readonly kind: 'not-listening'; readonly message: string; readonly request: string }
  /** crosvm closed the connection: it ended, or was restarted. */
  | { readonly kind: 'disconnected'; readonly message: string; readonly request: string }
  | { readonly kind: 'closed'; readonly message: string; readonly request: string }
  | {
      readonly kind: 'socket-failed'
      readonly message: string
      readonly request: string
      readonly cause: unknown
    }
