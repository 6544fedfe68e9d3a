// What a release publishes, published to a registry of the test's own and installed where nothing else is. Needs the
// packages built (npm run build), Nix, QEMU and a guest kernel, and the registry that npm uses for everything else.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findGuestKernel } from '@spectrum/unit-runtime/linux'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { publishRelease, repository, runToEnd } from './published.js'
import type { Registry } from './registry.js'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const place = mkdtempSync(join(tmpdir(), 'spectrum-release-'))
const project = join(place, 'project')

let registry: Registry
let publish: () => Promise<string>
let closure: string

const run = (
  file: string,
  argv: readonly string[],
  env: Record<string, string | undefined> = {},
  cwd = project,
) => runToEnd(file, argv, { cwd, env })
const put = (name: string, text: string) => {
  writeFileSync(join(project, name), text)
  return name
}

beforeAll(async () => {
  const published = await publishRelease(place)
  registry = published.registry
  publish = published.publish
  mkdirSync(project)
  writeFileSync(join(project, '.npmrc'), readFileSync(published.settings))
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

  it('is passed over when it is published again, names where its sources are, and brings no script', async () => {
    const lines = (await publish()).trim().split('\n')
    expect(lines).toHaveLength(registry.names.length)
    expect(lines.filter((line) => !line.endsWith(': published already'))).toEqual([])
    for (const name of registry.names) {
      const { repository: named, scripts } = JSON.parse(
        readFileSync(join(project, 'node_modules', name, 'package.json'), 'utf8'),
      )
      expect(scripts).toBeUndefined()
      expect(named).toEqual({
        type: 'git',
        url: repository,
        directory: `packages/${name.replace(/^@spectrum\//, '').replace(/-linux-\w+$/, '')}`,
      })
    }
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
    const files = [put('typed.mts', program), put('typed.cts', program)]
    const options = ['--noEmit', '--strict', '--target', 'es2023', '--lib', 'es2023,esnext.disposable']
    const check = (argv: readonly string[]) =>
      run(process.execPath, ['node_modules/typescript/bin/tsc', ...options, ...argv]).catch(
        (error) => error.stdout,
      )
    expect(await check(['--module', 'nodenext', ...files])).toBe('')
    expect(await check(['--module', 'esnext', '--moduleResolution', 'bundler', 'typed.mts'])).toBe('')
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

  it.each([
    ['unix-fd', 'unixFd'],
    ['kvm-ioctl', 'kvmCalls'],
  ])(
    'has the native part of %s built from its sources where no binary fits, by one command',
    async (name, call) => {
      rmSync(join(project, `node_modules/@spectrum/${name}-linux-${process.arch}`), { recursive: true })
      const program = put(
        `${name}.mjs`,
        `import { ${call} } from '@spectrum/${name}/linux'
console.log(${call}().match(() => 'ok', (error) => error.kind + ': ' + error.message))
`,
      )
      expect(await run(process.execPath, [program])).toMatch(/^native-missing: .*node native\/build\.mjs/)
      await run(process.execPath, [`node_modules/@spectrum/${name}/native/build.mjs`])
      expect(await run(process.execPath, [program])).toBe('ok\n')
    },
  )
})
