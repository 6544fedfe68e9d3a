import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Unit } from '../../src/index.js'

/** A line for everything in the unit's store: kind, mode, size, hash, path, by the program at `hasher`; sorted. */
export async function linesInside(unit: Unit, hasher: string, deadlineMs = 120_000): Promise<string[]> {
  const argv = [`${hasher}/bin/hash-store`, '/nix/store']
  const run = await unit.exec(argv, { deadlineMs, maxBytes: 64 << 20 })
  const { outcome, stdout, stderr, truncated } = run._unsafeUnwrap()
  expect(Buffer.from(stderr).toString()).toBe('')
  expect(outcome).toEqual({ kind: 'exited', code: 0 })
  expect(truncated).toBe(false)
  return Buffer.from(stdout).toString().trimEnd().split('\n').sort()
}

/** The same for these store paths, read on the host by other code. */
export async function linesOutside(paths: readonly string[]): Promise<string[]> {
  const lines: string[] = []
  for (const path of paths) lines.push(...(await linesOf(path)))
  return lines.sort()
}

/** The lines that `hash-store` prints for these store paths, computed on the host by other code. */
async function linesOf(path: string): Promise<string[]> {
  const stat = await lstat(path)
  const mode = (stat.mode & 0o7777).toString(8).padStart(4, '0')
  if (stat.isSymbolicLink()) return [`l ${await readlink(path)} ${path}`]
  if (stat.isFile()) {
    const hash = createHash('sha256')
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk)
    return [`f ${mode} ${stat.size} ${hash.digest('hex')} ${path}`]
  }
  const lines = [`d ${mode} ${path}`]
  for (const name of await readdir(path)) lines.push(...(await linesOf(join(path, name))))
  return lines
}
