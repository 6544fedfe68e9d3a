import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle, outputOf, programFolder } from '../../../packages/kvm-ioctl/test/guest/lab/run-in-lab.js'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** The kernel that units boot: Debian's, as it is. */
export function guestKernel(): string {
  if (process.env['SPECTRUM_KERNEL']) return process.env['SPECTRUM_KERNEL']
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache')
  const boot = join(cache, 'spectrum/guest-kernel/current/boot')
  return join(boot, readdirSync(boot).find((name) => name.startsWith('vmlinuz-'))!)
}

/** An archive with one program, as /init. */
function initramfs(folder: string): string {
  const flags = ['-static', '-Os', '-Wall', '-Wextra', '-Werror']
  execFileSync('gcc', [...flags, '-o', join(folder, 'init'), here('init.c')])
  const archive = join(folder, 'initramfs')
  execFileSync('cpio', ['--quiet', '-o', '-H', 'newc', '-F', archive], { cwd: folder, input: 'init\n' })
  return archive
}

/** Runs this example where KVM boots stock kernels: in the x86-64 lab. Gives what the guest printed. */
export async function bootInLab(): Promise<string> {
  execFileSync(process.execPath, [here('../../../packages/kvm-ioctl/native/build.mjs')])
  const folder = programFolder()
  try {
    const program = await bundle(here('main.ts'), folder)
    // What is left out only spares time on an emulated processor.
    const faster = ['mitigations=off', 'cryptomgr.notests']
    const command = ['node', program, guestKernel(), initramfs(folder), ...faster]
    return await outputOf('x86_64', command)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
