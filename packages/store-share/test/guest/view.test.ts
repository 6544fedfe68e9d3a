import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openView } from '../../src/linux.js'
import type { View } from '../../src/view.js'
import { RealStore, variedTree } from './real-store.js'
import { digestOf } from './view/digest.js'
import { Guest } from './view/guest.js'

let store: RealStore
let view: View
let guest: Guest
let varied: string
let plain: string
const folder = mkdtempSync(join(tmpdir(), 'view-'))
const located = (path: string) => ({ name: basename(path), location: join(store.root, path) })

beforeAll(async () => {
  store = new RealStore()
  varied = store.add('varied', variedTree)
  plain = store.add('plain', (path) => {
    mkdirSync(path)
    writeFileSync(join(path, 'file'), 'plain contents')
  })
  view = (await openView({ directory: folder, tag: 'store' }))._unsafeUnwrap()
  ;(await view.grant(located(varied)))._unsafeUnwrap()
  guest = new Guest([view])
  await guest.ready()
  expect(await guest.tell('mount store /view')).toEqual([])
})

afterAll(async () => {
  await guest?.[Symbol.asyncDispose]()
  await view?.close()
  store?.[Symbol.dispose]()
  rmSync(folder, { recursive: true, force: true })
})

describe('a guest', () => {
  test('reads every file, name, link and mode of a granted path as they are in the store', async () => {
    const expected = digestOf(join(store.root, varied))
    expect(await guest.tell(`walk /view/${basename(varied)}`)).toEqual([expected])
    // From its own memory, and then all of it again.
    expect(await guest.tell(`walk /view/${basename(varied)}`)).toEqual([expected])
    await guest.tell('drop')
    expect(await guest.tell(`walk /view/${basename(varied)}`)).toEqual([expected])
  })

  test('sees what is granted while it runs at once, though it looked before', async () => {
    const path = `/view/${basename(plain)}`
    expect(await guest.tell(`stat ${path}`)).toEqual(['errno 2'])
    expect(await guest.tell('list /view')).toEqual([basename(varied)])
    ;(await view.grant(located(plain)))._unsafeUnwrap()
    expect(await guest.tell(`read ${path}/file`)).toEqual(['plain contents'])
    expect(await guest.tell('list /view')).toEqual([basename(varied), basename(plain)].sort())
    expect(await guest.tell(`stat ${path}/file`)).toEqual(['100444 14 0 0 1 1'])
  })

  test('loses what is revoked, and the rest stays', async () => {
    ;(await view.revoke(basename(plain)))._unsafeUnwrap()
    await guest.tell('drop')
    await expect.poll(() => guest.tell(`read /view/${basename(plain)}/file`)).toEqual(['errno 2'])
    expect(await guest.tell('list /view')).toEqual([basename(varied)])
    expect(await guest.tell(`read /view/${basename(varied)}/bin/tool`)).toEqual(['#!/bin/sh', ''])
  })

  test('changes nothing, by any call', async () => {
    expect(await guest.tell(`write /view/${basename(varied)}`)).toEqual([])
    expect(await guest.tell('write /view')).toEqual([])
  })
})
