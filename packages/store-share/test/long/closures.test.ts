import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import type { Closure } from '../../src/index.js'
import { nixStore } from '../../src/linux.js'
import { buildClosure, buildHardToLayOut } from '../guest/built-closure.js'
import { agreesWithItsOracles } from '../guest/oracles.js'

const scratch = mkdtempSync(join(tmpdir(), 'store-share-closures-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const store = nixStore()
let closure: Closure

describe('a closure of 600 paths', () => {
  beforeAll(async () => {
    closure = (await store.closure([buildClosure(scratch, 600)]))._unsafeUnwrap()
    expect(closure.paths).toHaveLength(600)
  })
  agreesWithItsOracles(() => ({ store, closure }), 24)
})

describe('a sparse file of 4 GiB, 65,536 hard links and names as long as they may be', () => {
  beforeAll(async () => {
    closure = (await store.closure([buildHardToLayOut(scratch)]))._unsafeUnwrap()
  })
  agreesWithItsOracles(() => ({ store, closure }))
})
