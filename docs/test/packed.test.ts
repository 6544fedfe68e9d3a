// What a release would hold: the files that each package would publish, their size, and what they depend on.
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { root, textOf } from './blocks.js'

/**
 * Kilobytes of each package as it is installed, source maps included, without binaries: which of those lie here depends on what
 * was built here last. Raise one when what it gained is worth it.
 */
const budgets: Readonly<Record<string, number>> = {
  '@spectrum/cli': 1_200,
  '@spectrum/crosvm-spec': 3_500,
  '@spectrum/guest-agent': 2_200,
  '@spectrum/kvm-ioctl': 6_200,
  '@spectrum/store-share': 4_500,
  '@spectrum/unit-graph': 750,
  '@spectrum/unit-monitor': 1_400,
  '@spectrum/unit-runtime': 4_500,
  '@spectrum/unix-fd': 1_000,
  '@spectrum/wayland-proxy': 3_000,
}

const everywhere =
  /^(LICENSE|README\.md|package\.json|dist\/[\w./-]+\.(js|cjs|d\.ts|d\.cts|js\.map|cjs\.map))$/
const native = /^(native\/[\w-]+\.(c|h|mjs)|prebuilds\/linux-(x64|arm64|ppc64|riscv64)\/node\.napi\.node)$/
const agent =
  /^(PROTOCOL\.md|build-agent\.mjs|agent\/(Makefile|[\w-]+\.(c|h))|prebuilds\/(x86_64|aarch64|powerpc64le|riscv64)\/agent)$/
const besides: Readonly<Record<string, RegExp>> = {
  '@spectrum/unix-fd': native,
  '@spectrum/kvm-ioctl': native,
  '@spectrum/guest-agent': agent,
}

interface Packed {
  readonly name: string
  readonly files: readonly { readonly path: string; readonly size: number }[]
}

const folders = readdirSync(join(root, 'packages')).sort()
const manifest = (folder: string) =>
  JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8'))
const deadline = { timeout: 100_000, killSignal: 'SIGKILL' } as const
const npm = (...argv: string[]) =>
  execFileSync('npm', argv, {
    cwd: root,
    encoding: 'utf8',
    ...deadline,
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
  })

let packed: readonly { readonly folder: string; readonly pack: Packed }[]

beforeAll(() => {
  const unbuilt = folders.filter((folder) => !existsSync(join(root, 'packages', folder, 'dist')))
  if (unbuilt.length > 0) throw new Error(`not built: ${unbuilt.join(', ')}: npm run build`)
  const workspaces = folders.flatMap((folder) => ['--workspace', `packages/${folder}`])
  const answer = JSON.parse(npm('pack', '--dry-run', '--json', ...workspaces))
  // npm 11 answers by name, those before in a list.
  const packs: Packed[] = Array.isArray(answer) ? answer : Object.values(answer)
  packed = folders.map((folder) => ({
    folder,
    pack: packs.find(({ name }) => name === manifest(folder).name)!,
  }))
}, 120_000)

