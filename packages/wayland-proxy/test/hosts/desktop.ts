import { type ChildProcess, execFile, spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { vi } from 'vitest'

/** sway refuses to run as root. */
const NOBODY = 65_534
const asNobody = process.getuid?.() === 0

export interface Outcome {
  readonly code: number | null
  readonly output: string
}

/** Runs a program to its end, or for `ms` milliseconds: then the code is null. */
export function run(
  argv: readonly string[],
  environment: NodeJS.ProcessEnv,
  ms = 20_000,
  cwd = '/',
): Promise<Outcome> {
  return new Promise((resolve) => {
    const [file, ...rest] = argv
    const options = { cwd, env: environment, timeout: ms, killSignal: 'SIGKILL', maxBuffer: 4 << 20 } as const
    const child = execFile(file!, rest, options, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, output: stdout + stderr })
    })
  })
}

export interface Window {
  readonly title: string
  readonly appId: string
  readonly width: number
  readonly height: number
  readonly fullscreen: boolean
  /** Where its content is on the screen, without what sway draws. */
  readonly content: Rectangle
}

export interface Rectangle {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

interface Node {
  readonly pid?: number
  readonly name: string | null
  readonly app_id?: string | null
  readonly rect: Rectangle
  readonly window_rect: Rectangle
  readonly fullscreen_mode?: number
  readonly nodes: readonly Node[]
  readonly floating_nodes: readonly Node[]
}

/** A real compositor without a screen. */
export class Desktop implements AsyncDisposable {
  readonly folder: string
  readonly #child: ChildProcess
  readonly #programs = new Set<ChildProcess>()
  /** Path of its Wayland socket. */
  socket = ''
  log = ''

  private constructor(argv: readonly string[], unprivileged: boolean, environment: NodeJS.ProcessEnv) {
    this.folder = mkdtempSync(join(tmpdir(), 'desktop-'))
    const runtime = join(this.folder, 'runtime')
    mkdirSync(runtime, { mode: 0o700 })
    chmodSync(this.folder, 0o755)
    writeFileSync(
      join(this.folder, 'sway.conf'),
      'default_border normal\nfor_window [title=".*"] floating enable\n',
    )
    const drop = unprivileged && asNobody
    if (drop) chownSync(runtime, NOBODY, NOBODY)
    const prefix = drop ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : []
    const [file, ...rest] = [...prefix, ...argv.map((word) => word.replace('FOLDER', this.folder))]
    this.#child = spawn(file!, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: runtime, XDG_RUNTIME_DIR: runtime, ...environment },
    })
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.on('data', (bytes: Buffer) => (this.log += bytes.toString()))
    }
  }

  static async sway(): Promise<Desktop> {
    const desktop = new Desktop(['sway', '-c', 'FOLDER/sway.conf'], true, {
      WLR_BACKENDS: 'headless',
      WLR_RENDERER: 'pixman',
      WLR_LIBINPUT_NO_DEVICES: '1',
    })
    return await desktop.#ready()
  }

  /** `drawn`: it draws, on the processor, and lets pictures be taken of it. */
  static async weston(drawn = false): Promise<Desktop> {
    const argv = ['weston', '--backend=headless-backend.so', '--socket=wayland-1', '--idle-time=0']
    return await new Desktop(
      drawn ? [...argv, '--use-pixman', '--debug', '--width=1600', '--height=1000'] : argv,
      false,
      {},
    ).#ready()
  }

  /** weston in a window that covers the screen of another desktop, whose pictures, mouse and keyboard it shares. */
  static async westonIn(outer: Desktop): Promise<Desktop> {
    const argv = ['weston', '--backend=wayland-backend.so', '--socket=wayland-1', '--idle-time=0']
    return await new Desktop([...argv, '--use-pixman', '--debug', '--sprawl'], false, {
      WAYLAND_DISPLAY: outer.socket,
    }).#ready()
  }

  get runtime(): string {
    return join(this.folder, 'runtime')
  }

  #file(pattern: RegExp): string | undefined {
    const name = readdirSync(this.runtime).find((one) => pattern.test(one))
    return name && join(this.runtime, name)
  }

  async #ready(): Promise<this> {
    const failed = () => new Error(`the compositor did not start: ${this.log}`)
    this.socket = await vi.waitUntil(() => (this.running ? this.#file(/^wayland-\d+$/) : 'ended'), {
      timeout: 60_000,
    })
    if (!this.running) throw failed()
    return this
  }

  /** What a program needs to find this compositor, or another socket in its place. */
  environment(socket = this.socket): NodeJS.ProcessEnv {
    return {
      PATH: process.env['PATH'],
      HOME: this.folder,
      LANG: 'C.UTF-8',
      XDG_RUNTIME_DIR: this.folder,
      XDG_SESSION_TYPE: 'wayland',
      WAYLAND_DISPLAY: socket,
      GDK_BACKEND: 'wayland',
      GSETTINGS_BACKEND: 'memory',
      GSK_RENDERER: 'cairo',
      NO_AT_BRIDGE: '1',
    }
  }

  /** Starts a program that stays. It ends with the desktop at the latest. */
  start(argv: readonly string[], environment: NodeJS.ProcessEnv): ChildProcess {
    const [file, ...rest] = argv
    const child = spawn(file!, rest, { stdio: 'ignore', env: environment })
    this.#programs.add(child)
    child.on('exit', () => this.#programs.delete(child))
    child.on('error', () => this.#programs.delete(child))
    return child
  }

  async swaymsg(...words: readonly string[]): Promise<string> {
    const ipc = this.#file(/^sway-ipc/)!
    return (await run(['swaymsg', '-s', ipc, ...words], { PATH: process.env['PATH'] })).output
  }

  async windows(): Promise<readonly Window[]> {
    const found: Window[] = []
    const walk = (node: Node) => {
      if (node.pid !== undefined && node.nodes.length === 0) {
        const { x, y, width, height } = node.rect
        const fullscreen = (node.fullscreen_mode ?? 0) > 0
        const inner = node.window_rect
        const content = { x: x + inner.x, y: y + inner.y, width: inner.width, height: inner.height }
        found.push({ title: node.name ?? '', appId: node.app_id ?? '', width, height, fullscreen, content })
      }
      for (const child of [...node.nodes, ...node.floating_nodes]) walk(child)
    }
    walk(JSON.parse(await this.swaymsg('-t', 'get_tree', '-r')) as Node)
    return found
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#programs) child.kill('SIGKILL')
    const gone = new Promise((resolve) => this.#child.once('exit', resolve))
    if (this.running) {
      this.#child.kill('SIGTERM')
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5_000)
      await gone
      clearTimeout(timer)
    }
    if (existsSync(this.folder)) rmSync(this.folder, { recursive: true, force: true })
  }
}
