import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { downloadFromDebian } from '../../cli/setup/foreign-debian.mjs'
import { cache } from '../../cli/setup/places.mjs'

/**
 * The newest header that Debian has for a stable release. One package holds the headers of every architecture.
 * To move on: change these four lines, run generate.mjs, read the difference.
 */
export const pinned = {
  package: 'linux-libc-dev',
  version: '7.3.4-1~bpo13+1',
  suite: 'trixie-backports',
  sha256: 'b3a4538fca67081c8606a93f37521d0eb74ac75996a02f3321a6b27f978e10a8',
}

/** Unpacked packages: the pinned one under its hash, what stands in for it under its version. */
const kept = join(cache, 'kernel-headers')
const pinnedPlace = join(kept, pinned.sha256.slice(0, 16))
const isWhole = (place) => existsSync(join(place, 'usr/include/linux/kvm.h'))

/** What stands in for a pinned package that Debian no longer has. */
const standIn = () =>
  existsSync(kept)
    ? readdirSync(kept)
        .filter((name) => name.startsWith(`${pinned.package}_`))
        .map((name) => join(kept, name))
        .find(isWhole)
    : undefined

const present = () => (isWhole(pinnedPlace) ? pinnedPlace : standIn())
export const headersPresent = () => present() !== undefined

/**
 * The `usr/include` of the pinned package: from the cache, or downloaded with apt, checked and unpacked there.
 * Nothing is installed. Debian keeps a version for some weeks only: when the pinned one has gone, the newest of its
 * suite stands in (its headerVersion tells).
 *
 * @param {{ signal?: AbortSignal, say?: (line: string) => void }} [options]
 */
export async function obtainHeaders({ signal, say = () => {} } = {}) {
  const includesOf = (place) => join(place, 'usr/include')
  const place = present()
  if (place !== undefined) return includesOf(place)
  mkdirSync(kept, { recursive: true })
  try {
    return includesOf(await fetchPackage(`${pinned.package}=${pinned.version}`, { signal, say }))
  } catch (failure) {
    if (failure instanceof WrongContent || signal?.aborted) throw failure
    say(`  ${pinned.package} ${pinned.version} cannot be had any more; the newest of ${pinned.suite} instead`)
    return includesOf(await fetchPackage(pinned.package, { signal, say }))
  }
}

class WrongContent extends Error {}

/** Downloads and unpacks; resolves with the place. */
async function fetchPackage(name, { signal, say }) {
  const building = mkdtempSync(join(kept, '.new-'))
  try {
    const wanted = { suites: [pinned.suite], architecture: 'amd64', names: [name], into: building }
    await downloadFromDebian({ ...wanted, signal, say })
    const deb = readdirSync(building).find((file) => file.endsWith('.deb'))
    const isPinned = name !== pinned.package
    const sha256 = createHash('sha256')
      .update(readFileSync(join(building, deb)))
      .digest('hex')
    if (isPinned && sha256 !== pinned.sha256)
      throw new WrongContent(`${name} has sha256 ${sha256}, not ${pinned.sha256}: check the pin`)
    const place = isPinned ? pinnedPlace : join(kept, deb.replace(/_all\.deb$/, ''))
    const unpacked = join(building, 'unpacked')
    const { status, stderr } = spawnSync('dpkg-deb', ['-x', join(building, deb), unpacked], {
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`dpkg-deb could not unpack ${deb}: ${stderr}`)
    rmSync(place, { recursive: true, force: true })
    renameSync(unpacked, place)
    return place
  } finally {
    rmSync(building, { recursive: true, force: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const includes = await obtainHeaders({ say: (line) => process.stderr.write(`${line}\n`) })
  process.stdout.write(`${includes}\n`)
}
