import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './places.mjs'

/** The publishable packages, each after the ones it depends on. */
export function packagesInOrder() {
  const directory = join(root, 'packages')
  const byName = new Map()
  for (const folder of readdirSync(directory).sort()) {
    const file = join(directory, folder, 'package.json')
    if (!existsSync(file)) continue
    const manifest = JSON.parse(readFileSync(file, 'utf8'))
    byName.set(manifest.name, { folder, name: manifest.name, path: join(directory, folder), manifest })
  }
  const ordered = []
  const visit = (one, chain) => {
    if (ordered.includes(one)) return
    if (chain.includes(one))
      throw new Error(
        `The packages depend on each other in a circle: ${[...chain, one].map((each) => each.name).join(' → ')}`,
      )
    one.needs = siblings(one, byName)
    for (const other of one.needs) visit(other, [...chain, one])
    ordered.push(one)
  }
  for (const one of byName.values()) visit(one, [])
  return ordered
}

function siblings(one, byName) {
  const { dependencies = {}, peerDependencies = {}, optionalDependencies = {} } = one.manifest
  const names = Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies })
  return names.flatMap((name) => byName.get(name) ?? [])
}

/**
 * Runs `work` for each item, `width` at a time, an item only after the items it needs; items whose needs
 * failed are not tried. Resolves with a map from item to what `work` returned.
 */
export async function inDependencyOrder(items, width, work) {
  const done = new Map()
  const running = new Map()
  const waiting = new Set(items)
  while (waiting.size > 0 || running.size > 0) {
    for (const item of waiting) {
      if (running.size >= width) break
      if (!item.needs.every((need) => done.has(need))) continue
      waiting.delete(item)
      running.set(
        item,
        work(item, done).then((result) => {
          done.set(item, result)
          running.delete(item)
        }),
      )
    }
    await Promise.race(running.values())
  }
  return done
}

/** Runs `work` for each item, `width` at a time, and keeps the order of the results. */
export async function severalAtATime(items, width, work) {
  const results = new Array(items.length)
  let next = 0
  const worker = async () => {
    while (next < items.length) {
      const index = next++
      results[index] = await work(items[index])
    }
  }
  await Promise.all(Array.from({ length: width }, worker))
  return results
}
