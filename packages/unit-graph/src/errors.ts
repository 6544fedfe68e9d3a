/** Why units do not make a graph. `path` leads to the fault: `['left', 'memoryBytes']`. */
export type GraphError =
  | { readonly kind: 'no-units'; readonly message: string; readonly path: readonly string[] }
  | { readonly kind: 'not-a-unit'; readonly message: string; readonly path: readonly string[] }
  | {
      readonly kind: 'invalid-name'
      readonly message: string
      readonly path: readonly string[]
      readonly name: string
    }
  | {
      readonly kind: 'duplicate-name'
      readonly message: string
      readonly path: readonly string[]
      readonly name: string
      /** The key that holds the name already. */
      readonly other: string
    }
  | { readonly kind: 'empty-closure'; readonly message: string; readonly path: readonly string[] }
  | { readonly kind: 'invalid-value'; readonly message: string; readonly path: readonly string[] }
