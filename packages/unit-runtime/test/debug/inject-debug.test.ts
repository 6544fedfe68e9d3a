import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  closure,
  compose,
  defineUnit,
  type HostPowers,
  openHostWith,
  type Unit,
} from '@spectrum/unit-runtime'
import { fakeHostPowers, memoryStore, openFakeHost } from '@spectrum/unit-runtime/fake'
import { errAsync } from 'neverthrow'
import { describe, expect, it } from 'vitest'
import { linuxStoreFiles } from '../../src/linux/store-files.js'
import { buildIdNote, tinyElf } from './elf.js'

const path = (digit: string, name: string) => `/nix/store/${digit.repeat(32)}-${name}`
const [hello, other, wrong, debug, forgotten] = [
  path('1', 'hello'),
  path('2', 'other'),
  path('3', 'hello-debug'),
  path('4', 'hello-debug'),
  path('0', 'hello-debug'),
]
const ID = 'abcdef0011223344556677889900aabbccddeeff'
const elf = (id: string) => tinyElf({ notes: [buildIdNote(id)] })
const fileOf = (output: string) => `${output}/lib/debug/.build-id/ab/${ID.slice(2)}.debug`
const storeFiles = {
  [`${hello}/bin/hello`]: elf(ID),
  [`${hello}/bin/script`]: Buffer.from('#!/bin/sh\n'),
  [`${other}/bin/other`]: elf('11'.repeat(20)),
  // The first by name is in no valid path, the second holds something else.
  [fileOf(forgotten)]: elf(ID),
  [fileOf(wrong)]: elf('22'.repeat(20)),
  [fileOf(debug)]: elf(ID),
}
const store = { [hello]: {}, [other]: {}, [wrong]: {}, [debug]: {} }

async function within(body: (unit: Unit) => Promise<void>): Promise<void> {
  await using host = (await openFakeHost({ store, storeFiles }))._unsafeUnwrap()
  const graph = compose({ unit: defineUnit('unit', { store: closure(hello) }) })._unsafeUnwrap()
  await body((await host.start(graph))._unsafeUnwrap().unit)
}

describe('debug information', () => {
  it.each([
    ['a build id', { buildId: ID.toUpperCase() }],
    ['a program of the unit', { program: `${hello}/bin/hello` }],
  ])('of %s is found by name and content, and injected', (_, target) =>
    within(async (unit) => {
      const found = (await unit.injectDebug(target))._unsafeUnwrap()
      expect(found).toMatchObject({
        buildId: ID,
        storePath: debug,
        file: fileOf(debug),
        directory: `${debug}/lib/debug`,
        added: [debug],
      })
      expect((await unit.storeListing())._unsafeUnwrap()).toContain(debug.slice('/nix/store/'.length))
      expect((await unit.injectDebug(target))._unsafeUnwrap().added).toEqual([])
      expect((await unit.revoke(closure(debug)))._unsafeUnwrap().removed).toEqual([debug])
    }),
  )

  it('that no store path has is an error that says what to build', () =>
    within(async (unit) => {
      const error = (await unit.injectDebug({ buildId: '33'.repeat(20) }))._unsafeUnwrapErr()
      expect(error).toMatchObject({ kind: 'no-debug-output', unit: 'unit' })
      expect(error.message).toContain('separateDebugInfo')
    }))

  it.each([
    ['a build id that is none', { buildId: 'xyz' }, 'buildId'],
    ['an odd number of digits', { buildId: 'abc' }, 'buildId'],
    ['a program of another unit', { program: `${other}/bin/other` }, 'program'],
    ['a path that climbs', { program: `${hello}/../${other.slice(11)}/bin/other` }, 'program'],
    ['a store path itself', { program: hello }, 'program'],
    ['a program that is not there', { program: `${hello}/bin/goodbye` }, 'program'],
    ['a script', { program: `${hello}/bin/script` }, 'program'],
  ])('of %s is refused by its field', (_, target, field) =>
    within(async (unit) => {
      expect((await unit.injectDebug(target))._unsafeUnwrapErr()).toMatchObject({
        kind: 'invalid-request',
        field,
      })
    }),
  )
})

describe('a search for debug information that cannot be finished', () => {
  const find = { buildId: ID }
  const failing = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }))

  /** Of a host whose store, or its files, are changed once the unit runs. */
  async function fails(
    change: (powers: HostPowers, store: ReturnType<typeof memoryStore>) => void,
    target: Parameters<Unit['injectDebug']>[0] = find,
    signal?: AbortSignal,
  ) {
    const made = fakeHostPowers({ store, storeFiles })
    const powers: HostPowers = { ...made, storeFiles: { ...made.storeFiles } }
    const source = { ...memoryStore(store) }
    const places = { state: '/state', cache: '/cache' }
    await using host = (await openHostWith(powers, places, { store: source }))._unsafeUnwrap()
    const graph = compose({ unit: defineUnit('unit', { store: closure(hello) }) })._unsafeUnwrap()
    const { unit } = (await host.start(graph))._unsafeUnwrap()
    change(powers, source)
    return (await unit.injectDebug(target, { signal }))._unsafeUnwrapErr()
  }

  it.each<[string, keyof HostPowers['storeFiles'], Parameters<Unit['injectDebug']>[0]]>([
    ['the store cannot be listed', 'list', find],
    ['a file of it cannot be opened', 'open', find],
    ['the program cannot be opened', 'open', { program: `${hello}/bin/hello` }],
  ])('because %s fails with what the system says', async (_, method, target) => {
    const error = await fails((powers) => {
      Object.assign(powers.storeFiles, { [method]: failing('EIO') })
    }, target)
    expect(error).toMatchObject({ kind: 'state', code: 'EIO', path: '/nix/store' })
  })

  it('because the store does not answer says so, and not that there is none', async () => {
    const cause = { kind: 'store-command', stderr: '', message: 'nix was not found; install it' } as const
    const error = await fails((_, source) => {
      source.closure = () => errAsync(cause)
    })
    expect(error).toMatchObject({ kind: 'store-failed', unit: 'unit', cause })
  })

  it('because it is given up at the last file says so, too', async () => {
    const given = new AbortController()
    const error = await fails(
      ({ storeFiles: files }) => {
        const { open } = files
        const openAndGiveUp: typeof open = (root, relative) => {
          if (root === debug) given.abort()
          return open(root, relative)
        }
        Object.assign(files, { open: openAndGiveUp })
      },
      find,
      given.signal,
    )
    expect(error).toMatchObject({ kind: 'aborted', unit: 'unit' })
  })
})

it('the files of a store are opened through links that stay in their store path, and through no others', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'store-files-'))
  try {
    const root = join(directory, 'one')
    mkdirSync(join(root, 'sub'), { recursive: true })
    writeFileSync(join(root, 'sub', 'file'), 'content')
    writeFileSync(join(directory, 'outside'), 'outside')
    symlinkSync('sub/file', join(root, 'inside'))
    symlinkSync('../outside', join(root, 'out'))
    symlinkSync('..', join(root, 'up'))
    for (const name of ['sub/file', 'inside']) {
      await using file = await linuxStoreFiles.open(root, name)
      expect(file?.sizeBytes).toBe(7)
      expect(Buffer.from((await file?.read(3, 100)) ?? []).toString()).toBe('tent')
    }
    for (const name of ['out', 'up/outside', 'sub', 'nothing', 'sub/file/below'])
      expect(await linuxStoreFiles.open(root, name)).toBeUndefined()
    expect(await linuxStoreFiles.list(root)).toEqual(expect.arrayContaining(['inside', 'sub']))
  } finally {
    rmSync(directory, { recursive: true })
  }
})
