import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { fileVerity } from '../../src/linux/verity.js'

const scratch = mkdtempSync(join(tmpdir(), 'verity-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))
const { signal } = new AbortController()

it('fs-verity is enabled and measured, or said to be unsupported by name', async () => {
  const file = join(scratch, 'file')
  writeFileSync(file, 'contents')
  const state = await fileVerity.enable(file, signal)
  if (state.kind === 'enabled') {
    expect(await fileVerity.measure(file, signal)).toBe(state.digest)
    expect(() => writeFileSync(file, 'other')).toThrow()
  } else {
    expect(state.message).toMatch(/fs-verity is not used: .*(no fsverity command|refused it)/)
    expect(await fileVerity.measure(file, signal)).toBeUndefined()
    expect(statSync(file).size).toBe(8)
  }
})
