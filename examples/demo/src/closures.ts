import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { err, ok, type Result } from 'neverthrow'
import { nixBuild } from '../../debian-programs/src/local-store.js'
import type { DemoOptions } from './options.js'

const expression = fileURLToPath(new URL('../closures/closures.nix', import.meta.url))

/** What only the demonstration itself can find wrong. */
export interface DemoError {
  readonly kind: 'no-closure' | 'wrong-listing'
  readonly message: string
}

export interface Program {
  /** The store path whose closure is granted. */
  readonly root: string
  readonly argv: readonly string[]
}

export interface DemoClosures {
  readonly left: Program
  readonly right: Program
  /** Runs with a process id as its last argument. */
  readonly debugger: Program
  /** What runs in `left` before the debugger is injected; with the caller's own closures, the agent serves. */
  readonly patient: readonly string[] | undefined
}

/** The caller's closures, or three that are built now. */
export async function chooseClosures(
  options: DemoOptions,
  signal: AbortSignal,
): Promise<Result<DemoClosures, DemoError>> {
  let built: BuiltClosures
  try {
    built = await buildDemoClosures(signal)
  } catch (cause) {
    const said = (cause as { stderr?: string }).stderr?.trim().split('\n').slice(-5).join('\n')
    const message = `Nix could not build the demo's closures; name your own with --closure.\n${said || cause}`
    return err({ kind: 'no-closure', message })
  }
  const tool = { root: built.debugger, argv: [`${built.debugger}/bin/peek`] }
  const [first, second = first] = options.closures
  if (first !== undefined && second !== undefined) {
    const own = async (root: string) => ({ root, argv: await commandFor(root, options.argv) })
    return ok({ left: await own(first), right: await own(second), debugger: tool, patient: undefined })
  }
  const counter = `${built.left}/bin/counter`
  return ok({
    left: { root: built.left, argv: [counter, 'hello', 'world'] },
    right: { root: built.right, argv: [`${built.right}/bin/colours`, 'hello', 'world'] },
    debugger: tool,
    patient: [counter, '--forever'],
  })
}

async function commandFor(root: string, argv: readonly string[]): Promise<readonly string[]> {
  if (argv.length > 0) return argv
  // A path without programs is no reason to stop: the unit says that it cannot start this one.
  const programs = await readdir(`${root}/bin`).catch(() => [])
  return [`${root}/bin/${programs.sort()[0] ?? 'program'}`, '--version']
}

/** Store paths of the three closures in `closures/closures.nix`. */
export interface BuiltClosures {
  readonly left: string
  readonly right: string
  readonly debugger: string
}

/**
 * Builds the three closures with Nix into this machine's store. They are ordinary store paths without a
 * garbage-collector root: `nix-store --gc` removes them. Rejects when Nix fails.
 */
export async function buildDemoClosures(signal?: AbortSignal): Promise<BuiltClosures> {
  const built = await nixBuild(expression, { attributes: ['left', 'right', 'debugger'], signal })
  const [left, right, tool] = built
  if (left === undefined || right === undefined || tool === undefined) {
    throw new Error(`nix-build printed ${JSON.stringify(built)} instead of three store paths`)
  }
  return { left, right, debugger: tool }
}
