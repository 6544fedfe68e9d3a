import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { agentBinary, initramfsFor, readGuestKernel } from '@spectrum/guest-agent/linux'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { buildAgent } from './support/built.js'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'kernel-'))
})
afterEach(() => rmSync(root, { recursive: true }))

const names = ['virtio_pci', 'virtio_console', 'nd_pmem', 'virtio_pmem', 'erofs']

/** An ELF header, as far as an architecture goes. */
function elf(machine: number): Buffer {
  const bytes = Buffer.alloc(64)
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1])
  bytes.writeUInt16LE(machine, 18)
  return bytes
}

function makeKernel(modules: readonly string[], machine = 62, index = true) {
  const modulesDirectory = join(root, '6.1.0-test')
  mkdirSync(modulesDirectory)
  writeFileSync(join(root, 'vmlinuz'), 'kernel')
  for (const name of modules) writeFileSync(join(modulesDirectory, `${name}.ko`), elf(machine))
  if (index) {
    writeFileSync(join(modulesDirectory, 'modules.dep'), modules.map((name) => `${name}.ko:\n`).join(''))
    writeFileSync(join(modulesDirectory, 'modules.builtin'), '')
  }
  return { image: join(root, 'vmlinuz'), modulesDirectory }
}

it('reads the modules of a kernel in load order, its release and its architecture', async () => {
  const kernel = (await readGuestKernel(makeKernel(names)))._unsafeUnwrap()
  expect(kernel.modules.map(({ name }) => name)).toEqual(names)
  expect(kernel).toMatchObject({ release: '6.1.0-test', architecture: 'x86_64' })
})

it.each(['erofs', 'virtio_pmem'])('says before any boot that a kernel lacks %s', async (feature) => {
  const error = (
    await readGuestKernel(makeKernel(names.filter((name) => name !== feature)))
  )._unsafeUnwrapErr()
  expect(error).toMatchObject({ kind: 'kernel-lacks', feature })
})

it('says that depmod has not run, and how to run it', async () => {
  const error = (await readGuestKernel(makeKernel(names, 62, false)))._unsafeUnwrapErr()
  expect(error).toMatchObject({ kind: 'module-index-missing', message: expect.stringContaining('depmod -b') })
})

it('says which file of a kernel is not there', async () => {
  const paths = { image: join(root, 'none'), modulesDirectory: root }
  expect((await readGuestKernel(paths))._unsafeUnwrapErr()).toMatchObject({
    kind: 'kernel-missing',
    path: paths.image,
  })
})

it('refuses a module that is not one', async () => {
  const paths = makeKernel(names)
  writeFileSync(join(paths.modulesDirectory, 'erofs.ko'), 'text')
  expect((await readGuestKernel(paths))._unsafeUnwrapErr().kind).toBe('invalid-modules')
  rmSync(join(paths.modulesDirectory, 'erofs.ko'))
  expect((await readGuestKernel(paths))._unsafeUnwrapErr().kind).toBe('invalid-modules')
})

it('stops reading for a caller that aborts', async () => {
  const result = await readGuestKernel(makeKernel(names), { signal: AbortSignal.abort() })
  expect(result._unsafeUnwrapErr().kind).toBe('aborted')
})

it('reads without a deadline for a caller that wants none', async () => {
  const result = await readGuestKernel(makeKernel(names), { deadlineMs: Number.POSITIVE_INFINITY })
  expect(result.isOk()).toBe(true)
})

it('finds the agent that was built, and puts it into the initramfs', async () => {
  buildAgent()
  const agent = (await agentBinary())._unsafeUnwrap()
  const kernel = (await readGuestKernel(makeKernel(names)))._unsafeUnwrap()
  const initramfs = Buffer.from((await initramfsFor(kernel))._unsafeUnwrap())
  expect(initramfs.includes(Buffer.from(agent.bytes))).toBe(true)
}, 60_000)

it('refuses an agent of another architecture than the kernel', async () => {
  const kernel = (await readGuestKernel(makeKernel(names, 183)))._unsafeUnwrap()
  expect(kernel.architecture).toBe('aarch64')
  const result = await initramfsFor(kernel, { agent: elf(62) })
  expect(result._unsafeUnwrapErr().kind).toBe('agent-missing')
})
