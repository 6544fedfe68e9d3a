import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nixStore, openHost } from '../src/index.js'
import { ownArchitecture } from '../src/linux/architecture.js'
import { findForeignParts, findGuestKernel } from '../src/linux.js'

let root: string

beforeAll(async () => {
  root = await mkdtemp(`${tmpdir()}/architecture-`)
})

afterAll(() => rm(root, { recursive: true }))

/** Whichever of the two this machine is not. */
const own = ownArchitecture(process.arch)
const foreign = own === 'powerpc64le' ? 'aarch64' : 'powerpc64le'

async function kernelFor(release: string, image: string, machine: number) {
  const modulesDirectory = `${root}/${release}/lib/modules/${release}`
  await mkdir(`${modulesDirectory}/kernel`, { recursive: true })
  await mkdir(`${root}/${release}/boot`, { recursive: true })
  await writeFile(`${root}/${release}/boot/${image}`, 'a kernel')
  const names = ['virtio_pci', 'virtio_console', 'nd_pmem', 'virtio_pmem', 'virtio_blk', 'erofs', 'virtiofs']
  await writeFile(`${modulesDirectory}/modules.dep`, names.map((name) => `kernel/${name}.ko:\n`).join(''))
  await writeFile(`${modulesDirectory}/modules.builtin`, '')
  const elf = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, ...new Array(12).fill(0), machine, 0, 0, 0)
  for (const name of names) await writeFile(`${modulesDirectory}/kernel/${name}.ko`, elf)
  return { image: `${root}/${release}/boot/${image}`, modulesDirectory }
}

const open = async (options: Partial<Parameters<typeof openHost>[0]>) => {
  const places = { stateDirectory: `${root}/state`, cacheDirectory: `${root}/cache` }
  const opened = await openHost({ store: nixStore(), ...places, ...options })
  if (opened.isErr()) return opened.error
  await opened.value.stop()
  throw new Error('a host was opened')
}

describe('a host for another architecture', () => {
  it('is refused with KVM, by name when there is no such architecture, and with the kernel of another', async () => {
    expect(await open({ architecture: foreign, accelerator: 'kvm' })).toMatchObject({
      kind: 'invalid-request',
      field: 'accelerator',
    })
    for (const architecture of ['riscv64', 'ppc64le', 'toString'])
      expect(await open({ architecture: architecture as 'aarch64' })).toMatchObject({
        kind: 'invalid-request',
        field: 'architecture',
        message: expect.stringContaining(`"${architecture}"`),
      })
    const kernel = await kernelFor('1.0', 'vmlinuz-1.0', own === 'x86_64' ? 62 : 183)
    expect(await open({ architecture: foreign, accelerator: 'emulation', kernel })).toMatchObject({
      kind: 'invalid-request',
      field: 'kernel',
      message: expect.stringContaining(`is for ${own === 'x86_64' ? 'x86_64' : 'aarch64'}`),
    })
  })

  it('finds the kernel that the set-up keeps for it, compressed or not, and says when there is none', async () => {
    const cache = `${root}/cache-of-kernels`
    const kept = await kernelFor('2.0', 'vmlinux-2.0', 21)
    await mkdir(`${cache}/guest-kernel`, { recursive: true })
    const none = await findGuestKernel({}, cache, undefined, 'powerpc64le')
    expect(none._unsafeUnwrapErr()).toMatchObject({ kind: 'kernel-missing' })
    expect(none._unsafeUnwrapErr().message).toContain(`${cache}/guest-kernel/powerpc64le`)
    // The environment names a kernel for this machine's own units only.
    expect(none._unsafeUnwrapErr().message).not.toContain('SPECTRUM_KERNEL')
    const ownNone = await findGuestKernel({}, cache)
    expect(ownNone._unsafeUnwrapErr().message).toContain('SPECTRUM_KERNEL')
    await rename(`${root}/2.0`, `${cache}/guest-kernel/powerpc64le`)
    const found = (
      await findGuestKernel({ SPECTRUM_KERNEL: '/no' }, cache, undefined, 'powerpc64le')
    )._unsafeUnwrap()
    const moved = (path: string) => path.replace(`${root}/2.0`, `${cache}/guest-kernel/powerpc64le`)
    expect(found).toEqual({
      image: moved(kept.image),
      modulesDirectory: moved(kept.modulesDirectory),
    })
  })

  it('tells the kernel that there is for it, and refuses the kernel of another in its place', async () => {
    const cache = `${root}/cache-of-parts`
    await mkdir(`${cache}/guest-kernel`, { recursive: true })
    const kernelOf = async (architecture: 'aarch64' | 'powerpc64le') =>
      (await findForeignParts(architecture, {}, cache)).kernel
    expect((await kernelOf('powerpc64le'))._unsafeUnwrapErr().message).toContain('npm run setup')
    await kernelFor('3.0', 'vmlinux-3.0', 21)
    await rename(`${root}/3.0`, `${cache}/guest-kernel/powerpc64le`)
    expect((await kernelOf('powerpc64le'))._unsafeUnwrap()).toBe('3.0')
    await rename(`${cache}/guest-kernel/powerpc64le`, `${cache}/guest-kernel/aarch64`)
    expect((await kernelOf('aarch64'))._unsafeUnwrapErr().message).toContain('is for powerpc64le')
  })

  it('knows this machine by Node’s name, and takes a machine it does not know for x86-64', () => {
    expect(['x64', 'arm64', 'ppc64', 'mips'].map(ownArchitecture)).toEqual([
      'x86_64',
      'aarch64',
      'powerpc64le',
      'x86_64',
    ])
  })
})
