// Loads what would be published, on the Node that runs this: each entry by `import` and by `require`, from a
// sibling's point of view. Prints a tally as its last line.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { packagesInOrder } from './workspace.mjs'

const tally = { passed: 0, failures: [], skips: [] }

async function attempt(name, load) {
  try {
    const module = await load()
    if (module === undefined || module === null) throw new Error('loaded nothing')
    tally.passed++
  } catch (error) {
    tally.failures.push({ file: 'load-built', name: `${name}: ${error.message.split('\n')[0]}` })
  }
}

for (const { path, manifest } of packagesInOrder()) {
  if (!existsSync(join(path, 'dist'))) {
    tally.failures.push({ file: 'load-built', name: `${manifest.name} is not built` })
    continue
  }
  const require = createRequire(join(path, 'package.json'))
  for (const [subpath, target] of Object.entries(manifest.exports)) {
    if (typeof target === 'string') continue
    const specifier = manifest.name + subpath.slice(1)
    await attempt(`import ${specifier}`, () => import(pathToFileURL(join(path, target.import.default)).href))
    await attempt(`require ${specifier}`, () => require(join(path, target.require.default)))
  }
}

process.stdout.write(`${JSON.stringify(tally)}\n`)
