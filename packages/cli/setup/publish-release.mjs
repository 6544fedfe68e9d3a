// node packages/cli/setup/publish-release.mjs FOLDER [--no-provenance]: publishes the tarballs that a release was packed
// into (npm run release:stage), in their order, each after those it depends on. What is published already is passed over,
// so a run that broke off is run again.
//
// Plain Node and npm: it runs where a token for publishing can be had, and nothing else should run there.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: { provenance: { type: 'boolean', default: true } },
})
const [folder] = positionals
if (folder === undefined || positionals.length > 1) {
  console.error('Usage: node packages/cli/setup/publish-release.mjs FOLDER [--no-provenance]')
  process.exit(2)
}

const deadline = { timeout: 100_000, killSignal: 'SIGKILL' }

for (const { name, version, file } of JSON.parse(readFileSync(join(folder, 'order.json'), 'utf8'))) {
  if (isPublished(name, version)) {
    console.log(`${name}@${version}: published already`)
    continue
  }
  const argv = ['publish', resolve(folder, file), '--ignore-scripts', '--access', 'public']
  execFileSync('npm', [...argv, `--provenance=${values.provenance}`], { stdio: 'inherit', ...deadline })
  console.log(`${name}@${version}: published`)
}

function isPublished(name, version) {
  try {
    const answer = execFileSync('npm', ['view', `${name}@${version}`, 'version', '--json'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      ...deadline,
    })
    // Nothing is printed for a version that is not there of a package that is.
    return answer.trim() !== ''
  } catch (cause) {
    // What else may be wrong with the registry is not taken for a package that is not there.
    if (`${cause.stdout}`.includes('E404')) return false
    throw cause
  }
}
