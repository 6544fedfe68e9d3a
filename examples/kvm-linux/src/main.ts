import { readFileSync, writeSync } from 'node:fs'
import { openKvm } from '@spectrum/kvm-ioctl/linux'
import { runLinux } from './machine.js'

const MIB = 1 << 20

/**
 * No PCI and no ACPI, because there are none; a restart by triple fault, because that is what ends this machine.
 * `quiet`: each byte on the console leaves the guest twice.
 */
const COMMAND_LINE = 'console=ttyS0 quiet panic=-1 reboot=t acpi=off pci=off nowatchdog'

const [kernel, initramfs, ...more] = process.argv.slice(2)
if (kernel === undefined || initramfs === undefined) {
  process.stderr.write('usage: main KERNEL INITRAMFS [KERNEL PARAMETER…]\n')
  process.exit(2)
}
const kvm = openKvm('x86_64')
if (kvm.isErr()) {
  process.stderr.write(`${kvm.error.message}\n`)
  process.exit(1)
}
const started = performance.now()
const end = runLinux(kvm.value, {
  kernel: readFileSync(kernel),
  initramfs: readFileSync(initramfs),
  commandLine: [COMMAND_LINE, ...more].join(' '),
  memoryBytes: 256 * MIB,
  // What a guest writes is text from a stranger: a terminal's escape sequences do not pass.
  console: (byte) => writeSync(1, printable(byte)),
  now: () => new Date(),
})
const seconds = ((performance.now() - started) / 1000).toFixed(1)
process.stderr.write(`${end.kind}: ${end.message} (${end.exits} exits, ${seconds} s)\n`)
process.exitCode = end.kind === 'reset' ? 0 : 1

function printable(byte: number): string {
  const isText = (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x0d || byte === 0x09
  return isText ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`
}
