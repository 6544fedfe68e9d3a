import { homedir } from 'node:os'
import type { HostPlaces } from '../host-directory.js'

/** Environment variables by name, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * `$XDG_STATE_HOME/spectrum` and `$XDG_CACHE_HOME/spectrum`, by default below the home directory (XDG Base
 * Directory Specification 0.8: a relative path in these variables is ignored).
 */
export function defaultPlaces(env: Environment): HostPlaces {
  const home = absolute(env['HOME']) ?? homedir()
  return {
    state: `${absolute(env['XDG_STATE_HOME']) ?? `${home}/.local/state`}/spectrum`,
    cache: `${absolute(env['XDG_CACHE_HOME']) ?? `${home}/.cache`}/spectrum`,
  }
}

function absolute(path: string | undefined): string | undefined {
  return path?.startsWith('/') ? path.replace(/(?<=.)\/+$/, '') : undefined
}
