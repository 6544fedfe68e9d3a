/** A guest that does what it is told over its first virtio console: `obedient-init.c`. */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildInitramfs, resolveModules } from '@spectrum/guest-agent'

export interface GuestKernel {
  readonly image: string
  /** `lib/modules/RELEASE` */
  readonly modules: string
}

const MODULES = ['virtio_pci', 'virtio_console', 'virtio_blk', 'virtio_balloon', 'virtiofs', 'button']

/** Compiles the guest's /init and packs it with the modules it loads. Returns the path of the initramfs. */
export function buildObedientInitramfs(kernel: GuestKernel, directory: string): string {
  const init = join(directory, 'init')
  const source = fileURLToPath(new URL('./obedient-init.c', import.meta.url))
  execFileSync('gcc', ['-static', '-Os', '-s', '-Wall', '-Wextra', '-Werror', '-o', init, source], {
    timeout: 100_000,
    killSignal: 'SIGKILL',
  })
  const index = (name: string) => readFileSync(join(kernel.modules, name), 'utf8')
  const indexes = { dependencies: index('modules.dep'), builtin: index('modules.builtin') }
  const files = resolveModules(
    indexes,
    MODULES.map((name) => ({ name })),
  )._unsafeUnwrap()
  const modules = files.map((file) => ({
    name: basename(file, '.ko').replaceAll('-', '_'),
    bytes: readFileSync(join(kernel.modules, file)),
  }))
  const initramfs = join(directory, 'initramfs')
  writeFileSync(initramfs, buildInitramfs({ agent: readFileSync(init), modules }))
  return initramfs
}

/** The host's end of the console: crosvm connects to it, once for each machine that is started. */
export class Guest implements Disposable {
  readonly #server = createServer((socket) => this.#connected(socket))
  #socket: Socket | undefined
  #held = ''
  readonly #lines: string[] = []
  #wake: () => void = () => {}

  constructor(path: string) {
    this.#server.listen(path)
  }

  /** Resolves when the guest has said that it obeys. */
  async ready(): Promise<void> {
    const line = await this.#line()
    if (line !== 'ready') throw new Error(`the guest said ${JSON.stringify(line)} instead of ready`)
  }

  /** The guest's answer, without its `ok`. Rejects with what the guest refused. */
  async ask(command: string): Promise<string> {
    this.tell(command)
    const line = await this.#line()
    if (line !== 'ok' && !line.startsWith('ok '))
      throw new Error(`the guest answered ${command} with ${line}`)
    return line.slice(3)
  }

  /** Sends a command and waits for nothing. */
  tell(command: string): void {
    this.#socket?.write(`${command}\n`)
  }

  async text(path: string): Promise<string> {
    const bytes = await this.ask(`read ${path} 0 8000`)
    return Buffer.from(bytes, 'hex').toString().trim()
  }

  [Symbol.dispose](): void {
    this.#socket?.destroy()
    this.#server.close()
  }

  #connected(socket: Socket): void {
    this.#socket?.destroy()
    this.#socket = socket
    this.#held = ''
    socket.setEncoding('utf8')
    // A machine that ends takes its console with it.
    socket.on('error', () => {})
    socket.on('data', (text: string) => {
      const lines = (this.#held + text).split('\n')
      this.#held = lines.pop()!
      this.#lines.push(...lines)
      this.#wake()
    })
  }

  async #line(): Promise<string> {
    for (;;) {
      const line = this.#lines.shift()
      if (line !== undefined) return line
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
