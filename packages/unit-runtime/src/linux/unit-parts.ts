import { agentBinary, readGuestKernel } from '@spectrum/guest-agent/linux'
import type { QemuArchitecture } from '@spectrum/unit-monitor'
import { err, ok, type Result } from 'neverthrow'
import type { WaitOptions } from '../unit.js'
import { kernelOfAnother, ownArchitecture } from './architecture.js'
import { findGuestKernel } from './find-guest-kernel.js'
import { defaultPlaces } from './places.js'

/** What units are on this machine unless `openHost` is told otherwise. */
export function machineArchitecture(): QemuArchitecture {
  return ownArchitecture(process.arch)
}

/** What units of one architecture boot, beside the program that runs them. Messages say what to do. */
export interface UnitParts {
  /** Its release, as `uname -r` has it; or why there is none to boot. */
  readonly kernel: Result<string, { readonly message: string }>
  /** Absolute path of the agent's file; or why there is none. */
  readonly agent: Result<string, { readonly message: string }>
}

/** Looks for what `openHost({ architecture })` would take, for an architecture that is not this machine's own. */
export async function findForeignParts(
  architecture: QemuArchitecture,
  { signal }: WaitOptions = {},
  cache: string = defaultPlaces(process.env).cache,
): Promise<UnitParts> {
  const [kernel, agent] = await Promise.all([
    findKernel(architecture, cache, signal),
    agentBinary(architecture),
  ])
  return { kernel, agent: agent.map(({ path }) => path) }
}

async function findKernel(
  architecture: QemuArchitecture,
  cache: string,
  signal: AbortSignal | undefined,
): Promise<UnitParts['kernel']> {
  const files = await findGuestKernel(process.env, cache, undefined, architecture)
  if (files.isErr()) return err(files.error)
  // Boards of other architectures have disks and no persistent memory.
  const needs = { transport: 'block' } as const
  const kernel = await readGuestKernel({ ...files.value, needs, architecture }, { signal })
  if (kernel.isErr()) return err(kernel.error)
  const { release, architecture: found } = kernel.value
  return found === architecture ? ok(release) : err(kernelOfAnother(files.value, found, architecture))
}
