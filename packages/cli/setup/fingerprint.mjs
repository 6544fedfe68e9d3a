import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stamps } from './places.mjs'

/** One digest over the names and the bytes of files and directories, in an order that never varies. */
export function fingerprint(base, names, ignore = () => false) {
  const hash = createHash('sha256')
  const add = (name) => {
    if (ignore(name)) return
    const path = join(base, name)
    let entries
    try {
      entries = readdirSync(path)
    } catch (error) {
      if (error.code === 'ENOENT') return
      if (error.code !== 'ENOTDIR') throw error
      const bytes = readFileSync(path)
      hash.update(`${name}\0${bytes.length}\0`).update(bytes)
      return
    }
    for (const entry of entries.sort()) {
      if (entry === 'node_modules') continue
      add(join(name, entry))
    }
  }
  for (const name of names) add(name)
  return hash.digest('hex')
}

/** What was true when something was last built; undefined when it never was. */
export function readStamp(name) {
  try {
    return JSON.parse(readFileSync(join(stamps, `${name}.json`), 'utf8'))
  } catch {
    return undefined
  }
}

export function writeStamp(name, value) {
  mkdirSync(stamps, { recursive: true })
  const temporary = join(stamps, `${name}.${process.pid}.tmp`)
  writeFileSync(temporary, JSON.stringify(value))
  renameSync(temporary, join(stamps, `${name}.json`))
}

export function removeStamp(name) {
  rmSync(join(stamps, `${name}.json`), { force: true })
}

export const same = (a, b) => a !== undefined && JSON.stringify(a) === JSON.stringify(b)
