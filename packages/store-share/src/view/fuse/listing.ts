import { Buffer } from 'node:buffer'
import type { Fd, TreeCalls } from '@spectrum/unix-fd'
import type { ByteString } from '../../powers.js'
import { DT_DIRECTORY, DT_FILE, DT_SYMLINK, DT_UNKNOWN, ERRNO } from './protocol.js'

export interface ListedEntry {
  readonly name: ByteString
  /** DT_DIRECTORY, DT_FILE, DT_SYMLINK, or DT_UNKNOWN where the file system does not say. */
  readonly kind: number
  /** The host's. */
  readonly inodeLow: number
  readonly inodeHigh: number
}

/**
 * What is in a directory, in the order of its names: the same each time, because a place in it is what a guest
 * goes on from.
 */
export type Listing = readonly ListedEntry[]

const KINDS: ReadonlySet<number> = new Set([DT_UNKNOWN, DT_DIRECTORY, DT_FILE, DT_SYMLINK])

/** linux_dirent64: ino (8), off (8), reclen (2), type (1), name. */
const RECORD_LENGTH = 16
const TYPE = 18
const NAME = 19

/** Every directory is read through it. */
const room = Buffer.allocUnsafeSlow(64 * 1024)

/** Reads a directory. `-errno` when that fails; ENOMEM when it has more than `maxEntries`. */
export function readListing(tree: TreeCalls, directory: Fd, maxEntries: number): Listing | number {
  const entries: ListedEntry[] = []
  for (let again = true; ; again = false) {
    const length = tree.list(directory, room, again)
    if (length < 0) return length
    if (length === 0) break
    for (let at = 0; at < length; at += room.readUInt16LE(at + RECORD_LENGTH)) {
      const kind = room[at + TYPE]!
      const name = room.toString('latin1', at + NAME, room.indexOf(0, at + NAME))
      // What is neither of the three kinds is in no store path: nobody gets to see it.
      if (name === '.' || name === '..' || !KINDS.has(kind)) continue
      entries.push({ name, kind, inodeLow: room.readUInt32LE(at), inodeHigh: room.readUInt32LE(at + 4) })
      if (entries.length > maxEntries) return -ERRNO.ENOMEM
    }
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
}
