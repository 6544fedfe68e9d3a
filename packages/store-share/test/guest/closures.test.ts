import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import type { Closure } from '../../src/index.js'
import { nixStore } from '../../src/linux.js'
import { buildClosure } from './built-closure.js'
import { agreesWithItsOracles } from './oracles.js'

const scratch = mkdtempSync(join(tmpdir(), 'store-share-closures-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

describe.each([1, 60])('a closure of %i paths', (count) => {
  const store = nixStore()
  let closure: Closure
  beforeAll(async () => {
    closure = (await store.closure([buildClosure(scratch, count)]))._unsafeUnwrap()
    expect(closure.paths).toHaveLength(count)
  })
  agreesWithItsOracles(() => ({ store, closure }), 24)
})
