import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chmod, chown, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** sway refuses to run as root. */
const NOBODY = 65_534

/** sway without a screen: a desktop for machines that have none. Disposing it ends it. */
export class HeadlessDesktop implements AsyncDisposable {
  readonly #folder: string
  readonly #sway: ChildProcess
  /** Path of its Wayland socket. */
  readonly socket: string

  private constructor(folder: string, sway: ChildProcess, socket: string) {
    this.#folder = folder
    this.#sway = sway
    this.socket = socket
  }

  static async open(): Promise<HeadlessDesktop> {
    const folder = await mkdtemp(join(tmpdir(), 'windows-desktop-'))
    const runtime = join(folder, 'runtime')
    await mkdir(runtime, { mode: 0o700 })
    await chmod(folder, 0o755)
    await writeFile(
      join(folder, 'config'),
      'default_border none\noutput * bg #28343e solid_color\ngaps inner 24\n',
    )
    const root = process.getuid?.() === 0
    if (root) await chown(runtime, NOBODY, NOBODY)
    const drop = root ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : []
    const [file, ...argv] = [...drop, 'sway', '-c', join(folder, 'config')]
    const sway = spawn(file!, argv, {
      stdio: 'ignore',
      env: {
        PATH: process.env['PATH'],
        XDG_RUNTIME_DIR: runtime,
        WLR_BACKENDS: 'headless',
        WLR_RENDERER: 'pixman',
        WLR_LIBINPUT_NO_DEVICES: '1',
      },
    })
    const until = performance.now() + 60_000
    for (;;) {
      const name = (await readdir(runtime)).find((one) => /^wayland-\d+$/.test(one))
      if (name !== undefined) {
        const socket = join(runtime, name)
        // The display of a unit has no capabilities: root's, too, enters only where it may.
        if (root) await Promise.all([chmod(runtime, 0o755), chmod(socket, 0o777)])
        return new HeadlessDesktop(folder, sway, socket)
      }
      if (sway.exitCode !== null || performance.now() > until) {
        sway.kill('SIGKILL')
        await rm(folder, { recursive: true, force: true })
        throw new Error('sway did not start')
      }
      await pause(20)
    }
  }

  /** The titles of the windows that are there. */
  async titles(): Promise<readonly string[]> {
    const ipc = (await readdir(join(this.#folder, 'runtime'))).find((one) => one.startsWith('sway-ipc'))!
    const tree = await run('swaymsg', ['-s', join(this.#folder, 'runtime', ipc), '-t', 'get_tree', '-r'])
    const titles: string[] = []
    const walk = (node: Node) => {
      if (node.pid !== undefined) titles.push(node.name ?? '')
      for (const child of [...node.nodes, ...node.floating_nodes]) walk(child)
    }
    walk(JSON.parse(tree.stdout) as Node)
    return titles.sort()
  }

  /** Writes a PNG, or what the name says. */
  async picture(path: string, format: 'png' | 'ppm' = 'png'): Promise<void> {
    await run('grim', ['-t', format, path], { XDG_RUNTIME_DIR: this.#folder, WAYLAND_DISPLAY: this.socket })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = new Promise((resolve) => this.#sway.once('exit', resolve))
    if (this.#sway.exitCode === null && this.#sway.signalCode === null) {
      this.#sway.kill('SIGKILL')
      await gone
    }
    await rm(this.#folder, { recursive: true, force: true })
  }
}

interface Node {
  readonly pid?: number
  readonly name: string | null
  readonly nodes: readonly Node[]
  readonly floating_nodes: readonly Node[]
}

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

async function run(file: string, argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const options = { env: { PATH: process.env['PATH'], ...env }, timeout: 60_000, maxBuffer: 4 << 20 }
  return promisify(execFile)(file, argv, options)
}
