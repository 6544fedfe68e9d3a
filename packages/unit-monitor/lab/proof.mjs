#!/usr/bin/env node
// Run inside the lab: boots the stock guest kernel under KVM to a static init that tells its hypervisor.
//
//     npm run lab -- x86_64 -- node packages/unit-monitor/lab/proof.mjs [QEMU OPTION…]
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cpio } from './initramfs.mjs'
import { findKernel } from './kernel.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const deadlineMs = 300_000
const kernel = findKernel(process.env)
const directory = mkdtempSync(join(tmpdir(), 'spectrum-lab-proof-'))
try {
  const init = join(directory, 'init')
  const initramfs = join(directory, 'initramfs')
  execFileSync('gcc', [
    '-static',
    '-Os',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-o',
    init,
    join(here, 'proof-init.c'),
  ])
  writeFileSync(
    initramfs,
    cpio([
      { name: 'dev', mode: 0o040755 },
      { name: 'dev/console', mode: 0o020600, device: [5, 1] },
      { name: 'init', mode: 0o100755, data: readFileSync(init) },
    ]),
  )
  const parameters = 'console=ttyS0 panic=-1 quiet mitigations=off nowatchdog cryptomgr.notests'
  const started = performance.now()
  const qemu = spawn(
    'qemu-system-x86_64',
    [
      ['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
      ['-accel', 'kvm', '-cpu', 'host', '-machine', 'q35', '-m', '256M'],
      ['-serial', 'stdio', '-kernel', kernel.image, '-initrd', initramfs, '-append', parameters],
      process.argv.slice(2),
    ].flat(),
    { stdio: ['ignore', 'pipe', 'inherit'], timeout: deadlineMs, killSignal: 'SIGKILL' },
  )
  let output = ''
  qemu.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
  })
  const [code, signal] = await once(qemu, 'close')
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const proof = /^proof: hypervisor=(\S+) kernel=(\S+) uptime=(\S+)/m.exec(output)
  if (code !== 0 || proof?.[1] !== 'KVMKVMKVM') {
    console.error(
      `no proof: qemu ended with ${signal ?? code} after ${seconds} s, and the console said:\n${output}`,
    )
    process.exitCode = 1
  } else console.log(`${proof[0].trim()} seconds=${seconds}`)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
