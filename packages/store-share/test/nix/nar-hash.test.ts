import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hashNar, serialiseNar } from '../../src/linux.js'

const scratch = mkdtempSync(join(tmpdir(), 'nar-hash-'))
const large = join(scratch, 'large')
const small = join(scratch, 'small')
afterAll(() => rmSync(scratch, { recursive: true }))

/** Each block of 4 KiB is another, so that one hashed twice, too late or not at all is seen. */
function contents(sizeBytes: number, seed: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes)
  for (let at = 0; at + 4 <= sizeBytes; at += 4096) bytes.writeUInt32LE(seed * 65_536 + at / 4096, at)
  return bytes
}

beforeAll(() => {
  for (const path of [join(large, 'many'), small]) mkdirSync(path, { recursive: true })
  for (let index = 0; index < 4; index++)
    writeFileSync(join(large, `${index}`), contents(7_000_000 + index, index))
  for (let index = 0; index < 300; index++)
    writeFileSync(join(large, 'many', `${index}`), contents(40_000, index))
  writeFileSync(join(small, 'only'), contents(5000, 1))
})

async function hashedHere(path: string) {
  const hash = createHash('sha256')
  for await (const chunk of serialiseNar(path, new AbortController().signal)) hash.update(chunk)
  return hash.digest('hex')
}

describe('the hash of a NAR', () => {
  test.each([
    ['larger than what is hashed on this thread', large],
    ['that fits in one chunk', small],
  ])('%s is that of its bytes', async (_name, path) => {
    expect((await hashNar(path))._unsafeUnwrap().narHash).toBe(await hashedHere(path))
  })

  test('is right when several are made at once, and when some of them are given up', async () => {
    const right = await hashedHere(large)
    const abort = new AbortController()
    const all = Array.from({ length: 6 }, (_, index) =>
      hashNar(large, index % 2 === 0 ? {} : { signal: abort.signal }),
    )
    setTimeout(() => abort.abort(), 10)
    for (const [index, result] of (await Promise.all(all)).entries()) {
      // One that was given up may have been done by then.
      if (index % 2 === 0 || result.isOk()) expect(result._unsafeUnwrap().narHash).toBe(right)
      else expect(result.error.kind).toBe('aborted')
    }
    expect((await hashNar(large))._unsafeUnwrap().narHash).toBe(right)
  })

  test('is told by a program that ends at once afterwards', async () => {
    const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
    const program = fileURLToPath(new URL('nar-hash-program.mts', import.meta.url))
    const argv = ['--import', loader, program, large]
    const { stdout } = await promisify(execFile)(process.execPath, argv, { timeout: 50_000 })
    expect(stdout).toBe(`${await hashedHere(large)}\nended\n`)
  })
})
