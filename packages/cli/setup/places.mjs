import { readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The top of the checkout. */
export const root = fileURLToPath(new URL('../../../', import.meta.url)).replace(/\/$/, '')

// The XDG Base Directory Specification has a relative path ignored.
const xdgCache = () =>
  process.env.XDG_CACHE_HOME?.startsWith('/')
    ? process.env.XDG_CACHE_HOME
    : join(process.env.HOME || homedir(), '.cache')

/** Where things are kept that are worth more than one checkout: guest kernels, other Node versions. */
export const cache = join(xdgCache(), 'spectrum')

/** Stamps of what has been built; gone with node_modules, so a fresh install builds afresh. */
export const stamps = join(root, 'node_modules', '.cache', 'spectrum')

/** Leaves no doubt which build a directory beside its final place belongs to. */
export const temporaryName = () => `.new-${process.pid}-${Math.random().toString(36).slice(2, 10)}`

/** Temporary directories of set-ups that were killed; those of running ones stay. */
export function abandoned(directory) {
  let names
  try {
    names = readdirSync(directory)
  } catch {
    return []
  }
  return names.filter((name) => {
    const pid = /^\.new-(\d+)-/.exec(name)?.[1]
    if (pid === undefined || Number(pid) === process.pid) return false
    try {
      process.kill(Number(pid), 0)
      return false
    } catch (error) {
      return error.code === 'ESRCH'
    }
  })
}
