import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, readlink } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { findGuestKernel } from '@spectrum/unit-runtime/linux'
import { bundle } from '../../../kvm-ioctl/test/guest/lab/run-in-lab.js'
import { knowMonitors } from '../../../unit-runtime/test/guest/directories.js'

export const checkout = fileURLToPath(new URL('../../../../', import.meta.url))
const loader = pathToFileURL(join(checkout, 'node_modules/tsx/dist/loader.mjs')).href

const sources = join(checkout, 'packages/cli/src/bin.ts')

/** The real command, from its sources, as it loads what its users wrote in TypeScript. */
export const spectrumFromSources = [process.execPath, '--import', loader, sources]

/** The store path of an expression beside this file. */
export async function build(expression: string, ...words: string[]): Promise<string> {
  const file = fileURLToPath(new URL(`./closure/${expression}`, import.meta.url))
  const { stdout } = await promisify(execFile)('nix-build', [file, ...words, '--no-out-link'], {
    env: { ...process.env, NIX_CONFIG: 'build-users-group =\nsandbox = false\nsubstituters =' },
    timeout: 100_000,
    killSignal: 'SIGKILL',
  })
  return stdout.trim()
}

export interface Finished {
  readonly status: number | string
  readonly out: Buffer
  readonly complaint: string
}

/** A state and a cache of their own for the commands that are run in it: whatever is left over is theirs. */
export class Place {
  readonly #children = new Set<ChildProcess>()

  private constructor(
    readonly path: string,
    /** The real command, its sources in one file: Node takes longer to load them than most commands take. */
    readonly spectrum: readonly string[],
    private readonly env: Readonly<Record<string, string | undefined>>,
  ) {}

  static async make(name: string): Promise<Place> {
    const path = await mkdtemp(join(tmpdir(), name))
    const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'spectrum')
    const kernel = (await findGuestKernel(process.env, cache))._unsafeUnwrap()
    await knowMonitors(join(path, 'cache/spectrum'))
    const program = await bundle(sources, path)
    return new Place(path, [process.execPath, program], {
      ...process.env,
      XDG_STATE_HOME: join(path, 'state'),
      XDG_CACHE_HOME: join(path, 'cache'),
      SPECTRUM_KERNEL: kernel.image,
      SPECTRUM_KERNEL_MODULES: kernel.modulesDirectory,
      TSX_TSCONFIG_PATH: join(checkout, 'tsconfig.base.json'),
      NODE_OPTIONS: undefined,
      TERM: 'vt100',
    })
  }

  /** A program in a process group of its own, as a shell would start it, with all that it says. */
  start(argv: readonly string[]) {
    const child = spawn(argv[0]!, argv.slice(1), { env: this.env, stdio: 'pipe', detached: true })
    this.#children.add(child)
    const out: Buffer[] = []
    const complaint: Buffer[] = []
    child.stdin.on('error', () => {})
    child.stdout.on('data', (bytes) => out.push(bytes))
    child.stderr.on('data', (bytes) => complaint.push(bytes))
    const finished = once(child, 'close').then(([code, signal]): Finished => {
      this.#children.delete(child)
      return {
        status: (code ?? signal) as number | string,
        out: Buffer.concat(out),
        complaint: Buffer.concat(complaint).toString(),
      }
    })
    return { child, finished, shown: () => Buffer.concat(out).toString() }
  }

  /** The command with these words, and what it read, to its end. */
  run(words: readonly string[], input?: Buffer): Promise<Finished> {
    const { child, finished } = this.start([...this.spectrum, ...words])
    child.stdin.end(input)
    return finished
  }

  /** Whatever a failed test has not ended. */
  killAll(): void {
    for (const child of this.#children) child.kill('SIGKILL')
    this.#children.clear()
  }

  async leftovers() {
    const processes: string[] = []
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const cmdline = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '')
      if (cmdline.includes(this.path) || cwd.startsWith(this.path))
        processes.push(cmdline.replaceAll('\0', ' '))
    }
    const under = async (path: string) =>
      (await readdir(path).catch(() => [])).map((name) => `${path}/${name}`)
    const files = [
      ...(await under(join(this.path, 'state/spectrum/hosts'))),
      ...(await under(join(this.path, 'cache/spectrum/unfinished'))),
    ]
    const mounts = (await readFile('/proc/mounts', 'utf8'))
      .split('\n')
      .filter((line) => line.includes(this.path))
    return { processes, files, mounts }
  }
}

export const nothing = { processes: [], files: [], mounts: [] }

export const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
