// npm run release:stage [-- --here] [-- --repository URL]: lays out in packages/cli/build/release what a release publishes,
// one folder for each package. Native parts are built afresh from what would be published, for each platform, and go into
// packages of their own (`os` and `cpu`), which the package itself names as optional: npm installs the one that fits, and
// no script has to run. Where none fits, the sources build with one command. Then everything is packed into
// packages/cli/build/release/tarballs, with a list of them in the order in which they are published.
// --here: this machine's platform alone, for a try.
// --repository: where the sources are; npm attests no provenance of packages that do not name it.
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { root } from './places.mjs'
import { packagesInOrder } from './workspace.mjs'

/** Platforms with prebuilt binaries, by the names of Node, with Debian's compilers and the agent's own names. */
export const platforms = {
  x64: { compiler: 'x86_64-linux-gnu-gcc', agent: 'x86_64' },
  arm64: { compiler: 'aarch64-linux-gnu-gcc', agent: 'aarch64' },
  ppc64: { compiler: 'powerpc64le-linux-gnu-gcc', agent: 'powerpc64le' },
}

const deadline = { timeout: 300_000, killSignal: 'SIGKILL' }
const write = (file, value) => writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`)

/** Gives the folders, in the order in which they are published. `repository`: the URL of the sources. */
export function stageRelease(out, architectures = Object.keys(platforms), repository = undefined) {
  rmSync(out, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  // For the headers that the native parts compile against, wherever `out` is.
  const borrowed = join(out, 'node_modules')
  symlinkSync(join(root, 'node_modules'), borrowed)
  const staged = []
  for (const one of packagesInOrder()) {
    const folder = join(out, one.folder)
    copyPublished(one, folder)
    const manifest = { ...one.manifest }
    delete manifest.devDependencies
    delete manifest.scripts
    if (repository !== undefined)
      manifest.repository = { type: 'git', url: repository, directory: `packages/${one.folder}` }
    if (existsSync(join(folder, 'native'))) staged.push(...stageNative(one, folder, manifest, architectures))
    if (existsSync(join(folder, 'build-agent.mjs'))) buildAgents(folder, architectures)
    write(join(folder, 'package.json'), manifest)
    staged.push(folder)
  }
  rmSync(borrowed)
  return staged
}

/** The files that npm would pack, without what happens to be built on this machine. */
function copyPublished({ path }, folder) {
  const answer = execFileSync('npm', ['pack', '--dry-run', '--json'], {
    cwd: path,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 64 * 1024 * 1024,
    ...deadline,
  })
  // npm 11 answers by name, those before in a list.
  const [{ files }] = Object.values(JSON.parse(answer))
  for (const { path: file } of files) {
    if (file.startsWith('prebuilds/')) continue
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(path, file), join(folder, file))
  }
}

function stageNative(one, folder, manifest, architectures) {
  const script = join(folder, 'native', 'build.mjs')
  manifest.optionalDependencies = {}
  const staged = []
  for (const architecture of architectures) {
    const name = `${one.name}-linux-${architecture}`
    const place = `${folder}-linux-${architecture}`
    execFileSync(process.execPath, [script, '--force'], {
      env: { ...process.env, CC: platforms[architecture].compiler, npm_config_arch: architecture },
      stdio: ['ignore', 'ignore', 'inherit'],
      ...deadline,
    })
    mkdirSync(place)
    renameSync(
      join(folder, 'prebuilds', `linux-${architecture}`, 'node.napi.node'),
      join(place, 'native.node'),
    )
    cpSync(join(folder, 'LICENSE'), join(place, 'LICENSE'))
    writeFileSync(
      join(place, 'README.md'),
      `# ${name}\n\nThe native part of ${one.name} for Linux on ${architecture}, which npm installs with it. Nothing imports it by name.\n`,
    )
    const { version, license, engines, publishConfig } = one.manifest
    const { repository } = manifest
    write(join(place, 'package.json'), {
      name,
      version,
      description: `The native part of ${one.name}`,
      license,
      engines,
      os: ['linux'],
      cpu: [architecture],
      main: 'native.node',
      files: ['native.node'],
      ...(repository === undefined ? {} : { repository }),
      publishConfig,
    })
    manifest.optionalDependencies[name] = version
    staged.push(place)
  }
  rmSync(join(folder, 'prebuilds'), { recursive: true })
  return staged
}

/** The agent is a guest's, so the package has it for every architecture, whatever the host is. */
function buildAgents(folder, architectures) {
  for (const architecture of architectures) {
    const { compiler, agent } = platforms[architecture]
    execFileSync(process.execPath, [join(folder, 'build-agent.mjs'), agent], {
      env: { ...process.env, CC: compiler },
      stdio: ['ignore', 'ignore', 'inherit'],
      ...deadline,
    })
  }
  if (!JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).files.includes('prebuilds'))
    throw new Error('the agent would not be published')
}

/**
 * Packs these folders into `tarballs`, as they are to be published, and writes `order.json` beside them: their names, versions
 * and files, in this order. What is packed once is what is tried and what is published.
 */
export function packRelease(folders, tarballs) {
  mkdirSync(tarballs, { recursive: true })
  const order = folders.map((folder) => {
    const argv = ['pack', '--ignore-scripts', '--json', '--pack-destination', tarballs]
    const answer = execFileSync('npm', argv, {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: 64 * 1024 * 1024,
      ...deadline,
    })
    const [{ name, version, filename }] = Object.values(JSON.parse(answer))
    return { name, version, file: basename(filename) }
  })
  write(join(tarballs, 'order.json'), order)
  return order
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { here: { type: 'boolean' }, repository: { type: 'string' } } })
  const architectures = values.here ? [process.arch] : Object.keys(platforms)
  const out = join(root, 'packages', 'cli', 'build', 'release')
  const folders = stageRelease(out, architectures, values.repository)
  const tarballs = join(out, 'tarballs')
  for (const { name, version, file } of packRelease(folders, tarballs))
    console.log(`${name} ${version}  ${join(tarballs, file)}`)
}
