import { Buffer } from 'node:buffer'
import { type BlobIndex, decodeIndex, encodeIndex } from '../blob/blob-index.js'
import { deviceSize, LAYOUT_VERSION, readTrailer, TRAILER_BYTES } from '../blob/blob-layout.js'
import type { MetadataImage } from '../erofs/erofs-image.js'
import { doing, errorCode, throwIfAborted, writing } from '../failure.js'
import type { CacheFiles, OutputFile, Owners } from '../powers.js'
import { quote } from '../quote.js'

const MAX_INDEX_BYTES = 256 << 20

/**
 * The files of a blob cache: `blobs/ID.vN.blob` with `blobs/ID.vN.json` beside it, `images/ID.erofs`, and
 * a directory of temporary files for what is not yet known to be right. Any other name appears at once, when
 * the file is complete, checked, on the disk and read-only; nothing is ever written in place.
 */
export class CacheDirectory {
  #next = 0

  constructor(
    readonly root: string,
    readonly files: CacheFiles,
    readonly owners: Owners,
    /** On the same file system. */
    readonly temporary: string = `${root}/temporary`,
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

  /** Makes the directories and removes what builders that no longer run have left behind. */
  async prepare(): Promise<void> {
    for (const directory of [this.#blobs, this.#images, this.temporary]) {
      await writing(directory, this.files.makeDirectory(directory))
    }
    for (const name of await doing('Listing the blob cache failed', this.files.list(this.temporary))) {
      const owner = /^([0-9a-z-]+)\.[0-9]+$/.exec(name)?.[1]
      if (owner === undefined || (await this.owners.alive(owner))) continue
      await doing('Cleaning the blob cache failed', this.files.remove(`${this.temporary}/${name}`))
    }
  }

  /** The index of a blob that is there as a whole; undefined otherwise. */
  async readBlob(id: string): Promise<BlobIndex | undefined> {
    const bytes = await doing(
      `Reading ${quote(this.#indexFile(id))} failed`,
      this.files.read(this.#indexFile(id), MAX_INDEX_BYTES),
    )
    if (bytes === undefined) return undefined
    const index = decodeIndex(Buffer.from(bytes).toString('utf8'))
    if (index?.id !== id) return undefined
    return (await this.#isWhole(this.blobFile(id), id, index.sizeBytes)) ? index : undefined
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

  async writeImage({ id, bytes, imageBytes }: MetadataImage, signal: AbortSignal): Promise<void> {
    if (await this.#isWhole(this.imageFile(id), id, bytes.length)) return
    await this.#publish(this.imageFile(id), signal, async (output) => {
      await output.write(bytes.subarray(0, imageBytes), 0)
      // The zeros between stay a hole: a unit's image takes kilobytes of disk, not megabytes.
      await output.write(bytes.subarray(-TRAILER_BYTES), bytes.length - TRAILER_BYTES)
      return { id, sizeBytes: bytes.length }
    })
  }

  async #publish(
    file: string,
    signal: AbortSignal,
    fill: (output: OutputFile) => Promise<{ id: string; sizeBytes: number } | undefined>,
  ): Promise<void> {
    throwIfAborted(signal)
    const { temporary, output } = await this.#create(file)
    // Once renamed, the temporary name may already be somebody else's.
    let renamed = false
    try {
      const device = await fill(output)
      throwIfAborted(signal)
      await output.sync()
      await output.makeReadOnly()
      await output.close()
      throwIfAborted(signal)
      if (device === undefined || !(await this.#nameFirst(temporary, file, device))) {
        await writing(file, this.files.rename(temporary, file))
        renamed = true
      }
      await writing(file, this.files.syncDirectory(file.slice(0, file.lastIndexOf('/'))))
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
    makeReadOnly: () => writing(file, output.makeReadOnly()),
    close: () => writing(file, output.close()),
  }
}
