import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  bundle,
  crossBuildAddon,
  outputOf,
  programFolder,
} from '../../../packages/kvm-ioctl/test/guest/lab/run-in-lab.js'

/** Runs this example in the POWER lab. Gives what it printed. */
export async function converseInLab(): Promise<string> {
  crossBuildAddon('ppc64', 'powerpc64le-linux-gnu-gcc')
  const folder = programFolder()
  try {
    const program = await bundle(fileURLToPath(new URL('main.ts', import.meta.url)), folder)
    return await outputOf('ppc64le', ['node', program])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
