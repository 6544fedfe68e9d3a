import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Load order: each line needs only what stands before it. */
const MODULES = [
  'drivers/virtio/virtio_ring.ko',
  'drivers/virtio/virtio.ko',
  'drivers/virtio/virtio_pci_modern_dev.ko',
  'drivers/virtio/virtio_pci_legacy_dev.ko',
  'drivers/virtio/virtio_pci.ko',
  'drivers/char/virtio_console.ko',
  'drivers/nvdimm/libnvdimm.ko',
  'drivers/nvdimm/nd_btt.ko',
  'drivers/nvdimm/nd_pmem.ko',
  'drivers/nvdimm/nd_virtio.ko',
  'drivers/nvdimm/virtio_pmem.ko',
  'drivers/block/virtio_blk.ko',
  'fs/fuse/fuse.ko',
  'fs/fuse/virtiofs.ko',
]

export interface GuestKernel {
  readonly vmlinuz: string
  readonly modules: string
}

/** The guest kernel of this machine, or why there is none. */
export function findGuestKernel(): GuestKernel | { readonly missing: string } {
  const { SPECTRUM_KERNEL: vmlinuz, SPECTRUM_KERNEL_MODULES: modules } = process.env
  if (vmlinuz !== undefined && modules !== undefined) return { vmlinuz, modules }
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  const root = join(cache, 'spectrum', 'guest-kernel', 'current')
  if (!existsSync(join(root, 'boot')))
    return { missing: `no guest kernel in ${root} and SPECTRUM_KERNEL is not set: run npm run setup` }
  const image = readdirSync(join(root, 'boot')).find((name) => name.startsWith('vmlinuz-'))
  if (image === undefined) return { missing: `no vmlinuz in ${root}/boot: run npm run setup` }
  return {
    vmlinuz: join(root, 'boot', image),
    modules: join(root, 'lib', 'modules', image.slice('vmlinuz-'.length)),
  }
}

function cpioEntry(name: string, mode: number, data: Uint8Array, inode: number): Buffer {
  const nameBytes = Buffer.from(`${name}\0`)
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, nameBytes.length, 0]
  const header = Buffer.from(`070701${fields.map((f) => f.toString(16).padStart(8, '0')).join('')}`)
  const padTo4 = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)])
  return Buffer.concat([padTo4(Buffer.concat([header, nameBytes])), padTo4(Buffer.from(data))])
}

/** Compiles the guest's /init and packs it with its kernel modules; returns the path of the initramfs. */
export function buildEchoInitramfs(kernel: GuestKernel, directory: string): string {
  const init = join(directory, 'init')
  const source = fileURLToPath(new URL('./guest/echo-init.c', import.meta.url))
  execFileSync('gcc', ['-static', '-Os', '-s', '-Wall', '-Wextra', '-Werror', '-o', init, source], {
    timeout: 100_000,
    killSignal: 'SIGKILL',
  })
  const entries: [string, number, Uint8Array][] = [
    ['dev', 0o040755, Buffer.alloc(0)],
    ['modules', 0o040755, Buffer.alloc(0)],
    ['init', 0o100755, readFileSync(init)],
    ...MODULES.map((path, index): [string, number, Uint8Array] => [
      `modules/${String(index).padStart(2, '0')}-${basename(path)}`,
      0o100644,
      readFileSync(join(kernel.modules, 'kernel', path)),
    ]),
    ['TRAILER!!!', 0, Buffer.alloc(0)],
  ]
  const initramfs = join(directory, 'initramfs.cpio')
  writeFileSync(
    initramfs,
    Buffer.concat(entries.map(([name, mode, data], index) => cpioEntry(name, mode, data, index + 1))),
  )
  return initramfs
}
