/**
 * Kernels, modules and the agent itself, from the files of this machine.
 *
 * @packageDocumentation
 */

import { readFile, stat } from 'node:fs/promises'
import { basename, isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { err, errAsync, ok, okAsync, type Result, ResultAsync } from 'neverthrow'
import type { AgentOptions } from './agent.js'
import { printable } from './escape.js'
import { buildInitramfs } from './initramfs.js'
import type { AgentArchitecture, GuestKernel, GuestKernelError } from './kernel.js'
import { architectureOfElf } from './kernel.js'
import { type KernelModule, resolveModules, type UnitNeeds, unitModules } from './modules.js'

export type { AgentArchitecture, GuestKernel, GuestKernelError } from './kernel.js'

/** Where a guest kernel lies on the host. */
export interface GuestKernelPaths {
  /** Absolute path of the kernel image (`vmlinuz-RELEASE`). */
  readonly image: string
  /** Absolute path of `lib/modules/RELEASE`, with the `modules.dep` that depmod makes. */
  readonly modulesDirectory: string
  /** Used only when every feature is built in; otherwise the modules say it. Default `x86_64`. */
  readonly architecture?: AgentArchitecture | undefined
  /** What its units need beyond what all do. Default: persistent memory, and no view. */
  readonly needs?: UnitNeeds | undefined
}

/** The agent for one architecture, as built by `build-agent.mjs`. */
export interface AgentBinary {
  /** Absolute path. */
  readonly path: string
  /** The whole ELF file. */
  readonly bytes: Uint8Array
}

/**
 * Reads what a unit needs from a guest kernel, and finds out before anything boots whether the kernel can
 * carry a unit at all.
 *
 * @example
 * ```ts
 * import { initramfsFor, readGuestKernel } from '@spectrum/guest-agent/linux'
 *
 * const kernel = await readGuestKernel({
 *   image: '/boot/vmlinuz-6.1',
 *   modulesDirectory: '/lib/modules/6.1',
 * })
 * if (kernel.isErr()) throw new Error(kernel.error.message) // kind: kernel-lacks, invalid-modules …
 * const initramfs = (await initramfsFor(kernel.value))._unsafeUnwrap() // the bytes of a cpio archive
 * console.log(kernel.value.release, initramfs.length)
 * ```
 */
export function readGuestKernel(
  paths: GuestKernelPaths,
  options: AgentOptions = {},
): ResultAsync<GuestKernel, GuestKernelError> {
  return new ResultAsync(
    withDeadline(options, 'reading the guest kernel', (signal) => readKernel(paths, signal)),
  )
}

async function readKernel(
  paths: GuestKernelPaths,
  signal: AbortSignal,
): Promise<Result<GuestKernel, GuestKernelError>> {
  const { image, modulesDirectory } = paths
  for (const path of [image, modulesDirectory]) {
    if (!isAbsolute(path)) throw new TypeError(`not an absolute path: ${path}`)
    const found = await stat(path).catch(() => undefined)
    if (found === undefined) return err(missing(path))
  }
  const index = async (name: string): Promise<Result<string, GuestKernelError>> => {
    const path = join(modulesDirectory, name)
    try {
      return ok(await readFile(path, { encoding: 'utf8', signal }))
    } catch (cause) {
      return err(codeOf(cause) === 'ENOENT' ? indexMissing(path) : system(`cannot read ${path}`, cause))
    }
  }
  const dependencies = await index('modules.dep')
  if (dependencies.isErr()) return err(dependencies.error)
  const builtin = await index('modules.builtin')
  if (builtin.isErr()) return err(builtin.error)
  const order = resolveModules(
    { dependencies: dependencies.value, builtin: builtin.value },
    unitModules(paths.needs),
  )
  if (order.isErr()) return err(order.error)

  const modules: KernelModule[] = []
  let architecture = paths.architecture ?? 'x86_64'
  for (const relative of order.value) {
    const path = join(modulesDirectory, relative)
    let bytes: Uint8Array
    try {
      bytes = await readFile(path, { signal })
    } catch (cause) {
      if (codeOf(cause) === 'ENOENT') return err(invalid(path, 'is in modules.dep but not there'))
      return err(system(`cannot read ${path}`, cause))
    }
    const found = architectureOfElf(bytes)
    if (found === undefined) return err(invalid(path, 'is not a kernel module for a known architecture'))
    architecture = found
    modules.push({ name: basename(relative, '.ko').replaceAll('-', '_'), bytes })
  }
  return ok({ image, modulesDirectory, release: basename(modulesDirectory), architecture, modules })
}

/** The agent built for an architecture: works from the sources and from the built package. */
export function agentBinary(
  architecture: AgentArchitecture = 'x86_64',
): ResultAsync<AgentBinary, GuestKernelError> {
  const path = fileURLToPath(new URL(`../prebuilds/${architecture}/agent`, import.meta.url))
  return ResultAsync.fromPromise(readFile(path), (cause): GuestKernelError => {
    if (codeOf(cause) !== 'ENOENT') return system(`cannot read ${path}`, cause)
    return {
      kind: 'agent-missing',
      architecture,
      message: `the agent for ${architecture} is not built: run "node build-agent.mjs ${architecture}" in the guest-agent package`,
    }
  }).map((bytes) => ({ path, bytes }))
}

/** The initramfs of every unit that boots this kernel; write it to a file for the monitor. */
export function initramfsFor(
  kernel: GuestKernel,
  options: {
    /** The agent's ELF file; by default the one that is installed for the kernel's architecture. */
    readonly agent?: Uint8Array | undefined
  } = {},
): ResultAsync<Uint8Array, GuestKernelError> {
  const agent: ResultAsync<{ readonly bytes: Uint8Array }, GuestKernelError> =
    options.agent === undefined ? agentBinary(kernel.architecture) : okAsync({ bytes: options.agent })
  return agent.andThen(({ bytes }) =>
    architectureOfElf(bytes) === kernel.architecture
      ? okAsync(buildInitramfs({ agent: bytes, modules: kernel.modules }))
      : errAsync<Uint8Array, GuestKernelError>({
          kind: 'agent-missing',
          architecture: kernel.architecture,
          message: `the agent given is not built for ${kernel.architecture}, which the kernel is`,
        }),
  )
}

const missing = (path: string): GuestKernelError => ({
  kind: 'kernel-missing',
  path,
  message: `there is no guest kernel at ${printable(path)}: run the set-up, or name a kernel that exists`,
})

const indexMissing = (path: string): GuestKernelError => ({
  kind: 'module-index-missing',
  path,
  message: `${printable(path)} is missing: run "depmod -b ROOT RELEASE", where ROOT holds lib/modules/RELEASE`,
})

const invalid = (path: string, why: string): GuestKernelError => ({
  kind: 'invalid-modules',
  path,
  message: `${printable(path)} ${why}: unpack the kernel package again and run depmod`,
})

const system = (message: string, cause: unknown): GuestKernelError => {
  const code = codeOf(cause)
  return { kind: 'system', message, cause, ...(code === undefined ? {} : { code }) }
}

const codeOf = (cause: unknown): string | undefined => (cause as NodeJS.ErrnoException | undefined)?.code

/** `setTimeout` overflows beyond this and would fire at once. */
const longestTimerMs = 2 ** 31 - 1

async function withDeadline<T>(
  options: AgentOptions,
  what: string,
  work: (signal: AbortSignal) => Promise<Result<T, GuestKernelError>>,
): Promise<Result<T, GuestKernelError>> {
  const deadlineMs = options.deadlineMs ?? 30_000
  const timer = new AbortController()
  const timeout = setTimeout(() => timer.abort(), Math.min(deadlineMs, longestTimerMs))
  const signals = options.signal === undefined ? [timer.signal] : [timer.signal, options.signal]
  try {
    const result = await work(AbortSignal.any(signals))
    if (options.signal?.aborted === true) return err({ kind: 'aborted', message: `${what} was aborted` })
    if (timer.signal.aborted) {
      return err({ kind: 'timed-out', message: `${what} took longer than ${deadlineMs} ms` })
    }
    return result
  } finally {
    clearTimeout(timeout)
  }
}
