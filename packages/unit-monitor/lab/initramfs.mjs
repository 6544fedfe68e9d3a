import { Buffer } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { LabFailure } from './failure.mjs'
import { modulesInLoadOrder } from './kernel.mjs'

const regular = 0o100000
const directory = 0o040000
const characterDevice = 0o020000

/**
 * A cpio archive in the "newc" form, which is what the kernel unpacks.
 * Source: Documentation/driver-api/early-userspace/buffer-format.rst.
 *
 * @param {readonly { name: string, mode: number, data?: Buffer, device?: readonly [number, number] }[]} entries
 */
export function cpio(entries) {
  const parts = []
  const add = (inode, { name, mode, data = Buffer.alloc(0), device = [0, 0] }) => {
    const nameBytes = Buffer.from(`${name}\0`)
    const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, ...device, nameBytes.length, 0]
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`
    parts.push(Buffer.from(header), nameBytes, padding(110 + nameBytes.length), data, padding(data.length))
  }
  for (const [index, entry] of entries.entries()) add(index + 1, entry)
  add(0, { name: 'TRAILER!!!', mode: 0 })
  return Buffer.concat(parts)
}

const padding = (length) => Buffer.alloc((4 - (length % 4)) % 4)

/**
 * The initramfs of one run: the init, the modules, and the task.
 *
 * @param {{ init: string, kernel: { modules: string }, modules: readonly string[], task: { cwd: string,
 *   timeoutSeconds: number, command: readonly string[], environment: readonly string[],
 *   root: string, loader?: { path: string, target: string } } }} parts `modules` are names; `loader` becomes a symbolic link
 */
export function labInitramfs({ init, kernel, modules, task }) {
  const paths = modulesInLoadOrder(kernel.modules, modules)
  return cpio([
    { name: 'dev', mode: directory | 0o755 },
    // The kernel opens it for init before init can mount anything.
    { name: 'dev/console', mode: characterDevice | 0o600, device: [5, 1] },
    { name: 'init', mode: regular | 0o755, data: readFileSync(init) },
    { name: 'lab', mode: directory | 0o755 },
    { name: 'lab/task', mode: regular | 0o600, data: encodeTask(kernel, task) },
    {
      name: 'lab/modules',
      mode: regular | 0o644,
      data: Buffer.from(paths.map((path) => `${basename(path)}\n`).join('')),
    },
    { name: 'modules', mode: directory | 0o755 },
    ...paths.map((path) => ({
      name: `modules/${basename(path)}`,
      mode: regular | 0o644,
      data: readFileSync(join(kernel.modules, path)),
    })),
  ])
}

function encodeTask(kernel, { cwd, timeoutSeconds, command, environment, root, loader }) {
  const entries = [
    `cwd=${cwd}`,
    `modules=${kernel.modules}`,
    `timeout=${timeoutSeconds}`,
    `root=${root}`,
    ...(loader ? [`loader=${loader.path}`, `libc=${loader.target}`] : []),
    ...command.map((argument) => `arg=${argument}`),
    ...environment.map((variable) => `env=${variable}`),
  ]
  if (entries.some((entry) => entry.includes('\0'))) throw new LabFailure('arguments cannot hold NUL')
  return Buffer.from(entries.map((entry) => `${entry}\0`).join(''))
}
