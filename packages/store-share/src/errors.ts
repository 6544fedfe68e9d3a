export type StoreError =
  | { readonly kind: 'not-a-store-path'; readonly message: string; readonly path: string }
  /** The path is not valid in this store. */
  | { readonly kind: 'missing-path'; readonly message: string; readonly path: string }
  /** A path of the closure is registered but its data is gone, or a reference is not registered. */
  | {
      readonly kind: 'missing-reference'
      readonly message: string
      readonly path: string
      readonly referrer?: string
    }
  | {
      readonly kind: 'hash-mismatch'
      readonly message: string
      readonly path: string
      readonly expected: string
      readonly actual: string
    }
  /** What a cache sent for a path is no NAR; `offset` says where. */
  | {
      readonly kind: 'malformed-nar'
      readonly message: string
      readonly path: string
      readonly offset?: number
    }
  | { readonly kind: 'unsupported-file'; readonly message: string; readonly path: string }
  | {
      readonly kind: 'device-budget'
      readonly message: string
      readonly needed: number
      readonly budget: number
    }
  | { readonly kind: 'no-space'; readonly message: string; readonly file: string }
  | { readonly kind: 'store-command'; readonly message: string; readonly stderr: string }
  | { readonly kind: 'timed-out'; readonly message: string }
  | { readonly kind: 'aborted'; readonly message: string }
  | { readonly kind: 'system'; readonly message: string; readonly code?: string; readonly cause?: unknown }
