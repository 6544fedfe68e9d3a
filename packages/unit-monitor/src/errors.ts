/** Everything that can go wrong between a machine description and a running machine. */
export type MonitorError =
  | { readonly kind: 'invalid-description'; readonly message: string; readonly field: string }
  | { readonly kind: 'monitor-missing'; readonly message: string; readonly binary: string }
  | { readonly kind: 'unsupported'; readonly message: string; readonly capability: string }
  | {
      readonly kind: 'monitor-died'
      readonly message: string
      readonly status: string
      readonly lastLines: readonly string[]
    }
  | { readonly kind: 'monitor-protocol'; readonly message: string; readonly cause?: unknown }
  | { readonly kind: 'no-slot-left'; readonly message: string; readonly slots: number }
  | { readonly kind: 'timed-out'; readonly message: string; readonly lastLines: readonly string[] }
  | { readonly kind: 'aborted'; readonly message: string }
  | { readonly kind: 'system'; readonly message: string; readonly code?: string; readonly cause?: unknown }
