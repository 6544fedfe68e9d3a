import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { lastLines, Problem, remedyFor, run } from './commands.mjs'
import { fingerprint, readStamp, removeStamp, same, writeStamp } from './fingerprint.mjs'
import { root } from './places.mjs'
import { inDependencyOrder, packagesInOrder } from './workspace.mjs'

const tools = ['node_modules/tsup/package.json', 'node_modules/typescript/package.json', 'tsconfig.base.json']
const isDeclaration = (name) => /\.d\.c?ts$/.test(name)

// A sibling is not bundled: what a build takes from it is its manifest and its types.
const state = (one) => ({
  tools: fingerprint(root, tools),
  inputs: fingerprint(one.path, ['src', 'package.json', 'tsconfig.json', 'tsup.config.ts']),
  needs: one.needs.map((need) => [
    need.name,
    fingerprint(need.path, ['package.json']),
    fingerprint(need.path, ['dist'], (name) => /\.[^./]+$/.test(name) && !isDeclaration(name)),
  ]),
  outputs: fingerprint(one.path, ['dist']),
})

const stampName = (one) => `build-${one.folder}`
const upToDate = (one) => same(readStamp(stampName(one)), state(one))

/** Builds each package that is out of date. Resolves with one outcome per package, in dependency order. */
export async function buildPackages({ signal, say = () => {} } = {}) {
  return inDependencyOrder(packagesInOrder(), 2, async (one, done) => {
    const broken = one.needs.filter(
      (need) => done.get(need).kind === 'failed' || done.get(need).kind === 'not-tried',
    )
    if (broken.length > 0) return { kind: 'not-tried', because: broken.map((need) => need.name) }
    if (upToDate(one)) return { kind: 'up-to-date' }
    const started = Date.now()
    const failure = await buildOne(one, signal)
    const seconds = ((Date.now() - started) / 1000).toFixed(1)
    say(`  ${one.name} ${failure === undefined ? 'built' : 'FAILED'} in ${seconds} s`)
    return failure === undefined ? { kind: 'built' } : { kind: 'failed', output: failure }
  })
}

/** Into a directory beside dist, then renamed: nobody ever loads half a build. */
async function buildOne(one, signal) {
  removeStamp(stampName(one))
  for (const name of readdirSync(one.path))
    if (/^\.dist-(new|old)$/.test(name)) rmSync(join(one.path, name), { recursive: true, force: true })
  const fresh = join(one.path, '.dist-new')
  const old = join(one.path, '.dist-old')
  const dist = join(one.path, 'dist')
  try {
    const tsup = join(root, 'node_modules', 'tsup', 'dist', 'cli-default.js')
    const outcome = await run(process.execPath, [tsup, '--out-dir', '.dist-new'], {
      cwd: one.path,
      signal,
      env: { NO_COLOR: '1', FORCE_COLOR: undefined },
      deadlineMs: 300_000,
    })
    if (outcome.code !== 0)
      return lastLines(outcome.both.replace(/^((ESM|CJS|DTS|CLI) (?!.*error)|\s+at ).*\n?/gim, ''), 30)
    if (existsSync(dist)) renameSync(dist, old)
    renameSync(fresh, dist)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
    rmSync(old, { recursive: true, force: true })
  }
  writeStamp(stampName(one), state(one))
  return undefined
}

export const typescriptBuild = {
  name: 'TypeScript build',

  missing() {
    if (!existsSync(join(root, 'node_modules', 'tsup')))
      return [{ what: 'tsup', why: 'no package is built yet' }]
    return packagesInOrder()
      .filter((one) => !upToDate(one))
      .map((one) => ({
        what: one.name,
        why: 'changed (or what it depends on has), or never built',
      }))
  },

  async install(_missing, { signal, say }) {
    const outcomes = [...(await buildPackages({ signal, say }))]
    const failed = outcomes.filter(([, outcome]) => outcome.kind === 'failed')
    const notTried = outcomes.filter(([, outcome]) => outcome.kind === 'not-tried')
    if (failed.length === 0) return
    const text = failed.map(([one, outcome]) => `--- ${one.name}\n${outcome.output}`).join('\n')
    const also = notTried
      .map(([one, outcome]) => `\n${one.name} was not tried: it needs ${outcome.because.join(', ')}`)
      .join('')
    throw new Problem(
      `${failed.map(([one]) => one.name).join(', ')} could not be built`,
      remedyFor(text, 'the compiler says why above'),
      text + also,
    )
  },
}
