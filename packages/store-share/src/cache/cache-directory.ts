import { createHash } from 'node:crypto'
import type { ShareAcross } from '../blob/blob.js'
import { doing, writing } from '../failure.js'
import type { CacheFiles, Clock, Owners } from '../powers.js'
import { DeviceDirectory, namesIn } from './device-directory.js'
import { Leases } from './leases.js'
import { CacheVerity } from './verity.js'

/**
 * A blob cache on the disk: a device directory for what all may share (the root itself), one for each owner
 * (`owners/HASH`) and one for each private attachment (`private/HOLDER-N`), `leases`, and a directory of temporary
 * files for what is not yet known to be right. No file has names in two device directories.
 */
export class CacheDirectory {
  readonly shared: DeviceDirectory
  readonly leases: Leases
  readonly #owners = new Map<string, DeviceDirectory>()
  #nextPrivate = 0

  constructor(
    readonly root: string,
    readonly files: CacheFiles,
    readonly owners: Owners,
    readonly clock: Clock,
    /** On the same file system. */
    readonly temporary: string = `${root}/temporary`,
    readonly verity: CacheVerity = new CacheVerity(undefined),
  ) {
    this.shared = this.#devices(root)
    this.leases = new Leases(`${root}/leases`, temporary, files, owners, clock)
  }

  /** Makes the directories and removes what processes that no longer run have left unfinished. */
  async prepare(): Promise<void> {
    await this.shared.prepare()
    for (const directory of [this.leases.directory, this.temporary]) {
      await writing(directory, this.files.makeDirectory(directory))
    }
    await this.removeUnfinished()
  }

  async removeUnfinished(): Promise<void> {
    for (const name of await doing('Listing the blob cache failed', this.files.list(this.temporary))) {
      const owner = /^([0-9a-z-]+)\.[0-9]+$/.exec(name)?.[1]
      if (owner === undefined || (await this.owners.alive(owner))) continue
      await doing('Cleaning the blob cache failed', this.files.remove(`${this.temporary}/${name}`))
    }
    await this.leases.forgetTheDead()
  }

  /** Where the files for a unit belong. Each call for `never` is a directory of its own. */
  async devicesFor(share: ShareAcross): Promise<DeviceDirectory> {
    if (share.across === 'all') return this.shared
    if (share.across === 'never') {
      return this.#devices(`${this.root}/private/${await this.leases.holder()}-${this.#nextPrivate++}`)
    }
    // An owner may be any text, a file name may not.
    const name = createHash('sha256').update(`owner ${share.owner}`).digest('hex')
    const known = this.#owners.get(name) ?? this.#devices(`${this.root}/owners/${name}`)
    this.#owners.set(name, known)
    return known
  }

  /** The device directory in which a file of this cache lies; undefined for any other file. */
  devicesOf(file: string): DeviceDirectory | undefined {
    if (!file.startsWith(`${this.root}/`)) return undefined
    const below = file.slice(this.root.length + 1)
    const place = /^((?:owners|private)\/[0-9a-z.-]+)\/blobs\/[^/]+$/.exec(below)?.[1]
    if (place !== undefined) return this.#devices(`${this.root}/${place}`)
    return /^blobs\/[^/]+$/.test(below) ? this.shared : undefined
  }

  /** Every device directory that is there now. */
  async all(): Promise<DeviceDirectory[]> {
    const found = [this.shared]
    for (const kind of ['owners', 'private']) {
      for (const name of [...(await namesIn(this.files, `${this.root}/${kind}`))].sort()) {
        if (/^[0-9a-z.-]+$/.test(name)) found.push(this.#devices(`${this.root}/${kind}/${name}`))
      }
    }
    return found
  }

  isPrivate(devices: DeviceDirectory): boolean {
    return devices.root.startsWith(`${this.root}/private/`)
  }

  /** What a lease calls a file. */
  leaseName(file: string): string {
    return file.slice(this.root.length + 1)
  }

  #devices(root: string): DeviceDirectory {
    return new DeviceDirectory(root, this.files, this.owners, this.temporary, this.verity)
  }
}
