import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import type { EventLoop, KvmCalls } from '../kvm-calls.js'

/** The package's own folder, from a source (src/linux/native.ts) or from what is built of it (dist/*). */
function packageFolder(): string {
  for (const up of ['..', '../..']) {
    const folder = new URL(`${up}/`, import.meta.url)
    if (existsSync(new URL('package.json', folder))) return fileURLToPath(folder)
  }
  throw new Error('kvm-ioctl is not where its package.json is: install it whole')
}

/** What was built in this package's own folder, else the package for this platform, which npm installs with it. */
function loadNative(): unknown {
  const require = createRequire(import.meta.url)
  const load = require('node-gyp-build') as (folder: string) => unknown
  try {
    return load(packageFolder())
  } catch (cause) {
    const installed = `@spectrum/kvm-ioctl-linux-${process.arch}`
    try {
      require.resolve(installed)
    } catch {
      throw cause
    }
    return require(installed)
  }
}

/** Throws when the native part is not built: `node native/build.mjs` in the package. */
export function loadKvmCalls(): KvmCalls {
  const native = loadNative() as Omit<KvmCalls, keyof EventLoop | 'now'>
  return { ...native, nextTurn: (go) => void setImmediate(go), now: () => performance.now() * 1e6 }
}
