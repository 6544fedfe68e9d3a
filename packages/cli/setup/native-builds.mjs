import { existsSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { lastLines, Problem, remedyFor, run } from './commands.mjs'
import { fingerprint, readStamp, removeStamp, same, writeStamp } from './fingerprint.mjs'
import { root } from './places.mjs'

// A package that has C brings one of these scripts; each builds into one of the output directories.
const scripts = ['native/build.mjs', 'build-agent.mjs']
const outputs = ['build', 'prebuilds']
const notInputs = new Set([
  'src',
  'test',
  'bench',
  'lab',
  'dist',
  'docs',
  'README.md',
  'LICENSE',
  'tsup.config.ts',
  ...outputs,
])

function builds() {
  const packages = join(root, 'packages')
  return readdirSync(packages)
    .sort()
    .flatMap((folder) =>
      scripts
        .filter((script) => existsSync(join(packages, folder, script)))
        .map((script) => ({
          folder,
          path: join(packages, folder),
          script,
          stamp: `native-${folder}-${script.replaceAll('/', '-')}`,
        })),
    )
}

const state = ({ path }) => ({
  platform: `${process.platform}-${process.arch}`,
  inputs: fingerprint(
    path,
    readdirSync(path)
      .filter((name) => !notInputs.has(name) && !name.startsWith('.'))
      .sort(),
  ),
  outputs: fingerprint(path, outputs),
})

export const nativeBuilds = {
  name: 'native builds',

  missing() {
    return builds()
      .filter((build) => !same(readStamp(build.stamp), state(build)))
      .map((build) => ({
        what: `packages/${build.folder}/${build.script}`,
        why: 'C that has changed or was never compiled here',
        build,
      }))
  },

  async install(missing, { signal }) {
    for (const { build } of missing) {
      removeStamp(build.stamp)
      const outcome = await run(process.execPath, [build.script], { cwd: build.path, signal })
      if (outcome.code !== 0)
        throw new Problem(
          `${relative(root, join(build.path, build.script))} failed`,
          remedyFor(outcome.both, 'the compiler says why above'),
          lastLines(outcome.both, 30),
        )
      writeStamp(build.stamp, state(build))
    }
  },
}
