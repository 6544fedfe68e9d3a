import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { bundle, outputOf, programFolder } from '../../../../packages/kvm-ioctl/test/guest/lab/run-in-lab.js'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** The kernel that units boot: Debian's, as it is. */
function guestKernel(): string {
  if (process.env['SPECTRUM_KERNEL']) return process.env['SPECTRUM_KERNEL']
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache')
  const boot = join(cache, 'spectrum/guest-kernel/current/boot')
  return join(boot, readdirSync(boot).find((name) => name.startsWith('vmlinuz-'))!)
}

/** While a program is waited for synchronously, nothing else could end it. */
const BOUNDED = { timeout: 100_000, killSignal: 'SIGKILL' } as const

/** An archive with one program, as /init. */
function initramfs(folder: string): string {
  const flags = ['-static', '-Os', '-Wall', '-Wextra', '-Werror']
  execFileSync('gcc', [...flags, '-o', join(folder, 'init'), here('init.c')], BOUNDED)
  const archive = join(folder, 'initramfs')
  const pack = ['--quiet', '-o', '-H', 'newc', '-F', archive]
  execFileSync('cpio', pack, { cwd: folder, input: 'init\n', ...BOUNDED })
  return archive
}

test('Debian’s kernel boots to an init under a KVM that works, with devices in TypeScript', async () => {
  execFileSync(process.execPath, [here('../../../../packages/kvm-ioctl/native/build.mjs')], BOUNDED)
  const folder = programFolder()
  try {
    const program = await bundle(here('../../src/main.ts'), folder)
    const kernel = guestKernel()
    // What is left out only spares time on an emulated processor.
    const faster = ['mitigations=off', 'cryptomgr.notests']
    const output = await outputOf('x86_64', ['node', program, kernel, initramfs(folder), ...faster])
    const release = basename(kernel).replace('vmlinuz-', '')
    expect(output).toContain(`init: Linux ${release} x86_64 on KVMKVMKVM\r\n`)
    expect(output).toContain('reboot: Restarting system')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}, 400_000)
