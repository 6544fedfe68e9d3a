import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Processes } from '@spectrum/unit-monitor'
import type { ConformanceView } from '@spectrum/unit-monitor/conformance'

/** Debian's QEMU brings it; it answers no question about the tag, which QEMU knows itself. */
export const QEMU_VIEW_SERVER = {
  file: '/usr/lib/qemu/virtiofsd',
  argv: (socket: string, shared: string) => [
    `--socket-path=${socket}`,
    ...['-o', `source=${shared}`, '-o', 'cache=none', '-o', 'log_level=err'],
  ],
}

/** crosvm's own, which tells its tag. */
export const crosvmViewServer = (binary: string) => ({
  file: binary,
  argv: (socket: string, shared: string, tag: string) => [
    ...['--log-level', 'warn', '--no-syslog', 'device', 'fs'],
    ...[`--socket-path=${socket}`, `--shared-dir=${shared}`, `--tag=${tag}`, '--cfg=timeout=0'],
  ],
})

export interface ViewServer {
  readonly file: string
  argv(socket: string, shared: string, tag: string): readonly string[]
}

/** A directory, served as a view. What it shows are empty directories of these names. */
export async function serveView(
  processes: Processes,
  server: ViewServer,
  directory: string,
): Promise<ConformanceView> {
  const [shared, socket, tag] = [join(directory, 'shared'), join(directory, 'view.sock'), 'store']
  mkdirSync(shared, { recursive: true })
  const child = await processes.spawn({
    file: server.file,
    argv: server.argv(socket, shared, tag),
    role: 'view',
    enclosed: 'as-it-is',
  })
  let said = ''
  let ended = false
  void child.exit.then(() => {
    ended = true
  })
  void (async () => {
    for await (const bytes of child.output) said += Buffer.from(bytes).toString()
  })()
  while (!existsSync(socket)) {
    if (ended) throw new Error(`${server.file} ended: ${said}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return {
    view: { tag, socket },
    async show(names) {
      for (const name of readdirSync(shared))
        if (!names.includes(name)) rmSync(join(shared, name), { recursive: true })
      for (const name of names) mkdirSync(join(shared, name), { recursive: true })
    },
    async [Symbol.asyncDispose]() {
      child.kill()
      await child.exit
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
