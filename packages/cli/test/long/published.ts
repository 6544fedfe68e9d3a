import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Registry } from './registry.js'

const { stageRelease, packRelease } = (await import(
  new URL('../../setup/stage-release.mjs', import.meta.url).href
)) as {
  stageRelease(out: string, architectures: readonly string[], repository?: string): string[]
  packRelease(
    folders: readonly string[],
    tarballs: string,
  ): { readonly name: string; readonly file: string }[]
}
const script = fileURLToPath(new URL('../../setup/publish-release.mjs', import.meta.url))

/** Where the sources would be. */
export const repository = 'git+https://example.org/spectrum.git'

/** Runs a program to its end and resolves with what it printed. */
export async function runToEnd(
  file: string,
  argv: readonly string[],
  { cwd, env = {} }: { readonly cwd: string; readonly env?: Record<string, string | undefined> },
): Promise<string> {
  const { stdout } = await promisify(execFile)(file, argv, {
    cwd,
    env: { ...process.env, NODE_OPTIONS: undefined, ...env },
    timeout: 300_000,
    killSignal: 'SIGKILL',
    maxBuffer: 64 * 1024 * 1024,
  })
  return stdout
}

/**
 * What a release publishes for this platform, staged and packed below `place` and published to a registry of its own, as the
 * workflow of a release does it. `settings` is the file for npm that has this scope come from there; all else comes from where
 * it comes otherwise. `publish` is what was done last, to be done again.
 */
export async function publishRelease(
  place: string,
): Promise<{ readonly registry: Registry; readonly settings: string; publish(): Promise<string> }> {
  const registry = await Registry.open()
  // npm adds to what the user's own settings say: only this scope is the registry's.
  const settings = join(place, '.npmrc')
  writeFileSync(
    settings,
    `@spectrum:registry=${registry.address}\n//${new URL(registry.address).host}/:_authToken=none\n`,
  )
  const tarballs = join(place, 'tarballs')
  try {
    packRelease(stageRelease(join(place, 'stage'), [process.arch], repository), tarballs)
    // Its provenance can be attested by a workflow alone.
    const publish = () => runToEnd(process.execPath, [script, tarballs, '--no-provenance'], { cwd: place })
    await publish()
    return { registry, settings, publish }
  } catch (cause) {
    await registry[Symbol.asyncDispose]()
    throw cause
  }
}
