import { Buffer } from 'node:buffer'
import { type BlobIndex, decodeIndex, encodeIndex } from '../blob/blob-index.js'
import { deviceSize, LAYOUT_VERSION, readTrailer, TRAILER_BYTES } from '../blob/blob-layout.js'
import type { MetadataImage } from '../erofs/erofs-image.js'
import { doing, errorCode, throwIfAborted, writing } from '../failure.js'
import type { CacheFiles, OutputFile, Owners } from '../powers.js'
import { quote } from '../quote.js'
import type { CacheVerity } from './verity.js'

const MAX_INDEX_BYTES = 256 << 20

/** A file of a device directory, by its name. Other names are left alone. */
export interface NamedFile {
  /** Below the directory: `blobs/ID.vN.blob`, `blobs/ID.vN.json` or `images/ID.erofs`. */
  readonly name: string
  readonly kind: 'blob' | 'index' | 'image'
  readonly id: string
}

/**
 * Blobs and images: `blobs/ID.vN.blob` with `blobs/ID.vN.json` beside it, and `images/ID.erofs`. A name appears at
 * once, when the file is complete, checked and read-only; nothing is ever written in place.
 *
 * After a crash of the machine no name may stand for wrong data. A blob is on the disk before it has its name; an
 * index carries its own checksum and an image is compared with what it should be, so these need not wait for the
 * disk, and neither do the names: one that is lost is only built again.
 */
export class DeviceDirectory {
  #next = 0
  #prepared: Promise<void> | undefined

  constructor(
    readonly root: string,
    readonly files: CacheFiles,
    readonly owners: Owners,
    /** On the same file system. */
    readonly temporary: string,
    readonly verity: CacheVerity,
  ) {}

