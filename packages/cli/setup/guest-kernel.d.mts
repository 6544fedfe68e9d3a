/** What is missing, and what for. */
export interface Missing {
  readonly what: string
  readonly why: string
}

/** `guest-kernel` in the cache; the set-up's kernel is below `current` there. */
export const kernels: string

/** The set-up's step that keeps a kernel for guests. Its failures are Problems. */
export const guestKernel: {
  missing(): readonly Missing[]
  install(
    missing: readonly Missing[],
    options: { readonly signal: AbortSignal; readonly say: (line: string) => void },
  ): Promise<void>
}
