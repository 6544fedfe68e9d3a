// npm test: set-up, then every check and every test, fast ones on each supported Node.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { checkPackages } from './check-packages.mjs'
import { Interrupted, run } from './commands.mjs'
import { listenForInterruption } from './interruption.mjs'
import { loadBuilt, nodeVersions, obtainNode, pathWith } from './other-nodes.mjs'
import { root } from './places.mjs'
import { setUp, testSteps } from './steps.mjs'
import { Totals } from './tally.mjs'
import { typescriptBuild } from './typescript-build.mjs'
import { runProject } from './vitest-run.mjs'

const { values: options } = parseArgs({
  options: {
    /** Only the tests, and only on other Nodes than this one. */
    'only-nodes': { type: 'boolean' },
    /** With `--only-nodes`: the tests that boot machines as well. */
    guest: { type: 'boolean' },
  },
})

const write = (text) => process.stdout.write(text)
const say = (line) => write(`${line}\n`)
const began = Date.now()
const heading = (text) => say(`\n== ${text} (${((Date.now() - began) / 1000).toFixed(0)} s so far)`)
const totals = new Totals()

const status = await setUp({ steps: testSteps, write })
if (status !== 0) process.exit(status)

const interruption = listenForInterruption()
const { signal } = interruption
try {
  heading('build')
  totals.addCheck(
    'build',
    (await setUp({ steps: [typescriptBuild], write })) === 0 ? undefined : 'does not build; see above',
  )
  if (signal.aborted) throw signal.reason
  if (options['only-nodes']) {
    await onOtherNodes(options.guest ? ['fast*', 'guest'] : ['fast*'])
  } else {
    await check('lint', 'npm run lint', [
      '@biomejs/biome/bin/biome',
      'ci',
      '--config-path=.biome.json',
      '--colors=off',
      '.',
    ])
    // The compiler leaves one processor of two idle.
    await bothOf(
      check('typecheck', 'npm run typecheck', ['typescript/bin/tsc', '-p', 'tsconfig.base.json']),
      checkEveryPackage(),
    )
    // One release of each major version stands for it; an unlisted one is tested itself.
    const major = process.versions.node.split('.')[0]
    if (!nodeVersions.some((version) => version.startsWith(`${major}.`))) await onThisNode('fast*', 600_000)
    await onOtherNodes(['fast*'])
    await onThisNode('documentation', 300_000)
    await onThisNode('guest', 1_500_000)
    for (const file of longTests()) totals.addSkip('long', file, `npm run test:long -- ${file}`)
  }
} catch (error) {
  if (!(error instanceof Interrupted)) throw error
  totals.addCheck('npm test', `stopped by ${error.signalName}`)
} finally {
  interruption.close()
}

say(`\n${((Date.now() - began) / 1000).toFixed(0)} s in all`)
totals.print(write)
process.exitCode = totals.exitStatus

// The fast tests are two of vitest's projects: those that have a process for each file, and those that share one.
function plain(project) {
  return project.replace('*', '')
}

/** What takes minutes, or needs a part that few machines have. */
function longTests() {
  const owners = ['packages', 'examples'].flatMap((workspace) =>
    readdirSync(join(root, workspace)).map((name) => `${workspace}/${name}`),
  )
  return [...owners, 'docs']
    .map((owner) => `${owner}/test/long`)
    .filter((directory) => existsSync(join(root, directory)))
    .flatMap((directory) =>
      readdirSync(join(root, directory))
        .filter((file) => file.endsWith('.test.ts'))
        .map((file) => `${directory}/${file}`),
    )
}

/** Resolves when neither runs any more. */
async function bothOf(...tasks) {
  for (const { reason } of await Promise.allSettled(tasks)) if (reason !== undefined) throw reason
}

async function check(label, command, [script, ...argv]) {
  heading(label)
  const outcome = await run(process.execPath, [join(root, 'node_modules', script), ...argv], {
    cwd: root,
    signal,
    stdio: ['ignore', 'inherit', 'inherit'],
    deadlineMs: 300_000,
  })
  totals.addCheck(label, outcome.code === 0 ? undefined : `fails: ${command} shows why`)
}

async function checkEveryPackage() {
  heading('packages as published')
  const complaints = await checkPackages({ signal, say })
  for (const complaint of complaints) say(`\n${complaint}`)
  totals.addCheck(
    'packages',
    complaints.length === 0 ? undefined : `${complaints.length} complaints; see above`,
  )
}

async function onThisNode(project, deadlineMs) {
  heading(`${plain(project)} tests on Node ${process.versions.node}`)
  totals.add(
    `${plain(project)}, Node ${process.versions.node}`,
    await runProject(project, { signal, deadlineMs }),
  )
}

async function onOtherNodes(projects) {
  for (const version of nodeVersions) {
    heading(`Node ${version}`)
    const node = await obtain(version)
    if (node === undefined) continue
    const built = await loadBuilt(node, { signal })
    say(`  built packages loaded: ${built.passed} entries, ${built.failures.length} failed`)
    totals.add(`built, Node ${version}`, built)
    for (const project of projects) {
      const tally = await runProject(project, { node, path: pathWith(node), signal, deadlineMs: 900_000 })
      totals.add(`${plain(project)}, Node ${version}`, tally)
    }
  }
}

async function obtain(version) {
  try {
    return await obtainNode(version, { signal, say })
  } catch (error) {
    if (signal.aborted) throw error
    totals.addCheck(`Node ${version}`, `${error.message}; ${error.remedy ?? ''}`)
    return undefined
  }
}
