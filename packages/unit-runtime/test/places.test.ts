import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findGuestKernel } from '../src/linux/find-guest-kernel.js'
import { defaultPlaces } from '../src/linux/places.js'

describe('the default directories', () => {
  it('follow the XDG variables, and ignore relative ones as the specification says', () => {
    expect(defaultPlaces({ HOME: '/root' })).toEqual({
      state: '/root/.local/state/spectrum',
      cache: '/root/.cache/spectrum',
    })
    expect(defaultPlaces({ HOME: '/root', XDG_STATE_HOME: '/s/', XDG_CACHE_HOME: 'cache' })).toEqual({
      state: '/s/spectrum',
      cache: '/root/.cache/spectrum',
    })
  })
})

describe('the guest kernel', () => {
  let cache: string
  beforeEach(async () => {
    cache = await mkdtemp(`${tmpdir()}/kernel-`)
  })
  afterEach(() => rm(cache, { recursive: true }))

  async function keep(release: string) {
    const current = `${cache}/guest-kernel/current`
    await mkdir(`${current}/boot`, { recursive: true })
    await mkdir(`${current}/lib/modules/${release}`, { recursive: true })
    await writeFile(`${current}/boot/vmlinuz-${release}`, '')
    return {
      image: `${current}/boot/vmlinuz-${release}`,
      modulesDirectory: `${current}/lib/modules/${release}`,
    }
  }

  it('is what the set-up keeps in the cache', async () => {
    const kept = await keep('6.1.0-9')
    expect((await findGuestKernel({}, cache))._unsafeUnwrap()).toEqual(kept)
  })

  it('is what the environment names, and before that what the program names', async () => {
    const kept = await keep('6.1.0-9')
    const other = { image: kept.image, modulesDirectory: cache }
    const env = { SPECTRUM_KERNEL: other.image, SPECTRUM_KERNEL_MODULES: other.modulesDirectory }
    expect((await findGuestKernel(env, '/nowhere'))._unsafeUnwrap()).toEqual(other)
    expect((await findGuestKernel(env, '/nowhere', kept))._unsafeUnwrap()).toEqual(kept)
  })

  it('is missing with every remedy in the message', async () => {
    const error = (await findGuestKernel({}, cache))._unsafeUnwrapErr()
    expect(error.kind).toBe('kernel-missing')
    expect(error.message).toContain('spectrum fetch-kernel')
    expect(error.message).toContain('SPECTRUM_KERNEL')
    const foreign = (await findGuestKernel({}, cache, undefined, 'aarch64'))._unsafeUnwrapErr()
    expect(foreign.message).toContain('npm run setup')
  })

  it('is not half named', async () => {
    const error = (await findGuestKernel({ SPECTRUM_KERNEL: '/k' }, cache))._unsafeUnwrapErr()
    expect(error.message).toContain('SPECTRUM_KERNEL_MODULES is not')
  })

  it('is not at a path where nothing is', async () => {
    const error = (
      await findGuestKernel({}, cache, { image: '/no/vmlinuz', modulesDirectory: cache })
    )._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'kernel-missing' })
    expect(error.message).toContain('/no/vmlinuz')
  })
})
