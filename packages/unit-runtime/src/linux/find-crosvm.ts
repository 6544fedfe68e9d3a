import { access, constants, stat } from 'node:fs/promises'

/** Absolute path of this machine's crosvm: what `CROSVM` names, else the first on the search path. */
export async function findCrosvm(environment: {
  readonly [name: string]: string | undefined
}): Promise<string | undefined> {
  const { CROSVM: named, PATH: searchPath = '/usr/bin:/bin' } = environment
  // Named but not there: it stays the candidate, so that the choice says what is wrong with it.
  if (named?.startsWith('/')) return named
  for (const directory of searchPath.split(':')) {
    const path = `${directory}/crosvm`
    if (directory.startsWith('/') && (await isProgram(path))) return path
  }
  return undefined
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
