import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const PATIENCE_MS = 60_000

/** A socket of a compositor, and the processes between it and the compositor. */
export interface Way {
  readonly path: string
  readonly processes: readonly ChildProcess[]
}

/** Starts what clients are measured through. All of it ends with this. */
export class Ways implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'bench-wayland-'))
  readonly #runtime = join(this.folder, 'runtime')
  readonly #policy = join(this.folder, 'policy.json')
  readonly #children: ChildProcess[] = []
  #program: Promise<string> | undefined

  constructor() {
    mkdirSync(this.#runtime, { mode: 0o700 })
    writeFileSync(
      this.#policy,
      JSON.stringify({ identity: { titlePrefix: '[bench] ', frame: { label: 'bench' } } }),
    )
  }

  /** Where the socket of this name is. */
  socket(name: string): string {
    return join(this.#runtime, name)
  }

  /** `display`: a name, or a path. What it says is lost, but for the stream that is named. */
  start(file: string, argv: readonly string[], display: string, heard?: 'stdout' | 'stderr'): ChildProcess {
    const env = { ...process.env, XDG_RUNTIME_DIR: this.#runtime, WAYLAND_DISPLAY: display }
    const stdio = ['stdin', 'stdout', 'stderr'].map((name) => (name === heard ? 'pipe' : 'ignore'))
    const child = spawn(file, argv, { env: { ...env, WAYLAND_DEBUG: heard === 'stderr' ? '1' : '0' }, stdio })
    this.#children.push(child)
    return child
  }

  async weston(name: string): Promise<Way> {
    const argv = ['--backend=headless-backend.so', `--socket=${name}`, '--idle-time=0']
    const child = this.start('weston', argv, name)
    return { path: await appears(this.socket(name)), processes: [child] }
  }

  /**
   * The command as it is shipped and as a unit's is started: one program, without what compiles sources on their way
   * into Node.
   */
  async ours(name: string, display: string): Promise<Way> {
    this.#program ??= bundle(this.folder)
    const path = join(this.folder, name)
    const small = ['--max-semi-space-size=2', '--v8-pool-size=1']
    const argv = [...small, await this.#program, '--policy', this.#policy, '--listen', path]
    const child = this.start(process.execPath, argv, display)
    return { path: await appears(path), processes: [child] }
  }

  /** Both ends on this machine, without compression. */
  async waypipe(name: string, display: string): Promise<Way> {
    const tunnel = join(this.folder, `tunnel-${name}`)
    const options = ['--no-gpu', '--compress', 'none', '--socket', tunnel]
    const client = this.start('waypipe', [...options, 'client'], display)
    await appears(tunnel)
    const argv = [...options, '--display', name, 'server', '--', 'sleep', '3600']
    const server = this.start('waypipe', argv, display)
    return { path: await appears(this.socket(name)), processes: [client, server] }
  }

  /** A program in C that only passes on. */
  async forwarder(name: string, display: string): Promise<Way> {
    const program = join(this.folder, 'forward')
    const flags = ['-O2', '-Wall', '-Wextra', '-Werror', '-o', program, here('./forward.c')]
    if (!existsSync(program)) execFileSync('cc', flags, { timeout: PATIENCE_MS, killSignal: 'SIGKILL' })
    const path = join(this.folder, name)
    const child = this.start(program, [path, this.socket(display)], display)
    return { path: await appears(path), processes: [child] }
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) child.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

async function appears(path: string): Promise<string> {
  const until = performance.now() + PATIENCE_MS
  while (!existsSync(path)) {
    if (performance.now() > until) throw new Error(`${path} did not appear`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return path
}

/** The command of these sources in `folder`, beside the native part it looks for one folder above itself. */
async function bundle(folder: string): Promise<string> {
  const outDir = join(folder, 'command')
  await build({
    config: false,
    silent: true,
    entry: { 'spectrum-wayland': here('../../src/linux/spectrum-wayland.ts') },
    format: ['esm'],
    target: 'node20',
    outDir,
    outExtension: () => ({ js: '.mjs' }),
    noExternal: [/^@spectrum\//],
    tsconfig: here('../../../../tsconfig.base.json'),
  })
  cpSync(here('../../../unix-fd/prebuilds'), join(folder, 'prebuilds'), { recursive: true })
  symlinkSync(here('../../../../node_modules'), join(folder, 'node_modules'))
  return join(outDir, 'spectrum-wayland.mjs')
}
