import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { closure, compose, defineUnit, type Unit } from '@spectrum/unit-runtime'
import { openFakeHost } from '@spectrum/unit-runtime/fake'
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
