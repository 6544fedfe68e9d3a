import { createHash } from 'node:crypto'
import type { Attachment, Blob, Closure, StoreError, StorePathInfo, StoreSource } from '@spectrum/store-share'
import { errAsync, okAsync, type ResultAsync } from 'neverthrow'
import type { HostBlobCache, StoreFiles } from '../powers.js'

/** Store paths by name, with what they reference. */
export type FakeStorePaths = Readonly<
  Record<
    string,
    {
      /** Store paths (`/nix/store/HASH-NAME`) that it references; none by default. */
      readonly references?: readonly string[]
    }
  >
>

const STORE_PATH = /^\/nix\/store\/[0-9a-df-np-sv-z]{32}-[0-9a-zA-Z+\-._?=]+$/
const BLOB_BYTES = 2 * 1024 * 1024

/** A store without files: it knows which paths exist and what they reference. */
export function memoryStore(paths: FakeStorePaths): StoreSource {
  return {
    closure: (roots) => closureOf(paths, roots),
    locate: (path) => path,
  }
}

function closureOf(paths: FakeStorePaths, roots: readonly string[]): ResultAsync<Closure, StoreError> {
  const wrong = roots.find((root) => !STORE_PATH.test(root))
  if (wrong !== undefined) {
    const message = `${JSON.stringify(wrong)} is not a store path; write it as /nix/store/HASH-NAME.`
    return errAsync({ kind: 'not-a-store-path', message, path: wrong })
  }
  const found = new Map<string, StorePathInfo>()
  const waiting = roots.map((path) => ({ path, referrer: undefined as string | undefined }))
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { path, referrer } = next
    if (found.has(path)) continue
    const entry = paths[path]
    if (entry === undefined && referrer === undefined) {
      return errAsync({ kind: 'missing-path', message: `${path} is not in this store.`, path })
    }
    if (entry === undefined) {
      const message = `${path} is referenced by ${referrer} but is not in this store.`
      return errAsync({ kind: 'missing-reference', message, path, referrer: referrer! })
    }
    const references = [...(entry.references ?? [])].sort()
    found.set(path, { path, narHash: digest(path), narSize: 4096, references })
    for (const each of references) waiting.push({ path: each, referrer: path })
  }
  const sorted = [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
  return okAsync({ roots: [...roots].sort(), paths: sorted })
}

/** Attachments without files; `names(id)` tells what is in the metadata image of that id. */
export interface MemoryBlobCache extends HostBlobCache {
  /** Base names (`HASH-NAME`) in the metadata image of this id; undefined when none was made of it. */
  names(id: string): readonly string[] | undefined
}

/** `blobBytes`: how large each blob pretends to be. */
export function memoryBlobCache(blobBytes = BLOB_BYTES): MemoryBlobCache {
  const blobOf = (info: StorePathInfo) => blobSized(info, blobBytes)
  const images = new Map<string, readonly string[]>()
  const attach = (closure: Closure): Attachment => {
    const names = closure.paths.map((info) => info.path.slice('/nix/store/'.length))
    const id = digest(`image ${names.join(' ')}`)
    images.set(id, names)
    return {
      closure,
      metadata: { id, file: `/fake/images/${id}`, sizeBytes: BLOB_BYTES },
      blobs: closure.paths.map(blobOf),
      names,
    }
  }
  const fits = (closure: Closure, budget = 24, present: readonly Blob[] = []): StoreError | undefined => {
    const held = new Set(present.map(({ id }) => id))
    const needed = closure.paths.filter(({ narHash }) => !held.has(narHash)).length + 1
    const message = `${needed} devices are needed and ${budget} are left.`
    return needed > budget ? { kind: 'device-budget', message, needed, budget } : undefined
  }
  return {
    release: () => okAsync(undefined),
    close: () => okAsync(undefined),
    names: (id) => images.get(id),
    blob: (info) => okAsync(blobOf(info)),
    attach(closure, options) {
      const error = fits(closure, options?.deviceBudget, options?.present)
      return error === undefined ? okAsync(attach(closure)) : errAsync(error)
    },
    attachAll(closures, options) {
      for (const closure of closures.values()) {
        const error = fits(closure, options?.deviceBudget)
        if (error !== undefined) return errAsync(error)
      }
      return okAsync(new Map([...closures].map(([unit, closure]) => [unit, attach(closure)])))
    },
  }
}

function blobSized({ path, narHash }: StorePathInfo, sizeBytes: number): Blob {
  return { id: narHash, file: `/fake/blobs/${narHash}`, sizeBytes, storePaths: [path] }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** The contents of files, by absolute path. */
export function memoryStoreFiles(files: Readonly<Record<string, Uint8Array>>): StoreFiles {
  return {
    async list(directory) {
      const below = Object.keys(files).filter((path) => path.startsWith(`${directory}/`))
      return [...new Set(below.map((path) => path.slice(directory.length + 1).split('/')[0]!))]
    },
    async open(root, relative) {
      const bytes = files[`${root}/${relative}`]
      if (bytes === undefined) return undefined
      return {
        sizeBytes: bytes.length,
        read: async (offset, length) => bytes.subarray(offset, offset + length),
        async [Symbol.asyncDispose]() {},
      }
    },
  }
}
