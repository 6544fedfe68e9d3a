import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { lastLines, Problem, remedyFor, run } from './commands.mjs'
import { root } from './places.mjs'

const installedList = join(root, 'node_modules', '.package-lock.json')

/**
 * node_modules against package-lock.json. npm writes its own list of what it installed at the very end, so a
 * list that agrees and whose directories exist means an installation that was finished.
 */
export const npmDependencies = {
  name: 'npm dependencies',

  missing() {
    const wanted = readLock(join(root, 'package-lock.json'))
    if (wanted === undefined)
      throw new Problem(
        'package-lock.json is absent or damaged',
        'restore it: git checkout package-lock.json',
      )
    const reason = difference(wanted, readLock(installedList))
    return reason === undefined
      ? []
      : [{ what: 'npm install', why: `the tools and libraries of package-lock.json (${reason})`, reason }]
  },

  async install(_missing, { signal }) {
    // What an interrupted npm leaves behind looks whole to npm itself, so it is not built upon.
    if (!existsSync(installedList)) rmSync(join(root, 'node_modules'), { recursive: true, force: true })
    // Gone until npm has written it anew: if this is interrupted, the next run sees an unfinished installation.
    rmSync(installedList, { force: true })
    const npm = npmCommand()
    // Not `npm ci`: it refuses a registry mirror that lacks some optional binary of a foreign platform.
    // The comparison below is as strict.
    const argv = [
      ...npm.argv,
      'install',
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--ignore-scripts',
      '--loglevel=error',
    ]
    const outcome = await run(npm.file, argv, { cwd: root, signal, env: { CI: 'true' } })
    if (outcome.code !== 0)
      throw new Problem(
        'npm install failed',
        remedyFor(outcome.both, 'read the reason above, put it right, then run this again'),
        lastLines(outcome.both),
      )
    const [still] = this.missing()
    if (still !== undefined)
      throw new Problem(
        `What npm installed is not what package-lock.json says: ${still.reason}`,
        'package.json and package-lock.json disagree: run `npm install`, look at the difference, commit it',
      )
  },
}

/** The npm that is running this, or the one on the search path. */
export function npmCommand() {
  const cli = process.env.npm_execpath
  if (cli && /npm-cli\.c?js$/.test(cli) && existsSync(cli)) return { file: process.execPath, argv: [cli] }
  return { file: 'npm', argv: [] }
}

function readLock(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages
  } catch {
    return undefined
  }
}

function difference(wanted, installed) {
  if (installed === undefined)
    return existsSync(join(root, 'node_modules')) ? 'an unfinished installation' : 'none yet'
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue
    const there = installed[path]
    if (there === undefined) {
      if (entry.optional || entry.peer || entry.devOptional) continue
      return `${path} is absent`
    }
    if (there.version !== entry.version || there.integrity !== entry.integrity) return `${path} has changed`
    if (!existsSync(join(root, path))) return `${path} has been removed`
  }
  const extra = Object.keys(installed).find((path) => wanted[path] === undefined && !installed[path].optional)
  return extra === undefined ? undefined : `${extra} is no longer wanted`
}
