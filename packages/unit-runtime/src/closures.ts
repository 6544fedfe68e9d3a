import type { Closure, StorePathInfo } from '@spectrum/store-share'

const STORE = '/nix/store/'

/** What stands after `/nix/store/`. */
export function nameOf({ path }: Pick<StorePathInfo, 'path'>): string {
  return path.slice(STORE.length)
}

export function pathsLacking(present: Closure, wanted: Closure): readonly StorePathInfo[] {
  const known = new Set(present.paths.map((info) => info.path))
  return wanted.paths.filter((info) => !known.has(info.path))
}

export function mergeClosures(one: Closure, other: Closure): Closure {
  const paths = new Map([...one.paths, ...other.paths].map((info) => [info.path, info]))
  return {
    roots: [...new Set([...one.roots, ...other.roots])].sort(),
    paths: [...paths.values()].sort((a, b) => (a.path < b.path ? -1 : 1)),
  }
}

/** A closure without some of its roots, and what nothing that is left references. */
export function withoutRoots(
  closure: Closure,
  roots: readonly string[],
): { readonly left: Closure; readonly gone: readonly StorePathInfo[] } {
  const going = new Set(roots)
  const staying = closure.roots.filter((root) => !going.has(root))
  const infos = new Map(closure.paths.map((info) => [info.path, info]))
  const reached = new Set<string>()
  const waiting = [...staying]
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path)) continue
    reached.add(path)
    waiting.push(...(infos.get(path)?.references ?? []))
  }
  return {
    left: { roots: staying, paths: closure.paths.filter(({ path }) => reached.has(path)) },
    gone: closure.paths.filter(({ path }) => !reached.has(path)),
  }
}
