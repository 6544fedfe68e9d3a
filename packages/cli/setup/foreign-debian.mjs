import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram, lastLines, Problem, remedyFor, run } from './commands.mjs'
import { cache } from './places.mjs'

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

/**
 * Downloads packages of another Debian suite or architecture with apt, which checks their signatures, into the
 * directory `into`. The machine's own apt is not touched: lists and sources are this project's, in its cache.
 *
 * @param {{ suites: readonly string[], architecture: string, names: readonly string[], into: string,
 *   signal?: AbortSignal, say?: (line: string) => void }} wanted `names` may say `=VERSION`
 */
export async function downloadFromDebian({ suites, architecture, names, into, signal, say = () => {} }) {
  const apt = await foreignApt(suites, architecture, signal)
  const download = () => apt('apt-get', ['download', ...names], { cwd: into })
  let outcome = await download()
  if (outcome.code !== 0) {
    say(`  apt's lists of ${suites.join(', ')} for ${architecture}`)
    const updated = await apt('apt-get', ['update'])
    outcome = updated.code === 0 ? await download() : updated
  }
  if (outcome.code !== 0)
    throw new Problem(
      `apt-get could not download ${names.join(' ')} for ${architecture} from ${suites.join(', ')}`,
      remedyFor(outcome.both, 'check the network and apt, then run this again'),
      lastLines(outcome.both),
    )
}

/** What a package depends on directly, by the lists that the last download brought. */
export async function foreignDependencies({ suites, architecture, name, signal, say = () => {} }) {
  const apt = await foreignApt(suites, architecture, signal)
  const ask = async () => {
    const { stdout } = await apt('apt-cache', ['depends', '--important', name])
    return [...stdout.matchAll(/Depends: (\S+)/g)].map(([, dependency]) => dependency)
  }
  const known = await ask()
  if (known.length > 0) return known
  say(`  apt's lists of ${suites.join(', ')} for ${architecture}`)
  await apt('apt-get', ['update'])
  return ask()
}

async function foreignApt(suites, architecture, signal) {
  if (!findProgram('apt-get') || !findProgram('dpkg-deb'))
    throw new Problem('This comes from Debian, and this system has no apt', 'use a Debian system')
  const place = join(cache, 'debian-lists', `${suites.join('+')}-${architecture}`)
  for (const part of ['lists/partial', 'archives/partial']) mkdirSync(join(place, part), { recursive: true })
  const mirrors = await mirrorsInUse(signal)
  const sources = suites.map((suite) => {
    const site = suite.endsWith('-security') ? mirrors.security : mirrors.main
    return `deb [arch=${architecture} signed-by=${keyring}] ${site} ${suite} main\n`
  })
  const list = join(place, 'sources.list')
  writeFileSync(list, sources.join(''))
  const settings = [
    `Dir::Etc::sourcelist=${list}`,
    'Dir::Etc::sourceparts=/dev/null',
    `Dir::State::lists=${join(place, 'lists')}`,
    'Dir::State::status=/dev/null',
    `Dir::Cache=${place}`,
    `APT::Architecture=${architecture}`,
    `APT::Architectures=${architecture}`,
    'Acquire::Languages=none',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false',
    // As root, apt would warn that its sandbox user cannot write here.
    ...(process.getuid() === 0 ? ['APT::Sandbox::User=root'] : []),
  ].flatMap((setting) => ['-o', setting])
  return (program, argv, options = {}) =>
    run(program, [...settings, ...argv], { signal, env: { LC_ALL: 'C' }, deadlineMs: 300_000, ...options })
}

/** The mirrors that this machine uses already, so that whatever makes them reachable holds here too. */
async function mirrorsInUse(signal) {
  const argv = ['indextargets', '--format', '$(LABEL)\t$(SITE)', 'Created-By: Packages']
  const { stdout } = await run('apt-get', argv, { signal, env: { LC_ALL: 'C' } })
  const sites = new Map(stdout.split('\n').map((line) => line.split('\t')))
  const main = sites.get('Debian')
  if (!main)
    throw new Problem(
      'apt uses no mirror of Debian here',
      "add one to apt's sources, then run apt-get update",
    )
  return { main, security: sites.get('Debian-Security') ?? `${main}-security` }
}
