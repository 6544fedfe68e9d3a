import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, rmSync } from 'node:fs'

/** A directory that one machine sees over virtio-fs, served by the virtiofsd that comes with QEMU. */
export class SharedDirectory implements AsyncDisposable {
  private constructor(
    readonly path: string,
    readonly socket: string,
    private readonly server: ChildProcess,
  ) {}

  static async serve(directory: string): Promise<SharedDirectory> {
    const [path, socket] = [`${directory}/shared`, `${directory}/shared.sock`]
    mkdirSync(path)
    const options = ['-o', `source=${path}`, '-o', 'cache=none', '-o', 'log_level=err']
    const server = spawn('/usr/lib/qemu/virtiofsd', [`--socket-path=${socket}`, ...options], {
      stdio: 'ignore',
    })
    while (!existsSync(socket)) {
      if (server.exitCode !== null) throw new Error(`virtiofsd ended with ${server.exitCode}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    return new SharedDirectory(path, socket, server)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.server.exitCode === null && this.server.signalCode === null) {
      this.server.kill('SIGKILL')
      await once(this.server, 'exit')
    }
    rmSync(this.path, { recursive: true, force: true })
  }
}
