/** A reference to store paths and everything they reference. Plain data: nothing is looked up until a host starts. */
export interface ClosureReference {
  readonly kind: 'closure'
  /** Absolute store paths, as written: a host checks them against its store. */
  readonly roots: readonly string[]
}

/** Names the closure of these store paths, for {@link defineUnit} or for adding software to a running unit. */
export function closure(...roots: readonly string[]): ClosureReference {
  return Object.freeze({ kind: 'closure', roots: Object.freeze([...roots]) })
}
