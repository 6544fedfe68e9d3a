// What a release publishes, published to a registry of the test's own and installed where nothing else is. Needs the
// packages built (npm run build), Nix, QEMU and a guest kernel, and the registry that npm uses for everything else.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findGuestKernel } from '@spectrum/unit-runtime/linux'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Registry } from './registry.js'

const { stageRelease } = (await import(new URL('../../setup/stage-release.mjs', import.meta.url).href)) as {
  stageRelease(out: string, architectures: readonly string[]): Promise<string[]>
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const place = mkdtempSync(join(tmpdir(), 'spectrum-release-'))
const project = join(place, 'project')
const scope = join(place, 'npmrc')

let registry: Registry
let closure: string

const run = async (
  file: string,
  argv: readonly string[],
  env: Record<string, string | undefined> = {},
  cwd = project,
) => {
  const { stdout } = await promisify(execFile)(file, argv, {
    cwd,
    env: { ...process.env, NODE_OPTIONS: undefined, ...env },
    timeout: 300_000,
    killSignal: 'SIGKILL',
    maxBuffer: 64 * 1024 * 1024,
  })
  return stdout
}
const put = (name: string, text: string) => {
  writeFileSync(join(project, name), text)
  return name
}

beforeAll(async () => {
  registry = await Registry.open()
  // npm adds to what the user's own settings say: only this scope is the test's.
  writeFileSync(
    scope,
    `@spectrum:registry=${registry.address}\n//${new URL(registry.address).host}/:_authToken=none\n`,
  )
  const folders = await stageRelease(join(place, 'stage'), [process.arch])
  for (const folder of folders) {
    writeFileSync(join(folder, '.npmrc'), readFileSync(scope))
    // Its provenance can be attested by a workflow alone.
    await run('npm', ['publish', '--provenance=false', '--ignore-scripts'], {}, folder)
  }
  mkdirSync(project)
  writeFileSync(join(project, '.npmrc'), readFileSync(scope))
  put('package.json', '{"private":true,"type":"module"}\n')
  const wanted = ['@spectrum/unit-runtime', '@spectrum/cli', '@types/node@20', 'typescript@5.9']
  await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...wanted])
  closure = (
    await run('nix-build', [here('../guest/closure/act.nix'), '--no-out-link'], {
      NIX_CONFIG: 'build-users-group =\nsandbox = false\nsubstituters =',
    })
  ).trim()
}, 900_000)

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]()
  rmSync(place, { recursive: true, force: true })
})

describe('a release, installed from a registry in an empty project', () => {
  it('brings the native parts of this platform without running a script', async () => {
    expect(registry.names).toContain(`@spectrum/unix-fd-linux-${process.arch}`)
    expect(existsSync(join(project, 'node_modules/@spectrum/unix-fd/prebuilds'))).toBe(false)
    const program = put(
      'native.mjs',
      "import { unixFd } from '@spectrum/unix-fd/linux'\nconsole.log(unixFd().isOk())\n",
    )
    expect(await run(process.execPath, [program])).toBe('true\n')
  })

  it('is imported and required, every entry of every package', async () => {
    const names = registry.names.filter((name) => !/-linux-\w+$/.test(name))
    const entries = names.flatMap((name) => {
      const { exports } = JSON.parse(
        readFileSync(join(project, 'node_modules', name, 'package.json'), 'utf8'),
      )
      return Object.keys(exports)
        .filter((entry) => entry !== './package.json' && entry !== './conformance')
        .map((entry) => name + entry.slice(1))
    })
    expect(entries.length).toBeGreaterThan(20)
    const list = JSON.stringify(entries)
    const esm = put(
      'all.mjs',
      `for (const entry of ${list}) if (Object.keys(await import(entry)).length === 0) throw new Error(entry)\n`,
    )
    const cjs = put(
      'all.cjs',
      `for (const entry of ${list}) if (Object.keys(require(entry)).length === 0) throw new Error(entry)\n`,
    )
    expect(await run(process.execPath, [esm])).toBe('')
    expect(await run(process.execPath, [cjs])).toBe('')
  })

  it('is understood by TypeScript, as ES modules and as CommonJS', async () => {
    const program = `import { closure, compose, defineUnit, nixStore, openHost } from '@spectrum/unit-runtime'
const graph = compose({ one: defineUnit('one', { store: closure('/nix/store/x') }) })._unsafeUnwrap()
export async function main(): Promise<string> {
  const host = (await openHost({ store: nixStore() }))._unsafeUnwrap()
  const units = (await host.start(graph))._unsafeUnwrap()
  // @ts-expect-error there is no unit of this name
  void units.two
  const outcome: string = (await units.one.exec(['/x']))._unsafeUnwrap().outcome.kind
  return outcome
}
`
    // Without skipLibCheck the declarations of ES modules fail in nodenext: typed-emitter exports its type as a CommonJS
    // default, which they take for a namespace. Programs that check libraries see that; the graph's types hold all the same.
    const files = [put('typed.mts', program), put('typed.cts', program)]
    const options = [
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--lib',
      'es2023,esnext.disposable',
    ]
    expect(await run(process.execPath, ['node_modules/typescript/bin/tsc', ...options, ...files])).toBe('')
  })

  it('runs a unit', async () => {
    const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'spectrum')
    const kernel = (await findGuestKernel(process.env, cache))._unsafeUnwrap()
    const env = {
      XDG_STATE_HOME: join(place, 'state'),
      XDG_CACHE_HOME: join(place, 'cache'),
      SPECTRUM_KERNEL: kernel.image,
      SPECTRUM_KERNEL_MODULES: kernel.modulesDirectory,
    }
    const words = [
      'run',
      '--closure',
      closure,
      '--env',
      'SAID=installed',
      '--',
      `${closure}/bin/act`,
      'report',
      '0',
    ]
    const said = await run(join(project, 'node_modules/.bin/spectrum'), words, env).catch((error) => {
      throw new Error(`${error.stderr}`)
    })
    expect(said).toBe('SAID=installed\n')
    expect(readdirSync(join(place, 'state/spectrum/hosts'))).toEqual([])
  })

  it('is built where no binary fits, by one command', async () => {
    rmSync(join(project, `node_modules/@spectrum/unix-fd-linux-${process.arch}`), { recursive: true })
    const program = put(
      'missing.mjs',
      "import { unixFd } from '@spectrum/unix-fd/linux'\nconsole.log(unixFd().match(() => 'ok', (error) => error.kind + ': ' + error.message))\n",
    )
    expect(await run(process.execPath, [program])).toMatch(/^native-missing: .*node native\/build\.mjs/)
    await run(process.execPath, ['node_modules/@spectrum/unix-fd/native/build.mjs'])
    expect(await run(process.execPath, [program])).toBe('ok\n')
  })
})