describe('a package as it would be published', () => {
  it('holds what was built, its licence and its README, and no test, bench or stray file', () => {
    const strange = packed.flatMap(({ pack: { name, files } }) =>
      files
        .filter(({ path }) => !everywhere.test(path) && !besides[name]?.test(path))
        .map(({ path }) => `${name}: ${path}`),
    )
    expect(strange).toEqual([])
    for (const { pack } of packed)
      expect(
        pack.files.map(({ path }) => path),
        pack.name,
      ).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'package.json']))
  })

  it('has the licence of the project, word for word', () => {
    const licence = readFileSync(join(root, 'LICENSE'), 'utf8')
    for (const folder of folders)
      expect(readFileSync(join(root, 'packages', folder, 'LICENSE'), 'utf8'), folder).toBe(licence)
  })

  it('names no place of the machine that built it', () => {
    const own = Buffer.from(root)
    const telling = packed.flatMap(({ folder, pack }) =>
      pack.files
        .filter(({ path }) => readFileSync(join(root, 'packages', folder, path)).includes(own))
        .map(({ path }) => `${pack.name}: ${path}`),
    )
    expect(telling).toEqual([])
  })

  it('has every file that its package.json leads to', () => {
    const leads = (value: unknown): string[] =>
      typeof value === 'string' ? [value] : Object.values((value ?? {}) as object).flatMap(leads)
    for (const { folder, pack } of packed) {
      const { main, module, types, exports, bin } = manifest(folder)
      const named = leads([main, module, types, exports, bin]).map((path) => path.replace(/^\.\//, ''))
      expect(
        named.filter((path) => !pack.files.some((file) => file.path === path)),
        pack.name,
      ).toEqual([])
    }
  })

  it('has a native part that builds from the packed files and what the package depends on, alone', () => {
    const scripts = ['unix-fd', 'kvm-ioctl'].map((folder) =>
      readFileSync(join(root, 'packages', folder, 'native', 'build.mjs'), 'utf8'),
    )
    expect(scripts[0]).toBe(scripts[1])
    const { folder, pack } = packed.find(({ folder }) => folder === 'unix-fd')!
    const place = mkdtempSync(join(tmpdir(), 'spectrum-packed-'))
    try {
      for (const { path } of pack.files.filter(({ path }) => !path.startsWith('prebuilds/'))) {
        mkdirSync(dirname(join(place, path)), { recursive: true })
        cpSync(join(root, 'packages', folder, path), join(place, path))
      }
      mkdirSync(join(place, 'node_modules'))
      for (const name of Object.keys(manifest(folder).dependencies))
        symlinkSync(join(root, 'node_modules', name), join(place, 'node_modules', name))
      execFileSync(process.execPath, ['native/build.mjs'], { cwd: place, ...deadline })
      const program = "console.log(require('@spectrum/unix-fd/linux').unixFd().isOk())"
      expect(execFileSync(process.execPath, ['-e', program], { cwd: place, ...deadline }).toString()).toBe(
        'true\n',
      )
    } finally {
      rmSync(place, { recursive: true })
    }
  })

  it('stays below its budget', () => {
    expect(Object.keys(budgets).sort()).toEqual(packed.map(({ pack }) => pack.name).sort())
    const over = packed.flatMap(({ pack: { name, files } }) => {
      const bytes = files
        .filter(({ path }) => !path.startsWith('prebuilds/'))
        .reduce((sum, { size }) => sum + size, 0)
      return bytes > budgets[name]! * 1_000 ? [`${name}: ${bytes} bytes`] : []
    })
    expect(over).toEqual([])
  })

  it('is published for everybody, with its provenance, and all in one version', () => {
    const versions = new Set<string>()
    for (const folder of folders) {
      const { name, version, license, publishConfig, dependencies = {} } = manifest(folder)
      versions.add(version)
      expect({ name, license, publishConfig }).toEqual({
        name,
        license: 'Apache-2.0',
        publishConfig: { access: 'public', provenance: true },
      })
      for (const [other, wanted] of Object.entries(dependencies))
        if (other.startsWith('@spectrum/')) expect(wanted, `${name} needs ${other}`).toBe(version)
    }
    expect(versions.size).toBe(1)
  })
})

describe('what the packages depend on', () => {
  it('is, of each other, what the page on the architecture says', () => {
    const rows = textOf('docs/architecture.md').matchAll(
      /^\| `([\w-]+)` +\| [^|`]+ \| ((?:`[\w-]+`(?:, )?)*) *\|$/gm,
    )
    const said = [...rows].map(([, name, uses]) => `${name}: ${uses!.replaceAll('`', '')}`)
    const real = folders.map((folder) => {
      const names = Object.keys(manifest(folder).dependencies ?? {})
        .filter((name) => name.startsWith('@spectrum/'))
        .map((name) => name.slice('@spectrum/'.length))
      return `${folder}: ${names.sort().join(', ')}`
    })
    expect(said).toEqual(real)
  })

  const lock: { packages: Record<string, { license?: string; dev?: boolean; link?: boolean }> } = JSON.parse(
    readFileSync(join(root, 'package-lock.json'), 'utf8'),
  )
  const foreign = Object.entries(lock.packages).filter(
    ([path, one]) => path.includes('node_modules/') && !one.link,
  )

  it('may be passed on with them', () => {
    const free = ['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'BlueOak-1.0.0']
    const others = foreign.filter(([, { dev, license = '' }]) => !dev && !free.includes(license))
    expect(others).toEqual([])
    expect(foreign.filter(([, { dev }]) => !dev).length).toBeGreaterThan(3)
  })

  it('may be used to make them', () => {
    const free =
      /^(MIT|ISC|Apache-2\.0|BSD-[23]-Clause|0BSD|BlueOak-1\.0\.0|MPL-2\.0|Python-2\.0|MIT OR Apache-2\.0)$/
    const others = foreign.filter(([, { license = '' }]) => !free.test(license)).map(([path]) => path)
    // Its file LICENSE is MIT's.
    expect(others).toEqual(['node_modules/spawndamnit'])
  })

  it('is listed in a bill of materials', () => {
    const bill = JSON.parse(npm('run', '--silent', 'sbom'))
    expect(bill.bomFormat).toBe('CycloneDX')
    const names = bill.components.map(({ name, group }: { name: string; group?: string }) =>
      [group, name].join('/'),
    )
    expect(names.join()).toMatch(/neverthrow/)
    expect(names.join()).not.toMatch(/vitest|typedoc/)
  })
})
