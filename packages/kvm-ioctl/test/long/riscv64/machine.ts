import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, openSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const checkout = fileURLToPath(new URL('../../../../../', import.meta.url))
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache')
const parts = join(cache, 'spectrum/riscv64-machine')
const EMULATOR = 'qemu-system-riscv64'
const DEADLINE_MS = 300_000

/** What is not here that the machine needs; undefined when all is. */
export function missing(): string | undefined {
  const found = spawnSync(EMULATOR, ['--version'], { timeout: 10_000, killSignal: 'SIGKILL' })
  return found.status === 0 ? undefined : `there is no ${EMULATOR}: Debian has it in qemu-system-misc`
}

/** Downloads what it is made of, once. */
export function obtain(): void {
  if (existsSync(join(parts, 'release'))) return
  const argv = [here('obtain.mjs'), parts]
  execFileSync(process.execPath, argv, { stdio: 'inherit', timeout: DEADLINE_MS, killSignal: 'SIGKILL' })
}

/** An archive of everything below a folder, as the kernel unpacks it at its start. */
function archive(folder: string, into: string): void {
  const script = 'cd "$1" && find . | cpio --create --format=newc --quiet --owner=0:0'
  const { status, stderr } = spawnSync('sh', ['-c', script, 'sh', folder], {
    stdio: ['ignore', openSync(into, 'a'), 'pipe'],
    timeout: 100_000,
    killSignal: 'SIGKILL',
  })
  if (status !== 0) throw new Error(`cpio: ${stderr}`)
}

/** What `node SCRIPT LAYOUTS` prints on a riscv64 machine whose processor has the hypervisor extension, on one line. */
export async function outputOnRiscv(script: string, layouts: string, addon: string): Promise<string> {
  const work = dirname(script)
  const [files, initrd] = [join(work, 'files'), join(work, 'initrd')]
  mkdirSync(files)
  // The program finds the addon where this checkout has it.
  const ours = join(checkout, 'packages/kvm-ioctl/package.json')
  for (const path of [ours, addon, script, layouts, join(checkout, 'node_modules/node-gyp-build')])
    cpSync(path, join(files, path), { recursive: true })
  cpSync(join(parts, 'kvm.ko'), join(files, 'kvm.ko'))
  const flags = ['-static', '-O2', '-Wall', '-Wextra', '-Werror']
  execFileSync('riscv64-linux-gnu-gcc', [...flags, '-o', join(files, 'init'), here('init.c')], {
    timeout: 100_000,
    killSignal: 'SIGKILL',
  })
  // One archive behind the other is unpacked over it.
  rmSync(initrd, { force: true })
  archive(join(parts, 'root'), initrd)
  archive(files, initrd)
  const command = `/usr/bin/node ${script} ${layouts}`
  const argv = [
    ...['-machine', 'virt', '-cpu', 'rv64,h=true', '-m', '1024', '-display', 'none', '-no-reboot'],
    ...['-serial', 'stdio', '-monitor', 'none', '-kernel', join(parts, 'Image'), '-initrd', initrd],
    ...['-append', `console=ttyS0 quiet panic=-1 -- ${command}`],
  ]
  const child = spawn(EMULATOR, argv, { stdio: ['ignore', 'pipe', 'pipe'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS)
  let console = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      console += text
    })
  await once(child, 'close')
  clearTimeout(timer)
  const line = console.split(/\r?\n/).find((each) => each.startsWith('{"'))
  if (line === undefined || !console.includes('ended with 0')) throw new Error(`no report came:\n${console}`)
  return line
}