  get #blobs(): string {
    return `${this.root}/blobs`
  }

  get #images(): string {
    return `${this.root}/images`
  }

  blobFile(id: string): string {
    return `${this.#blobs}/${id}.v${LAYOUT_VERSION}.blob`
  }

  imageFile(id: string): string {
    return `${this.#images}/${id}.erofs`
  }

  #indexFile(id: string): string {
    return `${this.#blobs}/${id}.v${LAYOUT_VERSION}.json`
  }

  /** Makes the directories. */
  prepare(): Promise<void> {
    this.#prepared ??= (async () => {
      for (const directory of [this.#blobs, this.#images]) {
        await writing(directory, this.files.makeDirectory(directory))
      }
    })()
    this.#prepared.catch(() => {
      this.#prepared = undefined
    })
    return this.#prepared
  }

  /** What is there, sorted by name. */
  async list(): Promise<NamedFile[]> {
    const found: NamedFile[] = []
    for (const [directory, pattern] of [
      ['blobs', /^([0-9a-f]{64})\.v[0-9]+\.(blob|json)$/],
      ['images', /^([0-9a-f]{64})\.(erofs)$/],
    ] as const) {
      const names = await namesIn(this.files, `${this.root}/${directory}`)
      for (const each of [...names].sort()) {
        const [, id, suffix] = pattern.exec(each) ?? []
        if (id === undefined) continue
        const kind = suffix === 'blob' ? 'blob' : suffix === 'json' ? 'index' : 'image'
        found.push({ name: `${directory}/${each}`, kind, id })
      }
    }
    return found
  }

  /** Gone for everybody who does not have it open. A file that is mapped stays whole for those who map it. */
  async remove(name: string): Promise<void> {
    await doing(`Removing ${quote(name)} failed`, this.files.remove(`${this.root}/${name}`))
  }

  /**
   * Takes the name away at once; the space is free when the returned function has run, which may take a while.
   * Undefined when somebody else has taken it.
   */
  async takeAway(name: string): Promise<(() => Promise<void>) | undefined> {
    const { temporary, output } = await this.#create(name)
    await output.close()
    const free = () => doing(`Removing ${quote(name)} failed`, this.files.remove(temporary))
    try {
      await this.files.rename(`${this.root}/${name}`, temporary)
      return free
    } catch (thrown) {
      await free()
      if (errorCode(thrown) === 'ENOENT') return undefined
      return doing(`Removing ${quote(name)} failed`, Promise.reject(thrown))
    }
  }

  /** Removes the directories, if nothing is left in them. */
  async removeEmpty(): Promise<void> {
    for (const directory of [this.#blobs, this.#images, this.root]) {
      await doing('Removing an empty directory failed', this.files.removeDirectory(directory))
    }
  }

  /** The index of a blob that is there as a whole; undefined otherwise. */
  async readBlob(id: string): Promise<BlobIndex | undefined> {
    const index = await this.readIndex(id)
    if (index === undefined) return undefined
    return (await this.#isWhole(this.blobFile(id), id, index.sizeBytes)) ? index : undefined
  }

  /** Undefined when there is none that can be trusted. */
  async readIndex(id: string): Promise<BlobIndex | undefined> {
    const bytes = await doing(
      `Reading ${quote(this.#indexFile(id))} failed`,
      this.files.read(this.#indexFile(id), MAX_INDEX_BYTES),
    )
    if (bytes === undefined) return undefined
    const index = decodeIndex(Buffer.from(bytes).toString('utf8'))
    return index?.id === id ? index : undefined
  }

  /** `fill` writes the blob and says what is in it. Whatever fails, no file is left behind. */
  async writeBlob(
    id: string,
    signal: AbortSignal,
    fill: (output: OutputFile) => Promise<BlobIndex>,
  ): Promise<BlobIndex> {
    let index: BlobIndex | undefined
    const file = this.blobFile(id)
    await this.#publish(file, signal, async (output) => {
      index = await fill(output)
      return { id, sizeBytes: index.sizeBytes }
    })
    const text = Buffer.from(encodeIndex(index!), 'utf8')
    await this.#publish(this.#indexFile(id), signal, async (output) => {
      await output.write(text, 0)
      return undefined
    })
    return index!
  }

  async writeImage(image: MetadataImage, signal: AbortSignal): Promise<void> {
    const { id, bytes, imageBytes } = image
    if (await this.#isImage(image)) return
    await this.#publish(this.imageFile(id), signal, async (output) => {
      await output.write(bytes.subarray(0, imageBytes), 0)
      // The zeros between stay a hole: a unit's image takes kilobytes of disk, not megabytes.
      await output.write(bytes.subarray(-TRAILER_BYTES), bytes.length - TRAILER_BYTES)
      return undefined
    })
  }

  async #isImage({ id, bytes, imageBytes }: MetadataImage): Promise<boolean> {
    const file = this.imageFile(id)
    if (!(await this.#isWhole(file, id, bytes.length))) return false
    const found = await doing(`Reading ${quote(file)} failed`, this.files.readAt(file, 0, imageBytes))
    return Buffer.compare(found, bytes.subarray(0, imageBytes)) === 0
  }

  /** `fill` returns the blob that it wrote; undefined for a file whose damage is found when it is read. */
  async #publish(
    file: string,
    signal: AbortSignal,
    fill: (output: OutputFile) => Promise<{ id: string; sizeBytes: number } | undefined>,
  ): Promise<void> {
    throwIfAborted(signal)
    await this.prepare()
    const { temporary, output } = await this.#create(file)
    // Once renamed, the temporary name may already be somebody else's.
    let renamed = false
    try {
      const blob = await fill(output)
      throwIfAborted(signal)
      if (blob !== undefined) await output.sync()
      await output.close()
      // While it is still writable by its owner, without which fs-verity needs privileges.
      if (blob !== undefined) await this.verity.enable(temporary, signal)
      await writing(file, this.files.makeReadOnly(temporary))
      throwIfAborted(signal)
      if (blob === undefined || !(await this.#nameFirst(temporary, file, blob))) {
        await writing(file, this.files.rename(temporary, file))
        renamed = true
      }
    } finally {
      // The file goes even when closing it reports a late failure to write.
      await output.close().finally(() => (renamed ? undefined : this.files.remove(temporary)))
    }
  }

  /**
   * Another process may be first. Units may map its file already, and a second copy would share nothing; so the
   * name is taken by a link, which takes nobody's place. False when the file must take the place of a damaged
   * one, or where there are no links.
   */
  async #nameFirst(
    temporary: string,
    file: string,
    device: { readonly id: string; readonly sizeBytes: number },
  ): Promise<boolean> {
    try {
      await this.files.link(temporary, file)
      return true
    } catch (thrown) {
      const code = errorCode(thrown)
      if (code === 'ENOSPC' || code === 'EDQUOT') await writing(file, Promise.reject(thrown))
      if (code === undefined) throw thrown
    }
    return this.#isWhole(file, device.id, device.sizeBytes)
  }

  async #create(file: string): Promise<{ temporary: string; output: OutputFile }> {
    for (;;) {
      const temporary = `${this.temporary}/${this.owners.self}.${this.#next++}`
      try {
        return { temporary, output: reportingWrites(file, await this.files.create(temporary)) }
      } catch (thrown) {
        // Another cache of this process, on the same directory, has the number.
        if (errorCode(thrown) !== 'EEXIST') await writing(file, Promise.reject(thrown))
      }
    }
  }

  async #isWhole(file: string, id: string, sizeBytes: number): Promise<boolean> {
    const reading = `Reading ${quote(file)} failed`
    if (sizeBytes !== deviceSize(sizeBytes - TRAILER_BYTES)) return false
    if ((await doing(reading, this.files.sizeOf(file))) !== sizeBytes) return false
    const trailer = await doing(reading, this.files.readAt(file, sizeBytes - TRAILER_BYTES, TRAILER_BYTES))
    return readTrailer(trailer) === id
  }
}

/** Failures of the file name what it will be, not the temporary name. */
function reportingWrites(file: string, output: OutputFile): OutputFile {
  return {
    write: (bytes, position) => writing(file, output.write(bytes, position)),
    sync: () => writing(file, output.sync()),
    close: () => writing(file, output.close()),
  }
}

/** Of a directory of the cache; none when it is not there. */
export function namesIn(files: CacheFiles, directory: string): Promise<readonly string[]> {
  return doing(
    'Listing the blob cache failed',
    files.list(directory).catch((thrown) => {
      if (errorCode(thrown) === 'ENOENT') return []
      throw thrown
    }),
  )
}
