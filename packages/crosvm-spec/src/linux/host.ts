import { constants, type Stats } from 'node:fs'
import { access, lstat, opendir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { HostInspection, PathFacts } from '../spawn/powers.js'

/** linux/capability.h */
const CAPABILITIES = { CAP_SYS_ADMIN: 21n, CAP_NET_ADMIN: 12n }
const SWITCHES = ['/proc/sys/kernel/unprivileged_userns_clone', '/proc/sys/user/max_user_namespaces']

export const hostInspection: HostInspection = {
  async inspect(path) {
    const facts = await stat(path).catch(() => undefined)
    if (facts === undefined) return undefined
    return {
      kind: kindOf(facts),
      readable: await may(path, constants.R_OK),
      writable: await may(path, constants.W_OK),
    }
  },
  tree,
  async hasCapability(name) {
    const status = await readFile('/proc/self/status', 'latin1').catch(() => '')
    const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'
    return ((BigInt(`0x${effective}`) >> CAPABILITIES[name]) & 1n) === 1n
  },
  async whyNoNamespaces() {
    if (process.geteuid?.() === 0) return undefined
    for (const path of SWITCHES) {
      const value = await readFile(path, 'utf8').catch(() => '1')
      if (value.trim() === '0') return `${path} is 0 and this is not root`
    }
    return undefined
  },
  async removeSocket(path) {
    const facts = await lstat(path).catch(() => undefined)
    if (facts?.isSocket()) await rm(path, { force: true })
  },
}

async function* tree(top: string): AsyncGenerator<{ path: string; kind: PathFacts['kind'] | 'link' }> {
  const directory = await opendir(top).catch(() => undefined)
  if (directory === undefined) return
  for await (const entry of directory) {
    const path = join(top, entry.name)
    const facts = await lstat(path).catch(() => undefined)
    if (facts === undefined) continue
    yield { path, kind: facts.isSymbolicLink() ? 'link' : kindOf(facts) }
    if (facts.isDirectory()) yield* tree(path)
  }
}

function kindOf(facts: Stats): PathFacts['kind'] {
  if (facts.isFile()) return 'file'
  if (facts.isDirectory()) return 'directory'
  if (facts.isSocket()) return 'socket'
  return facts.isCharacterDevice() || facts.isBlockDevice() ? 'device' : 'other'
}

function may(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  )
}
