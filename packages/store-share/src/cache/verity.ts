/** What became of the wish that the kernel checks a file whenever it reads it from the disk (fs-verity). */
export type VerityState =
  /** `digest`: as the kernel measures it, such as `sha256:HEX`. */
  | { readonly kind: 'enabled'; readonly digest: string }
  | {
      readonly kind: 'unsupported'
      /** Why not. */
      readonly message: string
    }

/** fs-verity, as a power. Source: Linux, Documentation/filesystems/fsverity.rst. */
export interface FileVerity {
  /** For a complete file that nobody has open for writing; nobody can write it afterwards. */
  enable(path: string, signal: AbortSignal): Promise<VerityState>
  /** Undefined for a file without it. */
  measure(path: string, signal: AbortSignal): Promise<string | undefined>
}

/** Remembers that the file system of a cache does not have it, so that it is tried once. */
export class CacheVerity {
  #unsupported: string | undefined

  constructor(readonly verity: FileVerity | undefined) {
    if (verity === undefined) this.#unsupported = 'fs-verity is switched off for this cache.'
  }

  /** Why it is not used; undefined where it is, or has not been tried. */
  get unsupported(): string | undefined {
    return this.#unsupported
  }

  async enable(path: string, signal: AbortSignal): Promise<void> {
    if (this.verity === undefined || this.#unsupported !== undefined) return
    const state = await this.verity.enable(path, signal)
    if (state.kind === 'unsupported') this.#unsupported = state.message
  }

  async isEnabled(path: string, signal: AbortSignal): Promise<boolean> {
    if (this.verity === undefined || this.#unsupported !== undefined) return false
    return (await this.verity.measure(path, signal)) !== undefined
  }
}
