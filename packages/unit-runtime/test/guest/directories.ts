import { mkdir, symlink } from 'node:fs/promises'
import { defaultPlaces } from '../../src/linux.js'

export interface Directories {
  readonly stateDirectory: string
  readonly cacheDirectory: string
}

/**
 * Directories below this one, for hosts of their own. What a machine boots with is kept where the user's hosts keep it:
 * to boot one in each cache, to find that out again, takes as long as what is tested.
 */
export async function directoriesIn(root: string): Promise<Directories> {
  const cacheDirectory = `${root}/cache`
  await knowMonitors(cacheDirectory)
  return { stateDirectory: `${root}/state`, cacheDirectory }
}

export async function knowMonitors(cacheDirectory: string): Promise<void> {
  const known = `${defaultPlaces(process.env).cache}/monitors`
  for (const directory of [known, cacheDirectory]) await mkdir(directory, { recursive: true, mode: 0o700 })
  await symlink(known, `${cacheDirectory}/monitors`)
}
