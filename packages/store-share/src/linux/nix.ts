import { randomBytes } from 'node:crypto'
import type { ResultAsync } from 'neverthrow'
import type { StoreOptions, StorePathInfo } from '../closure.js'
import type { StoreError } from '../errors.js'
import { nixDatabase as databaseWith, type NixDatabase, type NixDatabaseOptions } from '../nix/database.js'
import { hashNar as hashWith, type NarSummary, verifyNar as verifyWith } from '../nix/nar/hash.js'
import { SecretKey } from '../nix/signature.js'
import { sha256 } from './hash-thread.js'
import { clock } from './process.js'
import { databaseReader } from './sqlite.js'
import { treeReader } from './tree.js'

/** Nix's database on this machine. It needs no Nix, but SQLite: Node's own, or the command `sqlite3`. */
export function nixDatabase(options: NixDatabaseOptions = {}): NixDatabase {
  return databaseWith({ clock, database: databaseReader, tree: treeReader }, options)
}

/** Hash and size of the NAR of a file, directory or link of this machine. */
export function hashNar(location: string, options: StoreOptions = {}): ResultAsync<NarSummary, StoreError> {
  return hashWith({ clock, tree: treeReader, sha256 }, location, options)
}

/** Whether a path of this machine is what was registered, as `nix-store --verify-path` tells. */
export function verifyNar(
  info: Pick<StorePathInfo, 'path' | 'narHash' | 'narSize'>,
  location: string = info.path,
  options: StoreOptions = {},
): ResultAsync<void, StoreError> {
  return verifyWith({ clock, tree: treeReader, sha256 }, info, location, options)
}

/** A new key pair. `reveal()` it into a file that only you can read. */
export function generateSecretKey(name: string): SecretKey {
  return new SecretKey(name, randomBytes(32))
}

export { databaseReader }
