import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const expression = fileURLToPath(new URL('../closures/closures.nix', import.meta.url))

export interface DemoClosures {
  readonly left: string
  readonly right: string
  readonly debugger: string
}

/**
 * Builds the three closures with Nix into this machine's store and returns their store paths. They are
 * ordinary store paths: `nix-store --gc` removes them.
 */
export async function buildDemoClosures(signal?: AbortSignal): Promise<DemoClosures> {
  const build = async (attribute: keyof DemoClosures) => {
    const { stdout } = await promisify(execFile)('nix-build', [expression, '-A', attribute, '--no-out-link'], {
      env: {
        ...process.env,
        // A single-user store without network: what Debian's nix-bin gives to root.
        NIX_CONFIG: ['build-users-group =', 'sandbox = false', 'substituters =', process.env['NIX_CONFIG'] ?? ''].join('\n'),
      },
      timeout: 120_000,
      ...(signal ? { signal } : {}),
    })
    return stdout.trim()
  }
  // One after the other: they share derivations, and nix takes a lock on each.
  return { left: await build('left'), right: await build('right'), debugger: await build('debugger') }
}
